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
const noBytes = Buffer.alloc(0);
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
  #head: Buffer = noBytes;
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

  #inflate({ bytes, mask, ends }: MessagePart): void {
    const plain = mask === undefined ? bytes : masked(bytes, mask);
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
    inflater.on('data', (bytes: Buffer) => this.#take(bytes));
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

  #takePlain({ bytes, mask, ends }: MessagePart): void {
    if (this.#broken) return;
    this.#take(bytes, mask);
    if (ends) this.#end();
  }

  /** Takes the next bytes of a message. Unmasks only what is needed: a request is long, and its type is at its start. */
  #take(bytes: Buffer, mask?: Buffer): void {
    let headBytes = 0;
    if (this.#keeps === undefined) {
      const start = unmasked(bytes.subarray(0, headLength - this.#head.length), mask);
      headBytes = start.length;
      this.#kept.push(start);
      this.#head = Buffer.concat([this.#head, start]);
      if (this.#head.length === headLength) this.#begin();
    }
    if (this.#keeps === true && this.#length < longestText) {
      this.#kept.push(unmasked(bytes, mask).subarray(headBytes));
    }
    const before = this.#length;
    this.#length += bytes.length;
    const { tooLong } = this.#options;
    if (tooLong !== undefined && before < tooLong.bytes && this.#length >= tooLong.bytes) tooLong.report();
  }

  #begin(): void {
    this.#keeps = this.#options.onHead(this.#head.toString('latin1'));
    if (!this.#keeps) this.#kept = [];
  }

  #end(): void {
    if (this.#keeps === undefined) this.#begin();
    const text = this.#keeps === true ? Buffer.concat(this.#kept).toString('utf8') : '';
    this.#messages += 1;
    this.#length = 0;
    this.#head = noBytes;
    this.#keeps = undefined;
    this.#kept = [];
    this.#options.onEnd(text);
  }
}

/** A copy: the memory of a chunk may be read into again. */
function unmasked(bytes: Buffer, mask: Buffer | undefined): Buffer {
  return mask === undefined ? Buffer.from(bytes) : masked(bytes, mask);
}
