import { createInflateRaw, type InflateRaw } from 'node:zlib';
import { masked } from '../../wire/websocket-frame.ts';
import type { MessagePart } from '../../wire/websocket-scanner.ts';

export type MessageCopyOptions = {
  /**
   * Called with the first bytes of each message, as many as `headLength` or all, as soon as they are read. Returns whether the
   * whole text is needed.
   */
  readonly onHead: (head: string) => boolean;
  /** Called at the end of each message. `text` is empty unless `onHead` returned true. */
  readonly onEnd: (text: string) => void;
  /** Called when a message has this many bytes without compression. */
  readonly tooLong: { readonly bytes: number; readonly report: () => void } | undefined;
};

const headLength = 64;
/** Bytes of a text that is needed. Prewarms and errors have fewer; the rest of others is not kept. */
const longestText = 1024 * 1024;

/** A sender removes these bytes from every compressed message (RFC 7692 §7.2.1). */
const flushTail = Buffer.of(0x00, 0x00, 0xff, 0xff);

/**
 * Reads the messages of one direction of a websocket from a copy of its bytes. What is compressed is decompressed in the
 * background, in one stream: whether a message may refer to earlier ones makes no difference to the receiver.
 */
export class MessageCopy {
  readonly #options: MessageCopyOptions;
  #inflater: InflateRaw | undefined;
  /** Compressed bytes that wait to be read. */
  #behind = 0;
  readonly #waiting: (() => void)[] = [];
  /** Whether the copy cannot be read any more. */
  #broken = false;
  #messages = 0;
  #length = 0;
  /** The first bytes of the message, as latin1. */
  #head = '';
  /** Undefined until `onHead` was called. */
  #keeps: boolean | undefined;
  #kept: Buffer[] = [];

  constructor(options: MessageCopyOptions) {
    this.#options = options;
  }

  /** Compressed bytes that wait to be read. */
  get behind(): number {
    return this.#behind;
  }

  /** How many messages have been read to their end. */
  get messages(): number {
    return this.#messages;
  }

  push(part: MessagePart): void {
    if (this.#broken) return;
    if (part.compressed) this.#inflate(part);
    else this.whenRead(() => this.#takePlain(part));
  }

  /** Calls back when everything so far was read: at once if nothing waits. */
  whenRead(callback: () => void): void {
    if (this.#behind === 0) callback();
    else this.#waiting.push(callback);
  }

  close(): void {
    this.#broken = true;
    this.#inflater?.close();
    this.#inflater = undefined;
    this.#release();
  }

  #inflate(part: MessagePart): void {
    const { ends } = part;
    const plain = part.mask === 0 ? part.chunk.subarray(part.start, part.end) : copyOf(part);
    const data = ends ? Buffer.concat([plain, flushTail]) : plain;
    this.#inflater ??= this.#createInflater();
    const inflater = this.#inflater;
    this.#behind += data.length;
    inflater.write(data, () => {
      if (this.#broken) return;
      while (inflater.readableLength > 0) inflater.read();
      if (ends) this.#end();
      this.#behind -= data.length;
      if (this.#behind === 0) this.#release();
    });
  }

  #createInflater(): InflateRaw {
    const inflater = createInflateRaw();
    inflater.on('data', (chunk: Buffer) => this.#take({ chunk, start: 0, end: chunk.length, mask: 0 }));
    // A sender may end the stream with a message (RFC 7692 §7.2.3.4). The next one begins another.
    inflater.on('end', () => {
      if (this.#inflater === inflater) this.#inflater = undefined;
    });
    // The receiver will refuse the message. Nothing can be read after it.
    inflater.on('error', () => this.close());
    return inflater;
  }

  #release(): void {
    this.#behind = 0;
    for (const callback of this.#waiting.splice(0)) callback();
  }

  #takePlain(part: MessagePart): void {
    if (this.#broken) return;
    this.#take(part);
    if (part.ends) this.#end();
  }

  /** Takes the next bytes of a message. Copies only what is needed: a request is long, and its type is at its start. */
  #take(payload: Payload): void {
    const length = payload.end - payload.start;
    let headBytes = 0;
    if (this.#keeps === undefined) {
      headBytes = Math.min(length, headLength - this.#head.length);
      this.#head += latin1Of(payload, headBytes);
      if (this.#head.length === headLength) this.#begin();
    }
    if (this.#keeps === true && this.#length < longestText) {
      this.#kept.push(copyOf(payload).subarray(headBytes));
    }
    const before = this.#length;
    this.#length += length;
    const { tooLong } = this.#options;
    if (tooLong !== undefined && before < tooLong.bytes && this.#length >= tooLong.bytes) tooLong.report();
  }

  #begin(): void {
    this.#keeps = this.#options.onHead(this.#head);
    if (this.#keeps) this.#kept = [Buffer.from(this.#head, 'latin1')];
  }

  #end(): void {
    if (this.#keeps === undefined) this.#begin();
    const text = this.#keeps === true ? Buffer.concat(this.#kept).toString('utf8') : '';
    this.#messages += 1;
    this.#length = 0;
    this.#head = '';
    this.#keeps = undefined;
    this.#kept = [];
    this.#options.onEnd(text);
  }
}

/** Bytes as a part of a message has them. */
type Payload = Pick<MessagePart, 'chunk' | 'start' | 'end' | 'mask'>;

/** Unmasked, and in memory of its own: that of a chunk may be read into again. */
function copyOf({ chunk, start, end, mask }: Payload): Buffer {
  const bytes = chunk.subarray(start, end);
  if (mask === 0) return Buffer.from(bytes);
  const key = Buffer.alloc(4);
  key.writeInt32BE(mask);
  return masked(bytes, key);
}

/** Where the start of a message is unmasked: a buffer for each would take more time than all else that is read of it. */
const unmaskedHead = Buffer.alloc(headLength);

/** The first `count` bytes, unmasked. */
function latin1Of({ chunk, start, mask }: Payload, count: number): string {
  for (let at = 0; at < count; at += 1) {
    unmaskedHead[at] = (chunk[start + at] ?? 0) ^ (mask >>> (24 - 8 * (at & 3)));
  }
  return unmaskedHead.toString('latin1', 0, count);
}
