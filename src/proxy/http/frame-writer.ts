import type { Duplex } from 'node:stream';
import { encodeMessages } from '../../wire/websocket-frame.ts';

/** Above this many bytes waiting to be sent, no more is asked for. */
const highWater = 1024 * 1024;

/**
 * Writes the proxy's messages to the socket under a client's websocket, those of one tick in one piece: an answer has
 * thousands of short ones, and the library would make frames, writes and callbacks for each. They are not compressed,
 * as nothing is on these websockets. What the library itself sends, such as a close, comes behind what was flushed.
 */
export class FrameWriter {
  readonly #socket: Duplex;
  #waiting: { readonly opcode: 'text' | 'binary'; readonly payload: Buffer }[] = [];
  /** Bytes of what is waiting, without its frames. */
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
    if (this.#socket.writable) this.#socket.write(encodeMessages(messages));
  }

  /** Whether the client takes less than it is sent. */
  get full(): boolean {
    return this.#socket.writableLength + this.#length >= highWater;
  }

  /** Resolves once all is sent, or nobody is there any more. */
  drained(): Promise<void> {
    this.flush();
    return new Promise((resolve) => {
      const go = () => {
        this.#socket.off('drain', go).off('close', go);
        resolve();
      };
      this.#socket.on('drain', go).on('close', go);
      if (!this.#socket.writableNeedDrain) go();
    });
  }
}
