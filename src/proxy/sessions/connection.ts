import type { RawData, WebSocket } from 'ws';
import { isLastEvent } from '../http/backend-events.ts';
import { toBuffer } from '../http/raw-data.ts';
import { eventType } from './event.ts';

/** How a request on a connection ended. */
export type Ending =
  | { readonly kind: 'answered'; readonly type: string; readonly text: string }
  /** The connection ended, the backend fell silent, or the client took no more, before the answer ended. */
  | { readonly kind: 'lost'; readonly reason: string };

/** Takes an event; a promise that it gives is waited for before more is read. */
export type TakeEvent = (type: string, text: string) => Promise<void> | undefined;

export type Patience = {
  /** Milliseconds until the first event must be there. */
  readonly firstByte: number;
  /** Milliseconds between two events, whoever keeps the next one back. */
  readonly idle: number;
};

/** An upstream websocket that answers one request after the other. */
export class Connection {
  readonly #socket: WebSocket;
  readonly openedAt = Date.now();
  /** The id of the last response on it, which the next request may go on from. */
  last: string | undefined;
  /** The account it was opened for. */
  readonly account: string;
  #running = false;

  constructor(socket: WebSocket, account: string) {
    this.#socket = socket;
    this.account = account;
    // Without listeners, a broken connection would end the process. What comes between requests is not asked for.
    socket.on('error', () => socket.terminate());
    socket.on('message', () => {});
    socket.resume();
  }

  get usable(): boolean {
    return this.#socket.readyState === this.#socket.OPEN && !this.#running;
  }

  /** Sends a request and hands out the events that answer it. The connection is lost when the signal fires. */
  ask(request: string, patience: Patience, signal: AbortSignal, take: TakeEvent): Promise<Ending> {
    const socket = this.#socket;
    this.#running = true;
    return new Promise((resolve) => {
      let timer = setTimeout(() => lose('the backend is silent'), patience.firstByte);
      let begun = false;
      const settle = (ending: Ending) => {
        clearTimeout(timer);
        socket.off('message', hear).off('close', closed);
        signal.removeEventListener('abort', abort);
        this.#running = false;
        resolve(ending);
      };
      const lose = (reason: string) => {
        socket.terminate();
        settle({ kind: 'lost', reason });
      };
      const abort = () => lose('the client left');
      const closed = (code: number) => settle({ kind: 'lost', reason: `the connection ended (${code})` });
      const hear = (data: RawData, binary: boolean) => {
        if (binary) return lose('a binary message');
        if (begun) timer.refresh();
        else {
          begun = true;
          clearTimeout(timer);
          const silent = () => lose(socket.isPaused ? 'the client takes no more' : 'the backend fell silent');
          timer = setTimeout(silent, patience.idle);
        }
        const text = toBuffer(data).toString('utf8');
        const type = eventType(text);
        const waited = take(type, text);
        if (isLastEvent(type)) return settle({ kind: 'answered', type, text });
        if (waited === undefined || socket.isPaused) return;
        socket.pause();
        void waited.then(() => socket.resume());
      };
      socket.on('message', hear).on('close', closed);
      if (signal.aborted) return abort();
      signal.addEventListener('abort', abort, { once: true });
      if (socket.readyState !== socket.OPEN) return closed(1006);
      socket.send(request, { binary: false });
    });
  }

  /** Ends it as the official client does: without a close message. */
  end(): void {
    this.#socket.terminate();
  }

  onEnd(listener: () => void): void {
    this.#socket.once('close', listener);
  }
}
