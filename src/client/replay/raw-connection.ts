import { connect, type Socket } from 'node:net';
import { ParityError } from '../../errors.ts';
import { type HeaderList, headerValue } from '../../wire/headers.ts';
import { type Http1Event, ResponseDecoder } from '../../wire/http1.ts';
import type { Opcode, ResponseHead, WebSocketMessage } from '../../wire/message.ts';
import { SseDecoder, type SseEvent } from '../../wire/sse.ts';
import { WebSocketDecoder, WebSocketEncoder } from '../../wire/websocket.ts';
import { negotiatedDeflate } from '../../wire/websocket-deflate.ts';

/** What the other side says, one thing after the other. */
export type ReceivedEvent =
  | { readonly type: 'response'; readonly head: ResponseHead }
  /** A websocket message; pings are answered and not told, nor are pongs. */
  | { readonly type: 'message'; readonly message: WebSocketMessage }
  /** One event of a body of server-sent events. */
  | { readonly type: 'event'; readonly data: string }
  /** The end of an HTTP body, whole or cut off. */
  | { readonly type: 'body' }
  /** It is over: the connection ended, or came to bytes that nobody understands. Said again as often as it is asked. */
  | { readonly type: 'end'; readonly undecodable?: string };

/** A request, exactly as it is to be written: nothing is added to its headers. */
export type RawRequest = {
  readonly method: string;
  readonly target: string;
  readonly headers: HeaderList;
  readonly body: Buffer;
};

/**
 * A connection for one HTTP/1.1 request, which may become a websocket, that sends the very headers it is given: what
 * no library does, and what a replay is about.
 */
export class RawConnection {
  readonly #socket: Socket;
  readonly #responses = new ResponseDecoder();
  readonly #waiting: (() => void)[] = [];
  readonly #heard: ReceivedEvent[] = [];
  #over: ReceivedEvent | undefined;
  #finished = false;
  #events: SseDecoder | undefined;
  #webSocket: { readonly decoder: WebSocketDecoder; readonly encoder: WebSocketEncoder } | undefined;

  constructor(host: string, port: number) {
    this.#socket = connect({ host, port, noDelay: true });
    this.#socket.on('data', (bytes) => this.#take(this.#responses.push(bytes)));
    this.#socket.on('error', () => {});
    this.#socket.on('end', () => {
      this.#finished = true;
    });
    this.#socket.on('close', () => {
      this.#take(this.#responses.end(this.#finished ? 'finished' : 'cut'));
      this.#over ??= { type: 'end' };
      this.#wake();
    });
  }

  request({ method, target, headers, body }: RawRequest): void {
    this.#responses.expect({ method, target, version: '1.1', headers });
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    const head = Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines}\r\n`, 'latin1');
    this.#socket.write(Buffer.concat([head, body]));
  }

  /** Sends a websocket message in one frame. */
  send(opcode: Opcode, payload: Buffer): void {
    if (this.#webSocket === undefined)
      throw new ParityError('internal', 'a message was sent before the upgrade');
    this.#socket.write(this.#webSocket.encoder.encode(opcode, payload));
  }

  async next(): Promise<ReceivedEvent> {
    for (;;) {
      const next = this.#heard.shift() ?? this.#over;
      if (next !== undefined) return next;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Ends the connection as the official client does: without a close message. */
  destroy(): void {
    this.#socket.destroy();
  }

  #take(events: readonly Http1Event<ResponseHead>[]): void {
    for (const event of events) this.#event(event);
    this.#wake();
  }

  #event(event: Http1Event<ResponseHead>): void {
    switch (event.type) {
      case 'head':
        this.#head(event.head);
        break;
      case 'data':
        this.#serverSent(this.#events?.push(event.bytes) ?? []);
        break;
      case 'end':
        this.#serverSent(this.#events?.end() ?? []);
        // The decoder ends the body of a 101 too, which has none.
        if (this.#webSocket === undefined) this.#heard.push({ type: 'body' });
        break;
      case 'upgraded':
        this.#messages(event.bytes);
        break;
      case 'undecodable':
        this.#over ??= { type: 'end', undecodable: event.reason };
        break;
      case 'interim':
        break;
    }
  }

  #head(head: ResponseHead): void {
    this.#heard.push({ type: 'response', head });
    if (head.status === 101) {
      const deflate = negotiatedDeflate(head.headers);
      this.#webSocket = {
        decoder: new WebSocketDecoder('backend', deflate),
        encoder: new WebSocketEncoder('client', deflate),
      };
    } else if (headerValue(head.headers, 'content-type')?.startsWith('text/event-stream')) {
      this.#events = new SseDecoder();
    }
  }

  #serverSent(events: readonly SseEvent[]): void {
    for (const { data } of events) this.#heard.push({ type: 'event', data });
  }

  #messages(bytes: Buffer): void {
    for (const found of this.#webSocket?.decoder.push(bytes) ?? []) {
      if (found.type === 'undecodable') this.#over ??= { type: 'end', undecodable: found.reason };
      else if (found.message.opcode === 'ping') this.send('pong', found.message.payload);
      else if (found.message.opcode !== 'pong') this.#heard.push({ type: 'message', message: found.message });
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
