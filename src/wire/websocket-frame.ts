import { randomFillSync } from 'node:crypto';
import type { Opcode } from './message.ts';
import { UndecodableError } from './undecodable.ts';

/** The opcodes of RFC 6455 §11.8. A continuation carries the next fragment of a message. */
type FrameOpcode = Opcode | 'continuation';

/** One frame, or a piece of a long one, unmasked but not decompressed. */
export type Frame = {
  readonly fin: boolean;
  readonly rsv1: boolean;
  readonly opcode: FrameOpcode;
  readonly payload: Buffer;
  /** Whether the frame begins with this piece, and whether it ends with it. */
  readonly begins: boolean;
  readonly ends: boolean;
};

const opcodes: ReadonlyMap<number, FrameOpcode> = new Map([
  [0x0, 'continuation'],
  [0x1, 'text'],
  [0x2, 'binary'],
  [0x8, 'close'],
  [0x9, 'ping'],
  [0xa, 'pong'],
]);
const opcodeNumbers = new Map([...opcodes].map(([number, opcode]) => [opcode, number]));

/** Longer frames are passed on in pieces. A multiple of four, so that each piece begins with the first byte of the mask. */
const pieceLength = 1024 * 1024;

type FrameHeader = Pick<Frame, 'fin' | 'rsv1' | 'opcode'> & {
  readonly length: number;
  readonly mask: Buffer | null;
};

/** Splits one direction of a websocket connection into frames (RFC 6455 §5.2), for any chunking. */
export class FrameDecoder {
  readonly #queue = new ByteQueue();
  #header: FrameHeader | null = null;
  /** How much of the payload has been taken. */
  #taken = 0;

  push(bytes: Buffer): void {
    this.#queue.push(bytes);
  }

  /** True in the middle of a frame. */
  get insideFrame(): boolean {
    return this.#header !== null || this.#queue.length > 0;
  }

