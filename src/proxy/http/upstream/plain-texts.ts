import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

/**
 * Reads the texts of a backend before the library does: a response has thousands of short ones, and the library makes several
 * buffers and an event for each. Takes those that need nothing but to be cut out: texts of one frame that one chunk has
 * completely, on a websocket without compression. All other bytes are left to the library, and with them all that is not valid.
 *
 * @param websocket is open, has read nothing yet, and ends its connection at once when it closes
 * @param raw the socket below it, as the library has set it up
 * @param onText called for each text; the library emits all others as messages, in the same order
 */
export function readPlainTexts(websocket: WebSocket, raw: Duplex, onText: (text: string) => void): void {
  // What is decompressed comes later than what is not compressed.
  if (websocket.extensions !== '') return;
  const [toLibrary] = raw.listeners('data');
  if (toLibrary === undefined) return;
  raw.removeAllListeners('data');
  const reader = new PlainTextReader(onText, (bytes) => {
    // The library reads nothing after a close.
    if (websocket.readyState === websocket.OPEN) toLibrary.call(raw, bytes);
  });
  websocket.on('message', () => reader.confirm());
  raw.on('data', (chunk: Buffer) => reader.read(chunk));
}

class PlainTextReader {
  readonly #onText: (text: string) => void;
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

  constructor(onText: (text: string) => void, toLibrary: (bytes: Buffer) => void) {
    this.#onText = onText;
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
      const frame = frameAt(chunk, at);
      if (frame?.isPlainText === true && frame.end <= length && this.#isConfirmed) {
        const text = chunk.toString('utf8', frame.payloadAt, frame.end);
        // Stands for bytes that are not UTF-8, unless the backend has sent it. The library finds out.
        if (!text.includes('\ufffd')) {
          this.#onText(text);
          at = frame.end;
          continue;
        }
      }
      if (frame === undefined) this.#head = Buffer.from(chunk.subarray(at));
      this.#left = (frame?.end ?? length) - at;
      this.#isConfirmed = false;
    }
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
