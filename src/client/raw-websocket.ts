import { connect, type Socket } from 'node:net';
import { ParityError } from '../errors.ts';
import type { HeaderList } from '../wire/headers.ts';
import { type Http1Event, ResponseDecoder } from '../wire/http1.ts';
import type { ResponseHead, WebSocketMessage } from '../wire/message.ts';
import { WebSocketDecoder, WebSocketEncoder } from '../wire/websocket.ts';
import { negotiatedDeflate } from '../wire/websocket-deflate.ts';

/**
 * A websocket client that sends the very handshake it is given, header by header: what no websocket library does,
 * and what a replay is about.
 */
export class RawWebSocket {
  readonly #socket: Socket;
  readonly #responses = new ResponseDecoder();
  readonly #waiting: (() => void)[] = [];
  readonly #received: WebSocketMessage[] = [];
  #response: ResponseHead | undefined;
  #decoder: WebSocketDecoder | undefined;
  #encoder: WebSocketEncoder | undefined;
  #ended = false;

  constructor(host: string, port: number) {
    this.#socket = connect({ host, port, noDelay: true });
    this.#socket.on('data', (bytes) => {
      for (const event of this.#responses.push(bytes)) this.#take(event);
      this.#wake();
    });
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => {
      this.#ended = true;
      this.#wake();
    });
  }

  /** Sends the upgrade request; resolves to its response, or undefined when the connection ended without one. */
  async open(target: string, headers: HeaderList): Promise<ResponseHead | undefined> {
    this.#responses.expect({ method: 'GET', target, version: '1.1', headers });
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    this.#socket.write(`GET ${target} HTTP/1.1\r\n${lines}\r\n`, 'latin1');
    while (this.#response === undefined && !this.#ended) await this.#change();
    return this.#response;
  }

  send(payload: string): void {
    if (this.#encoder === undefined)
      throw new ParityError('internal', 'a message was sent before the upgrade');
    this.#socket.write(this.#encoder.encode('text', Buffer.from(payload, 'utf8')));
  }

  /** The next text message; undefined when the connection ended or the other side closed. Pings are answered. */
  async next(): Promise<string | undefined> {
    for (;;) {
      const message = this.#received.shift();
      if (message === undefined && this.#ended) return undefined;
      if (message === undefined) await this.#change();
      else if (message.opcode === 'text') return message.payload.toString('utf8');
      else if (message.opcode === 'close') return undefined;
      else if (message.opcode === 'ping' && this.#encoder !== undefined) {
        this.#socket.write(this.#encoder.encode('pong', message.payload));
      }
    }
  }

  /** Ends the connection as the official client does: without a close message. */
  destroy(): void {
    this.#socket.destroy();
  }

  #take(event: Http1Event<ResponseHead>): void {
    if (event.type === 'head') {
      this.#response = event.head;
      const deflate = negotiatedDeflate(event.head.headers);
      this.#decoder = new WebSocketDecoder('backend', deflate);
      this.#encoder = new WebSocketEncoder('client', deflate);
    }
    if (event.type === 'upgraded') {
      for (const found of this.#decoder?.push(event.bytes) ?? []) {
        if (found.type === 'message') this.#received.push(found.message);
      }
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
