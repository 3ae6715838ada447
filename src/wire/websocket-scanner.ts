import type { Opcode, Side } from './message.ts';
import { UndecodableError } from './undecodable.ts';
import { masked } from './websocket-frame.ts';

/** A part of a text or binary message: a frame, or as much of it as a chunk has. */
export type MessagePart = {
  readonly opcode: 'text' | 'binary';
  readonly compressed: boolean;
  /** Whether the message begins with this part, and whether it ends with it. */
  readonly begins: boolean;
  readonly ends: boolean;
  /** Its bytes are those of `chunk` from `start` to `end`, as on the wire. The chunk is valid during the call only. */
  readonly chunk: Buffer;
  readonly start: number;
  readonly end: number;
  /** The mask of the first byte and the following three, as a big-endian number; 0 for frames of a backend. */
  readonly mask: number;
};

/** A close, ping or pong, and where its frame lies in the chunk. */
export type ControlFrame = {
  readonly opcode: Exclude<Opcode, 'text' | 'binary'>;
  /** Unmasked. */
  readonly payload: Buffer;
  readonly start: number;
  readonly end: number;
};

export type ScannerOptions = {
  readonly from: Side;
  /** Whether permessage-deflate was negotiated. */
  readonly deflate: boolean;
  readonly onPart: (part: MessagePart) => void;
  readonly onControl: (frame: ControlFrame) => void;
  /**
   * Whether an uncompressed text message at `start` of a chunk is of no interest, so that no part is reported. Only for
   * messages of one frame that the chunk has completely.
   */
  readonly skips?: (chunk: Buffer, start: number, length: number) => boolean;
};

const controlOpcodes: ReadonlyMap<number, ControlFrame['opcode']> = new Map([
  [0x8, 'close'],
  [0x9, 'ping'],
  [0xa, 'pong'],
]);
/** Longer payloads of control frames are not allowed (RFC 6455 §5.5). */
const longestControl = 125;

/**
 * Finds the frames in one direction of a websocket connection (RFC 6455 §5.2) while its bytes are passed on as they are. It
 * copies nothing and keeps nothing of what it has seen. What an endpoint must reject is an error.
 */
export class FrameScanner {
  readonly #options: ScannerOptions;
  /** Bytes of the current data frame that have not been seen. */
  #left = 0;
  /** How much of its payload has been seen. */
  #seen = 0;
  #fin = true;
  /** The mask of the current data frame. */
  #mask = 0;
  /** The message that the current or next data frame belongs to, if it has begun. */
  #message: { opcode: 'text' | 'binary'; compressed: boolean; begins: boolean } | undefined;
  #messages = 0;

  constructor(options: ScannerOptions) {
    this.#options = options;
  }

  /** Whether the bytes seen so far end with a frame. */
  get betweenFrames(): boolean {
    return this.#left === 0;
  }

  /** Whether they end with a message. */
  get betweenMessages(): boolean {
    return this.#left === 0 && this.#message === undefined;
  }

  /** How many messages have begun. */
  get messages(): number {
    return this.#messages;
  }