  /** The next frame or piece, or null when it needs more bytes. Throws UndecodableError. */
  next(): Frame | null {
    this.#header ??= this.#takeHeader();
    if (this.#header === null) return null;
    const { fin, rsv1, opcode, length, mask } = this.#header;
    const size = Math.min(length - this.#taken, pieceLength);
    if (this.#queue.length < size) return null;
    const payload = this.#queue.take(size);
    const begins = this.#taken === 0;
    this.#taken += size;
    const ends = this.#taken === length;
    if (ends) {
      this.#header = null;
      this.#taken = 0;
    }
    return { fin, rsv1, opcode, payload: mask === null ? payload : masked(payload, mask), begins, ends };
  }

  #takeHeader(): FrameHeader | null {
    if (this.#queue.length < 2) return null;
    const start = this.#queue.peek(2).readUInt16BE();
    const shortLength = start & 0x7f;
    const lengthBytes = shortLength === 127 ? 8 : shortLength === 126 ? 2 : 0;
    const maskBytes = start & 0x80 ? 4 : 0;
    if (this.#queue.length < 2 + lengthBytes + maskBytes) return null;

    const opcode = opcodes.get((start >> 8) & 0x0f);
    if (opcode === undefined) throw new UndecodableError('a websocket frame with an unknown opcode');
    if (start & 0x3000) throw new UndecodableError('a websocket frame with RSV2 or RSV3 set');
    this.#queue.take(2);
    const extended = this.#queue.take(lengthBytes);
    const length = lengthBytes === 0 ? shortLength : Number(BigInt(`0x${extended.toString('hex')}`));
    // Such a length was misread (RFC 6455 §5.2 allows 63 bits).
    if (!Number.isSafeInteger(length)) throw new UndecodableError('a websocket frame longer than 2^53 bytes');
    const mask = maskBytes === 0 ? null : this.#queue.take(maskBytes);
    return { fin: (start & 0x8000) !== 0, rsv1: (start & 0x4000) !== 0, opcode, length, mask };
  }
}

/** A frame to encode. `mask` is the four bytes of the key: required for a client, forbidden for a server. */
type FrameToEncode = {
  readonly opcode: FrameOpcode;
  readonly payload: Buffer;
  readonly mask?: Buffer | undefined;
  /** Default: true. */
  readonly fin?: boolean;
  readonly rsv1?: boolean;
};

/** Encodes one frame with the shortest length form that fits (RFC 6455 §5.2). */
export function encodeFrame(frame: FrameToEncode): Buffer {
  return encodeFrames([frame]);
}

/** Encodes frames into one buffer, each as encodeFrame does. */
export function encodeFrames(frames: readonly FrameToEncode[]): Buffer {
  let length = 0;
  for (const { payload, mask } of frames)
    length += headerLength(payload.length) + (mask?.length ?? 0) + payload.length;
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  for (const { opcode, payload, mask, fin = true, rsv1 = false } of frames) {
    const first = (fin ? 0x80 : 0) | (rsv1 ? 0x40 : 0) | (opcodeNumbers.get(opcode) ?? 0);
    at = writeHeader(bytes, at, first, mask === undefined ? 0 : 0x80, payload.length);
    if (mask !== undefined) at += mask.copy(bytes, at);
    at += (mask === undefined ? payload : masked(payload, mask)).copy(bytes, at);
  }
  return bytes;
}

/** Random bytes for masks. To get many at once takes hardly longer than to get four. */
const random = Buffer.alloc(4096);
let randomUsed = random.length;

/** A fresh masking key. It must be unpredictable (RFC 6455 §5.3). */
export function newMask(): Buffer {
  if (randomUsed === random.length) {
    randomFillSync(random);
    randomUsed = 0;
  }
  randomUsed += 4;
  return Buffer.from(random.subarray(randomUsed - 4, randomUsed));
}

/** The length of a frame header without the mask, in bytes. */
function headerLength(payloadLength: number): number {
  return payloadLength < 126 ? 2 : payloadLength < 0x10000 ? 4 : 10;
}

/** Returns the offset after the header. */
function writeHeader(frame: Buffer, at: number, first: number, maskBit: number, length: number): number {
  frame.writeUInt8(first, at);
  if (length < 126) return frame.writeUInt8(maskBit | length, at + 1);
  if (length < 0x10000) return frame.writeUInt16BE(length, frame.writeUInt8(maskBit | 126, at + 1));
  return frame.writeBigUInt64BE(BigInt(length), frame.writeUInt8(maskBit | 127, at + 1));
}

/** Masks or unmasks into new memory, because the bytes are still being forwarded. */
export function masked(payload: Buffer, mask: Buffer): Buffer {
  const result = Buffer.allocUnsafeSlow(payload.length);
  payload.copy(result);
  maskInPlace(result, mask);
  return result;
}

/** A mask twice, as bytes and as the word of eight bytes. */
const maskTwice = new Uint8Array(8);
const maskWord = new BigUint64Array(maskTwice.buffer);

/** Masks or unmasks bytes that begin at a multiple of eight in their memory: eight at a time, because messages are large. */
function maskInPlace(bytes: Buffer, mask: Buffer): void {
  maskTwice.set(mask);
  maskTwice.set(mask, 4);
  const [word = 0n] = maskWord;
  const words = new BigUint64Array(bytes.buffer, bytes.byteOffset, bytes.length >> 3);
  // V8 would read the length anew for each word.
  const { length } = words;
  for (let at = 0; at < length; at += 1) words[at] = (words[at] ?? 0n) ^ word;
  for (let at = length * 8; at < bytes.length; at += 1) bytes[at] = (bytes[at] ?? 0) ^ (mask[at & 3] ?? 0);
}

/** The bytes before the payload that `frameInPlace` needs: a multiple of eight with room for any header. */
export const frameMargin = 16;

/**
 * Makes a masked frame of a text that is in memory from `frameMargin` on, and has `length` bytes. Returns the frame, in the same
 * memory.
 */
export function frameInPlace(bytes: Buffer, length: number): Buffer {
  const mask = newMask();
  const end = frameMargin + length;
  maskInPlace(bytes.subarray(frameMargin, end), mask);
  const start = frameMargin - mask.length - headerLength(length);
  mask.copy(bytes, writeHeader(bytes, start, 0x81, 0x80, length));
  return bytes.subarray(start, end);
}

/** A queue of bytes to decode. Joins chunks only when a value spans them, so a long payload is copied once. */
class ByteQueue {
  #chunks: Buffer[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#chunks.push(bytes);
    this.#length += bytes.length;
  }

  /**
   * The first `count` bytes, which stay in the queue. Throws RangeError when there are fewer. May share pushed memory.
   */
  peek(count: number): Buffer {
    const first = this.#chunks[0];
    if (first !== undefined && first.length >= count) return first.subarray(0, count);
    if (count > this.#length)
      throw new RangeError(`requested ${count} bytes, but the queue holds ${this.#length}`);
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined.subarray(0, count);
  }

  /** Removes and returns the first `count` bytes, like peek. */
  take(count: number): Buffer {
    const taken = this.peek(count);
    if (count === 0) return taken;
    const [first, ...others] = this.#chunks;
    const left = first?.subarray(count);
    this.#chunks = left === undefined || left.length === 0 ? others : [left, ...others];
    this.#length -= count;
    return taken;
  }
}
