import { isUtf8 } from 'node:buffer';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { encodeFrames } from '../../../wire/websocket-frame.ts';

/** Successive texts, as valid UTF-8 in one piece of memory. Between them are only spaces. */
export type PlainTexts = {
  readonly bytes: Buffer;
  readonly starts: readonly number[];
  readonly ends: readonly number[];
};

/**
 * Reads the texts of a backend before the library does: a response has thousands of short ones, and the library makes several
 * buffers and an event for each. Takes those that need nothing but to be cut out: texts of one frame that one chunk has
 * completely, on a websocket without compression. All other bytes are left to the library, and with them all that is not valid.
 *
 * @param websocket is open, has read nothing yet, and ends its connection at once when it closes
 * @param raw the socket below it, as the library has set it up
 * @param onTexts called for the texts of a chunk, whose memory they keep; the library emits all others as messages, in the same
 *   order
 */
export function readPlainTexts(
  websocket: WebSocket,
  raw: Duplex,
  onTexts: (texts: PlainTexts) => void,
): void {
  // What is decompressed comes later than what is not compressed.
  if (websocket.extensions !== '') return;
  const [toLibrary] = raw.listeners('data');
  if (toLibrary === undefined) return;
  raw.removeAllListeners('data');
  const reader = new PlainTextReader(onTexts, (bytes) => {
    // The library reads nothing after a close.
    if (websocket.readyState === websocket.OPEN) toLibrary.call(raw, bytes);
  });
  websocket.on('message', () => reader.confirm());
  raw.on('data', (chunk: Buffer) => reader.read(chunk));
}

class PlainTextReader {
  readonly #onTexts: (texts: PlainTexts) => void;
  readonly #toLibrary: (bytes: Buffer) => void;
  /** Bytes of the library's current frame that are still to come. */
  #left = 0;
  /** The beginning of a header whose end is still to come. The library has it already. */
  #head: Buffer = noBytes;
  /**
   * Whether the library has emitted a message for the last frame that was left to it. It reports what is not valid only later, and
   * then no text must be taken. Nor within a message of several frames.
   */
  #isConfirmed = true;

  constructor(onTexts: (texts: PlainTexts) => void, toLibrary: (bytes: Buffer) => void) {
    this.#onTexts = onTexts;
    this.#toLibrary = toLibrary;
  }

  confirm(): void {
    this.#isConfirmed = true;
  }

  read(chunk: Buffer): void {
    const { length } = chunk;
    if (this.#head.length > 0) this.#continueHead(chunk);
    for (let at = 0; at < length; ) {
      if (this.#left > 0) {
        const end = Math.min(length, at + this.#left);
        this.#left -= end - at;
        this.#toLibrary(chunk.subarray(at, end));
        at = end;
        continue;
      }
      if (this.#isConfirmed) at = this.#takeTexts(chunk, at);
      if (at === length) return;
      const frame = frameAt(chunk, at);
      if (frame === undefined) this.#head = Buffer.from(chunk.subarray(at));
      this.#left = (frame?.end ?? length) - at;
      this.#isConfirmed = false;
    }
  }

  /** Takes the texts that begin at `start`. Returns where they end. Overwrites their headers, so that all are checked at once. */
  #takeTexts(chunk: Buffer, start: number): number {
    const starts: number[] = [];
    const ends: number[] = [];
    let at = start;
    for (;;) {
      const frame = frameAt(chunk, at);
      if (frame?.isPlainText !== true || frame.end > chunk.length) break;
      for (; at < frame.payloadAt; at += 1) chunk[at] = space;
      starts.push(frame.payloadAt);
      at = frame.end;
      ends.push(at);
    }
    if (isUtf8(chunk.subarray(start, at))) {
      if (at > start) this.#onTexts({ bytes: chunk, starts, ends });
      return at;
    }
    // The library ends the connection at the first one that is not UTF-8.
    const payloads = starts.map((payloadAt, n) => chunk.subarray(payloadAt, ends[n]));
    const valid = payloads.findIndex((payload) => !isUtf8(payload));
    this.#onTexts({ bytes: chunk, starts: starts.slice(0, valid), ends: ends.slice(0, valid) });
    this.#isConfirmed = false;
    this.#toLibrary(encodeFrames(payloads.slice(valid).map((payload) => ({ opcode: 'text', payload }))));
    return at;
  }

  /** Reads on in a header. Until its end is known, the library has all bytes. */
  #continueHead(chunk: Buffer): void {
    const head = Buffer.concat([this.#head, chunk.subarray(0, longestHeader)]);
    const end = frameAt(head, 0)?.end;
    this.#left = end === undefined ? chunk.length : end - this.#head.length;
    this.#head = end === undefined ? head : noBytes;
  }
}

const noBytes: Buffer = Buffer.alloc(0);

const space = 0x20;

/** The longest header of a frame without a mask, in bytes. */
const longestHeader = 10;

/** The first byte of a text of one frame without an extension (RFC 6455 §5.2). */
const wholeText = 0x81;

type Frame = { readonly isPlainText: boolean; readonly payloadAt: number; readonly end: number };

/** Returns undefined if the header is not complete. At a frame with a mask, the library will end the connection. */
function frameAt(bytes: Buffer, at: number): Frame | undefined {
  const left = bytes.length - at;
  if (left < 2) return undefined;
  const second = bytes[at + 1] ?? 0;
  const isPlainText = bytes[at] === wholeText && second < 0x80;
  if (second !== 126 && second !== 127) {
    const payloadAt = at + 2;
    return { isPlainText, payloadAt, end: payloadAt + (second & 0x7f) };
  }
  const payloadAt = at + (second === 126 ? 4 : longestHeader);
  if (payloadAt > bytes.length) return undefined;
  const size = second === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
  return { isPlainText, payloadAt, end: payloadAt + size };
}
