import type { Duplex, Writable } from 'node:stream';
import type { RawData } from 'ws';
import { encodeFrames } from '../../wire/websocket-frame.ts';

/** While more bytes than this wait to be sent, the writer is full. */
const highWater = 1024 * 1024;

/**
 * Writes messages to the socket below a client's websocket, all messages of one tick in one write. A response has
 * thousands of short events, and `ws` would make frames, writes and callbacks for each. Nothing is compressed on these
 * websockets. Call `flush` before `ws` itself sends anything, such as a close.
 */
export class FrameWriter {
  readonly #socket: Duplex;
  #waiting: { readonly opcode: 'text' | 'binary'; readonly payload: Buffer }[] = [];
  /** Bytes of the waiting payloads. */
  #length = 0;

  constructor(socket: Duplex) {
    this.#socket = socket;
  }

  send(opcode: 'text' | 'binary', payload: Buffer): void {
    if (this.#waiting.length === 0) process.nextTick(() => this.flush());
    this.#waiting.push({ opcode, payload });
    this.#length += payload.length;
  }

  flush(): void {
    if (this.#waiting.length === 0) return;
    const messages = this.#waiting;
    this.#waiting = [];
    this.#length = 0;
    if (this.#socket.writable) this.#socket.write(encodeFrames(messages));
  }

  /** Whether the client reads more slowly than messages are sent. */
  get full(): boolean {
    return this.#socket.writableLength + this.#length >= highWater;
  }

  /** Resolves when everything is sent, or the socket has closed. */
  drained(): Promise<void> {
    this.flush();
    return hasRoom(this.#socket);
  }
}

/** Resolves when a stream takes more data, or has closed. */
export function hasRoom(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done).off('close', done);
      resolve();
    };
    stream.on('drain', done).on('close', done);
    if (!stream.writableNeedDrain) done();
  });
}

/** The bytes of a websocket message, in whichever form `ws` returns it. */
export function toBuffer(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}