  /**
   * Scans the next bytes. Returns how many of them are understood: all, or all up to a frame whose header, or whose payload if
   * it is a control frame, is incomplete. Put the others, at most 139, before the next bytes. Throws UndecodableError.
   */
  scan(chunk: Buffer): number {
    const { length } = chunk;
    let at = 0;
    while (at < length) {
      if (this.#left > 0) {
        at = this.#takePayload(chunk, at);
        continue;
      }
      if (length - at < 2) return at;
      const first = chunk[at] ?? 0;
      const second = chunk[at + 1] ?? 0;
      const short = second & 0x7f;
      const payloadAt = at + (short < 126 ? 2 : short === 126 ? 4 : 10) + (second & 0x80 ? 4 : 0);
      if (payloadAt > length) return at;
      const size =
        short < 126
          ? short
          : short === 126
            ? chunk.readUInt16BE(at + 2)
            : sizeIn(chunk.readBigUInt64BE(at + 2));
      if (((second & 0x80) !== 0) !== (this.#options.from === 'client')) {
        throw new UndecodableError(
          `a websocket frame of the ${this.#options.from} that ${second & 0x80 ? 'is masked' : 'is not masked'}`,
        );
      }
      if (first & 0x08) {
        if (size > longestControl) throw new UndecodableError('a websocket control frame that is too long');
        if (payloadAt + size > length) return at;
        this.#control(first, chunk, { start: at, payloadAt, end: payloadAt + size });
        at = payloadAt + size;
      } else {
        // A text message of one frame, without compression: nearly every event of a response.
        const isPlain = first === 0x81 && this.#message === undefined && payloadAt + size <= length;
        if (isPlain && this.#options.skips?.(chunk, payloadAt, size) === true) {
          this.#messages += 1;
          at = payloadAt + size;
          continue;
        }
        this.#begin(first, size, second & 0x80 ? chunk.readInt32BE(payloadAt - 4) : 0);
        at = size === 0 ? this.#takePayload(chunk, payloadAt) : payloadAt;
      }
    }
    return at;
  }

  /** Begins a data frame, whose first byte is `first`. */
  #begin(first: number, size: number, mask: number): void {
    if (first & 0x30) throw new UndecodableError('a websocket frame with RSV2 or RSV3 set');
    const opcode = first & 0x0f;
    if (opcode > 2) throw new UndecodableError('a websocket frame with an unknown opcode');
    const compressed = (first & 0x40) !== 0;
    if (compressed && (opcode === 0 || !this.#options.deflate))
      throw new UndecodableError('a websocket frame with RSV1 set that must not have it');
    if ((opcode === 0) !== (this.#message !== undefined)) {
      throw new UndecodableError(
        opcode === 0 ? 'a websocket continuation without a message' : 'a websocket message inside another',
      );
    }
    if (opcode !== 0) {
      this.#message = { opcode: opcode === 1 ? 'text' : 'binary', compressed, begins: true };
      this.#messages += 1;
    }
    this.#fin = (first & 0x80) !== 0;
    this.#left = size;
    this.#seen = 0;
    this.#mask = mask;
  }

  /** Reports what a chunk has of the current frame. Returns the offset after it. */
  #takePayload(chunk: Buffer, start: number): number {
    const end = Math.min(chunk.length, start + this.#left);
    const message = this.#message;
    this.#left -= end - start;
    if (message !== undefined) {
      const ends = this.#fin && this.#left === 0;
      if (ends) this.#message = undefined;
      this.#options.onPart({
        opcode: message.opcode,
        compressed: message.compressed,
        begins: message.begins,
        ends,
        chunk,
        start,
        end,
        mask: rotated(this.#mask, this.#seen & 3),
      });
      message.begins = false;
    }
    this.#seen += end - start;
    return end;
  }

  #control(
    first: number,
    chunk: Buffer,
    { start, payloadAt, end }: { readonly start: number; readonly payloadAt: number; readonly end: number },
  ): void {
    const opcode = controlOpcodes.get(first & 0x0f);
    if (opcode === undefined) throw new UndecodableError('a websocket frame with an unknown opcode');
    if ((first & 0xf0) !== 0x80)
      throw new UndecodableError('a websocket control frame that is fragmented or has RSV set');
    const bytes = chunk.subarray(payloadAt, end);
    const payload =
      this.#options.from === 'client' ? masked(bytes, chunk.subarray(payloadAt - 4, payloadAt)) : bytes;
    this.#options.onControl({ opcode, payload, start, end });
  }
}

/** A mask of four bytes that begins `count` bytes later. */
function rotated(mask: number, count: number): number {
  return count === 0 ? mask : (mask << (8 * count)) | (mask >>> (32 - 8 * count));
}

function sizeIn(stated: bigint): number {
  const size = Number(stated);
  if (!Number.isSafeInteger(size)) throw new UndecodableError('a websocket frame longer than 2^53 bytes');
  return size;
}
