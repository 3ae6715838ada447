import { UndecodableError } from './undecodable.ts';

/** What the client of an HTTP/2 connection sends first (RFC 9113, section 3.4). */
export const http2Preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** Whether a client begins with HTTP/2; undefined if it is too early to say. No request of HTTP/1.1 begins with PRI. */
export function beginsHttp2(bytes: Buffer): boolean | undefined {
  const [start, expected] = [bytes.subarray(0, 3), http2Preface.subarray(0, 3)];
  if (!start.equals(expected.subarray(0, start.length))) return false;
  return start.length === expected.length ? true : undefined;
}

/** The types of frames (RFC 9113, section 6). Frames of other types must be ignored (section 4.1). */
export const frameTypes = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

/** One frame. `payload` is without padding. */
export type Http2Frame = {
  /** One of `frameTypes`, or a number that RFC 9113 does not know. */
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
  /** The whole frame as it was sent. */
  readonly bytes: Buffer;
};

export const frameFlags = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

const headLength = 9;

/** The bytes of a frame. */
export function encodeFrame(
  type: keyof typeof frameTypes,
  payload: Buffer = Buffer.alloc(0),
  { flags = 0, stream = 0 }: { readonly flags?: number; readonly stream?: number } = {},
): Buffer {
  const head = Buffer.alloc(headLength);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(frameTypes[type], 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** The payload of a frame that holds one number of 32 bits. */
export function numberPayload(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** The longest frame that a receiver allows unless it says otherwise (RFC 9113, section 6.5.2). */
export const initialFrameSize = 16 * 1024;

/** Splits one direction of an HTTP/2 connection into frames, from chunks of any size. The client's preface comes before the first frame. */
export class Http2FrameDecoder {
  #chunks: Buffer[] = [];
  #length = 0;
  /** How many bytes the next step needs. */
  #needed: number = headLength;
  #largest = initialFrameSize;

  /** Call with the frame size that the receiver announces in its SETTINGS. */
  allow(size: number): void {
    this.#largest = Math.max(this.#largest, size);
  }

  push(bytes: Buffer): void {
    this.#chunks.push(bytes);
    this.#length += bytes.length;
  }

  /** Whether the bytes end within a frame. */
  get insideFrame(): boolean {
    return this.#length > 0;
  }

  /** The next whole frame; null until more bytes arrive. Throws UndecodableError. */
  next(): Http2Frame | null {
    if (this.#length < this.#needed) return null;
    const pending = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks);
    if (pending === undefined) return null;
    this.#chunks = [pending];
    const length = pending.readUIntBE(0, 3);
    if (length > this.#largest) throw new UndecodableError('an HTTP/2 frame longer than allowed');
    this.#needed = headLength + length;
    if (this.#length < this.#needed) return null;
    this.#chunks = this.#length === this.#needed ? [] : [pending.subarray(this.#needed)];
    this.#length -= this.#needed;
    const [type = 0, flags = 0] = pending.subarray(3, 5);
    const stream = pending.readUInt32BE(5) & 0x7fff_ffff;
    const bytes = pending.subarray(0, this.#needed);
    this.#needed = headLength;
    return { type, flags, stream, payload: unpadded(type, flags, bytes.subarray(headLength)), bytes };
  }
}

/** DATA, HEADERS and PUSH_PROMISE may be padded. */
function unpadded(type: number, flags: number, payload: Buffer): Buffer {
  const mayPad = type === frameTypes.DATA || type === frameTypes.HEADERS || type === frameTypes.PUSH_PROMISE;
  if (!mayPad || (flags & frameFlags.padded) === 0) return payload;
  const [padding = 0] = payload;
  if (padding >= payload.length) throw new UndecodableError('an HTTP/2 frame with more padding than content');
  return payload.subarray(1, payload.length - padding);
}
