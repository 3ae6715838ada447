import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { type Deltas, type DeltasHandler, deltasAt } from '../http/deltas.ts';
import { toBuffer } from '../http/frame-writer.ts';
import { isMessageTooBig, messageTooBig } from '../http/message-too-big.ts';
import { Timeout } from '../http/timeout.ts';
import { type PlainTexts, readPlainTexts } from '../http/upstream/plain-texts.ts';
import { sendText } from '../http/upstream/send-text.ts';
import { isLastEvent } from '../http/upstream-events.ts';
import type { Limits } from '../limits.ts';
import { eventType, responseId } from './event-fields.ts';
import { ResponseTracker } from './response-tracker.ts';

export type RequestEnding =
  /** With the last event of a response. */
  | {
      readonly kind: 'responded';
      readonly type: string;
      readonly text: string;
      /** The id of the response; undefined if the event has none, as an error frame. */
      readonly id: string | undefined;
    }
  /** Before that: the connection ended, the backend sent nothing in time (`isSilent`), or the client stopped reading or left. */
  | { readonly kind: 'lost'; readonly reason: string; readonly isSilent?: true }
  /** Before that: the request, or an event of the response, is too large for a websocket. */
  | { readonly kind: 'oversized' };

/** Receives an event. If it returns a promise, reading pauses until the promise resolves. */
export type EventHandler = (type: string, text: string) => Promise<void> | undefined;

/** `idle` includes the time that the client takes to read an event. */
export type ConnectionRequest = Pick<Limits, 'firstByte' | 'idle'> & {
  /** The parts of its text. */
  readonly parts: readonly string[];
  /** Ends the connection. */
  readonly signal: AbortSignal;
  readonly onEvent: EventHandler;
  /** Receives deltas instead of `onEvent`, if they come as bytes. */
  readonly onDeltas?: DeltasHandler | undefined;
};

type Receiver = {
  /** Receives the text of a message, or undefined for a binary one. */
  readonly onMessage: (text: string | undefined) => void;
  /** Receives deltas that come as bytes. */
  readonly onDeltas: ((deltas: Deltas) => void) | undefined;
  /** Receives the code with which the connection ended. */
  readonly onClose: (code: number) => void;
  readonly onError: (error: Error) => void;
};

/** A websocket to the backend. It serves one request at a time. */
export class UpstreamConnection {
  readonly #socket: WebSocket;
  /** The socket below the websocket. */
  readonly #raw: Duplex;
  /** The holder of the sign-in that the connection was opened for; see holderOf. */
  readonly holder: string;
  readonly openedAt = Date.now();
  /** The id of the connection's last response, from which the next request can continue. */
  lastResponseId: string | undefined;
  #busy = false;
  /** Receives what comes in response. Listeners added once are faster than new ones for each request. */
  #receiver: Receiver | undefined;
  readonly #responses = new ResponseTracker();
  readonly #readEarlier: Promise<unknown>;

