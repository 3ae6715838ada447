import { connect, type Socket } from 'node:net';
import { ParityError } from '../../errors.ts';
import { type HeaderList, headerValue } from '../../wire/headers.ts';
import { type Http1Event, ResponseDecoder } from '../../wire/http1.ts';
import type { Opcode, ResponseHead, WebSocketMessage } from '../../wire/message.ts';
import { SseDecoder, type SseEvent } from '../../wire/sse.ts';
import { WebSocketDecoder, WebSocketEncoder } from '../../wire/websocket.ts';
import { negotiatedDeflate } from '../../wire/websocket-deflate.ts';

/** What a connection receives, in order. */
export type ReceivedEvent =
  | { readonly type: 'response'; readonly head: ResponseHead }
  /** A websocket message, except for ping (it gets its pong) and pong. */
  | { readonly type: 'message'; readonly message: WebSocketMessage }
  /** A server-sent event. */
  | { readonly type: 'event'; readonly data: string }
  /** The end of an HTTP body, complete or cut off. */
  | { readonly type: 'body' }
  /** The connection ended, or cannot be decoded any further. Every later call of `next` returns it again. */
  | { readonly type: 'end'; readonly undecodable?: string };

/** A request that is sent exactly so: no header is added. */
export type RawRequest = {
  readonly method: string;
  readonly target: string;
  readonly headers: HeaderList;
  readonly body: Buffer;
};

/**
 * A connection for one HTTP/1.1 request, which may upgrade to a websocket. It sends the headers exactly as given, which
 * HTTP libraries do not.
 */
export class RawConnection {
  readonly #socket: Socket;
  readonly #responses = new ResponseDecoder();
  /** Called when `next` may have an event. */
  #wake = () => {};
  readonly #received: ReceivedEvent[] = [];
  #end: ReceivedEvent | undefined;
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
      this.#end ??= { type: 'end' };
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
      throw new ParityError('internal', 'a websocket message before the upgrade');
    this.#socket.write(this.#webSocket.encoder.encode(opcode, payload));
  }

  /** Resolves with the next event. */
  async next(): Promise<ReceivedEvent> {
    for (;;) {
      const next = this.#received.shift() ?? this.#end;
      if (next !== undefined) return next;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Ends the connection without a close message, as the official client does. */
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
        // The decoder reports the end of a body for a 101 too, which has no body.
        if (this.#webSocket === undefined) this.#received.push({ type: 'body' });
        break;
      case 'upgraded':
        this.#messages(event.bytes);
        break;
      case 'undecodable':
        this.#end ??= { type: 'end', undecodable: event.reason };
        break;
      case 'interim':
        break;
    }
  }

  #head(head: ResponseHead): void {
    this.#received.push({ type: 'response', head });
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
    for (const { data } of events) this.#received.push({ type: 'event', data });
  }

  #messages(bytes: Buffer): void {
    for (const decoded of this.#webSocket?.decoder.push(bytes) ?? []) {
      if (decoded.type === 'undecodable') this.#end ??= { type: 'end', undecodable: decoded.reason };
      else if (decoded.message.opcode === 'ping') this.send('pong', decoded.message.payload);
      else if (decoded.message.opcode !== 'pong')
        this.#received.push({ type: 'message', message: decoded.message });
    }
  }
}
