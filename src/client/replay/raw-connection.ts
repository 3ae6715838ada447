import { connect, type Socket } from 'node:net';
import { ParityError } from '../../errors.ts';
import { type Http1Event, ResponseDecoder } from '../../wire/http1.ts';
import type { Opcode, ResponseHead } from '../../wire/message.ts';
import { WebSocketDecoder, WebSocketEncoder } from '../../wire/websocket.ts';
import { negotiatedDeflate } from '../../wire/websocket-deflate.ts';
import { type RawRequest, type ReceivedEvent, ReceivedEvents } from './received-events.ts';

/**
 * A connection for one HTTP/1.1 request, which may upgrade to a websocket. It sends the headers exactly as given, which
 * HTTP libraries do not.
 */
export class RawConnection {
  readonly #socket: Socket;
  readonly #responses = new ResponseDecoder();
  readonly #received = new ReceivedEvents();
  #finished = false;
  #webSocket: { readonly decoder: WebSocketDecoder; readonly encoder: WebSocketEncoder } | undefined;

  constructor(host: string, port: number) {
    this.#socket = connect({ host, port, noDelay: true });
    this.#socket.on('data', (bytes) => this.#onEvents(this.#responses.push(bytes)));
    this.#socket.on('error', () => {});
    this.#socket.on('end', () => {
      this.#finished = true;
    });
    this.#socket.on('close', () => {
      this.#onEvents(this.#responses.end(this.#finished ? 'finished' : 'cut'));
      this.#received.end();
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
  next(): Promise<ReceivedEvent> {
    return this.#received.next();
  }

  /** Ends the connection without a close message, as the official client does. */
  destroy(): void {
    this.#socket.destroy();
  }

  #onEvents(events: readonly Http1Event<ResponseHead>[]): void {
    for (const event of events) this.#onEvent(event);
  }

  #onEvent(event: Http1Event<ResponseHead>): void {
    switch (event.type) {
      case 'head':
        this.#onHead(event.head);
        break;
      case 'data':
        this.#received.content(event.bytes);
        break;
      case 'end':
        // The decoder reports the end of a body for a 101 too, which has no body.
        if (this.#webSocket === undefined) this.#received.push({ type: 'body' });
        break;
      case 'upgraded':
        this.#onMessageBytes(event.bytes);
        break;
      case 'undecodable':
        this.#received.end(event.reason);
        break;
      case 'interim':
        break;
    }
  }

  #onHead(head: ResponseHead): void {
    this.#received.head(head);
    if (head.status !== 101) return;
    const deflate = negotiatedDeflate(head.headers);
    this.#webSocket = {
      decoder: new WebSocketDecoder('backend', deflate),
      encoder: new WebSocketEncoder('client', deflate),
    };
  }

  #onMessageBytes(bytes: Buffer): void {
    for (const decoded of this.#webSocket?.decoder.push(bytes) ?? []) {
      if (decoded.type === 'undecodable') {
        this.#received.end(decoded.reason);
        continue;
      }
      const { opcode, payload } = decoded.message;
      if (opcode === 'ping' && Buffer.isBuffer(payload)) this.send('pong', payload);
      else if (opcode !== 'pong') this.#received.push({ type: 'message', message: decoded.message });
    }
  }
}