  constructor({ socket, raw }: { readonly socket: WebSocket; readonly raw: Duplex }, holder: string) {
    this.#socket = socket;
    this.#raw = raw;
    this.holder = holder;
    // Without an error listener, a broken connection would end the process. Messages between requests are ignored.
    socket.on('error', (error) => {
      socket.terminate();
      this.#receiver?.onError(error);
    });
    socket.on('close', (code) => this.#receiver?.onClose(code));
    readPlainTexts(socket, raw, (texts) => this.#receiveTexts(texts));
    socket.on('message', (data, binary) =>
      this.#receiver?.onMessage(binary ? undefined : toBuffer(data).toString('utf8')),
    );
    socket.resume();
    // What the backend has sent before any request is not a response to one.
    this.#readEarlier = new Promise((resolve) => setImmediate(resolve));
  }

  #receiveTexts(texts: PlainTexts): void {
    const { bytes, starts, ends } = texts;
    for (let n = 0; n < starts.length && this.#receiver !== undefined; ) {
      const { onMessage, onDeltas } = this.#receiver;
      const deltas = onDeltas && this.#responses.hasBegun ? deltasAt(texts, n) : undefined;
      if (deltas === undefined) onMessage(bytes.toString('utf8', starts[n], ends[n]));
      else onDeltas?.(deltas);
      n += deltas?.starts.length ?? 1;
    }
  }

  get usable(): boolean {
    return this.#socket.readyState === this.#socket.OPEN && !this.#busy;
  }

  /** Sends a request and passes the events of its response to `onEvent`. */
  async send(options: ConnectionRequest): Promise<RequestEnding> {
    const { parts, firstByte, idle, signal, onEvent, onDeltas } = options;
    const socket = this.#socket;
    this.#busy = true;
    this.#responses.startRequest();
    await this.#readEarlier;
    return new Promise((resolve, reject) => {
      let timeout = new Timeout(firstByte, () => lose('the backend sent no event', { isSilent: true }));
      let begun = false;
      const settle = (ending: RequestEnding) => {
        timeout.end();
        this.#receiver = undefined;
        signal.removeEventListener('abort', abort);
        this.#busy = false;
        resolve(ending);
      };
      const lose = (reason: string, silence: { readonly isSilent?: true } = {}) => {
        socket.terminate();
        settle({ kind: 'lost', reason, ...silence });
      };
      const abort = () => lose('the client left');
      const onClose = (code: number) => {
        if (code === messageTooBig) settle({ kind: 'oversized' });
        else settle({ kind: 'lost', reason: `the connection ended (${code})` });
      };
      const onError = (error: Error) => {
        if (isMessageTooBig(error)) settle({ kind: 'oversized' });
      };
      const fallSilent = () =>
        socket.isPaused
          ? lose('the client stopped reading')
          : lose('the backend stopped sending', { isSilent: true });
      const deliver = (pass: () => Promise<void> | undefined, ending?: RequestEnding) => {
        let handled: Promise<void> | undefined;
        try {
          handled = pass();
        } catch (error) {
          // Thrown from here, it would end the process.
          reject(error);
          return lose('the event could not be delivered');
        }
        if (ending !== undefined) return settle(ending);
        if (handled === undefined || socket.isPaused) return;
        socket.pause();
        void handled.then(() => socket.resume());
      };
      const onMessage = (text: string | undefined) => {
        if (text === undefined) return lose('the backend sent a binary message');
        const type = eventType(text);
        const isLast = isLastEvent(type);
        const id = isLast || type === 'response.created' ? responseId(text) : undefined;
        if (this.#responses.isOfEarlier(type, text, id)) return undefined;
        if (begun) timeout.refresh();
        else {
          begun = true;
          timeout.end();
          timeout = new Timeout(idle, fallSilent);
        }
        deliver(() => onEvent(type, text), isLast ? { kind: 'responded', type, text, id } : undefined);
      };
      const receiveDeltas =
        onDeltas &&
        ((deltas: Deltas) => {
          timeout.refresh();
          deliver(() => onDeltas(deltas));
        });
      this.#receiver = { onMessage, onDeltas: receiveDeltas, onClose, onError };
      if (signal.aborted) return abort();
      signal.addEventListener('abort', abort, { once: true });
      if (socket.readyState !== socket.OPEN) return onClose(1006);
      sendText(socket, this.#raw, parts, () => {
        // Until now it may have waited for the processor or the network, and the backend could not respond.
        if (!begun) timeout.refresh();
      });
    });
  }

  /** Ends the connection without a close message, as the official client does. */
  end(): void {
    this.#socket.terminate();
  }

  onEnd(listener: () => void): void {
    this.#socket.once('close', listener);
  }
}

/** The idle and busy connections of a session, least recently used first. Concurrent turns need one connection each. */
export class ConnectionPool {
  readonly #connections = new Set<UpstreamConnection>();
  /** Milliseconds after which a connection gets no new turn. */
  readonly #maximumAge: number;

  constructor(maximumAge: number) {
    this.#maximumAge = maximumAge;
  }

  /**
   * Returns a connection for another turn: the one with the previous response, else the most recently used one. Drops
   * connections that are too old or belong to another holder.
   */
  next(holder: string, previousResponseId: string | undefined): UpstreamConnection | undefined {
    const oldest = Date.now() - this.#maximumAge;
    for (const connection of this.#connections) {
      const fits = connection.openedAt > oldest && connection.holder === holder;
      if (!fits && connection.usable) this.drop(connection);
    }
    const usable = [...this.#connections].filter((connection) => connection.usable);
    const previous = usable.find(
      ({ lastResponseId }) => previousResponseId !== undefined && lastResponseId === previousResponseId,
    );
    return previous ?? usable.at(-1);
  }

  keep(connection: UpstreamConnection): void {
    if (!connection.usable) return;
    if (!this.#connections.delete(connection)) connection.onEnd(() => this.drop(connection));
    this.#connections.add(connection);
  }

  drop(connection: UpstreamConnection): void {
    connection.end();
    this.#connections.delete(connection);
  }

  end(): void {
    for (const connection of this.#connections) this.drop(connection);
  }
}
