import type { HeaderList } from './headers.ts';
import { HpackDecoder } from './hpack.ts';
import { frameFlags, frameTypes, type Http2Frame, Http2FrameDecoder, http2Preface } from './http2-frame.ts';
import type { Http2Priority, Http2Setting, Side } from './message.ts';
import { type Undecodable, UndecodableError, undecodable } from './undecodable.ts';

/** A decoded event. Events are in wire order; `undecodable` is the last one. */
export type Http2Event =
  | { readonly type: 'settings'; readonly settings: readonly Http2Setting[] }
  /** How much more the other side may send: on a stream, or on the whole connection (stream 0). */
  | { readonly type: 'window'; readonly stream: number; readonly increment: number }
  | { readonly type: 'ping'; readonly payload: Buffer }
  | {
      readonly type: 'headers';
      readonly stream: number;
      /** Pseudo-headers included: in wire order, names as sent. */
      readonly headers: HeaderList;
      readonly priority?: Http2Priority;
      readonly endStream: boolean;
    }
  | { readonly type: 'data'; readonly stream: number; readonly bytes: Buffer; readonly endStream: boolean }
  | { readonly type: 'reset'; readonly stream: number; readonly code: string }
  | { readonly type: 'goaway'; readonly code: string }
  | Undecodable;

/** A block of headers whose last frame has not arrived. */
type Block = { readonly first: Http2Frame; readonly parts: Buffer[]; length: number };

const longestBlock = 64 * 1024;

/**
 * Decodes one direction of an HTTP/2 connection (RFC 9113) from a copy of its bytes, in chunks of any size. It never throws:
 * bytes it cannot decode become its last event, `undecodable`.
 */
export class Http2Decoder {
  readonly #frames = new Http2FrameDecoder();
  readonly #hpack = new HpackDecoder();
  #preface: number;
  #block: Block | null = null;
  #stopped = false;

  constructor(from: Side) {
    this.#preface = from === 'client' ? http2Preface.length : 0;
  }

  /** Call with the settings of the other side: they say what this side may send. */
  allow(settings: readonly Http2Setting[]): void {
    for (const [name, value] of settings) {
      if (name === 'HEADER_TABLE_SIZE') this.#hpack.allow(value);
      if (name === 'MAX_FRAME_SIZE') this.#frames.allow(value);
    }
  }

  push(bytes: Buffer): Http2Event[] {
    const events: Http2Event[] = [];
    if (this.#stopped) return events;
    const ofPreface = Math.min(this.#preface, bytes.length);
    this.#preface -= ofPreface;
    this.#frames.push(bytes.subarray(ofPreface));
    try {
      for (let frame = this.#frames.next(); frame !== null; frame = this.#frames.next()) {
        const event = this.#event(frame);
        if (event !== null) events.push(event);
      }
    } catch (error) {
      this.#stopped = true;
      events.push(undecodable(error));
    }
    return events;
  }

  /** Call when no more bytes follow. Reports a frame that was cut off. */
  end(): Http2Event[] {
    const cut = !this.#stopped && (this.#block !== null || this.#frames.insideFrame);
    this.#stopped = true;
    return cut ? [{ type: 'undecodable', reason: 'the connection ended inside an HTTP/2 frame' }] : [];
  }

  #event(frame: Http2Frame): Http2Event | null {
    const { type, flags, stream, payload } = frame;
    if (this.#block !== null && type !== frameTypes.CONTINUATION)
      throw new UndecodableError('an HTTP/2 frame inside a block of headers');
    switch (type) {
      case frameTypes.HEADERS:
      case frameTypes.PUSH_PROMISE:
        this.#block = { first: frame, parts: [], length: 0 };
        return this.#blockPart(frame, payload.subarray(beforeBlock(frame)));
      case frameTypes.CONTINUATION:
        return this.#blockPart(frame, payload);
      case frameTypes.DATA:
        return { type: 'data', stream, bytes: payload, endStream: (flags & frameFlags.endStream) !== 0 };
      case frameTypes.SETTINGS:
        return (flags & frameFlags.ack) === 0 ? { type: 'settings', settings: settingsOf(payload) } : null;
      case frameTypes.WINDOW_UPDATE:
        return { type: 'window', stream, increment: numberAt(payload, 0) };
      case frameTypes.PING:
        return (flags & frameFlags.ack) === 0 ? { type: 'ping', payload } : null;
      case frameTypes.RST_STREAM:
        return { type: 'reset', stream, code: errorName(numberAt(payload, 0)) };
      case frameTypes.GOAWAY:
        return { type: 'goaway', code: errorName(numberAt(payload, 4)) };
      default:
        return null;
    }
  }

  #blockPart({ flags, stream }: Http2Frame, part: Buffer): Http2Event | null {
    const block = this.#block;
    if (block === null || block.first.stream !== stream)
      throw new UndecodableError('an HTTP/2 frame that continues no block of headers');
    if (part.length > 0) block.parts.push(part);
    block.length += part.length;
    if (block.length > longestBlock) throw new UndecodableError('a block of headers longer than 64 KiB');
    if ((flags & frameFlags.endHeaders) === 0) return null;
    this.#block = null;
    const { first } = block;
    // A block that nobody needs is decoded too: later ones refer to its headers.
    const headers = this.#hpack.decode(Buffer.concat(block.parts));
    if (first.type === frameTypes.PUSH_PROMISE) return null;
    const endStream = (first.flags & frameFlags.endStream) !== 0;
    return { type: 'headers', stream, headers, ...priorityOf(first), endStream };
  }
}

/** The bytes of a HEADERS or PUSH_PROMISE frame before its block of headers. */
function beforeBlock({ type, flags }: Http2Frame): number {
  if (type === frameTypes.PUSH_PROMISE) return 4;
  return (flags & frameFlags.priority) === 0 ? 0 : 5;
}

function priorityOf(frame: Http2Frame): { readonly priority?: Http2Priority } {
  if ((frame.flags & frameFlags.priority) === 0) return {};
  const dependsOn = numberAt(frame.payload, 0);
  const exclusive = dependsOn > 0x7fff_ffff;
  const weight = (frame.payload[4] ?? 0) + 1;
  return { priority: { exclusive, dependsOn: dependsOn & 0x7fff_ffff, weight } };
}

function settingsOf(payload: Buffer): Http2Setting[] {
  return Array.from({ length: Math.floor(payload.length / 6) }, (_, index) => {
    const number = payload.readUInt16BE(6 * index);
    return [settingNames.get(number) ?? String(number), payload.readUInt32BE(6 * index + 2)];
  });
}

function numberAt(payload: Buffer, at: number): number {
  if (payload.length < at + 4) throw new UndecodableError('an HTTP/2 frame that is too short for its type');
  return payload.readUInt32BE(at);
}

/** The payload of a SETTINGS frame. */
export function encodeSettings(settings: readonly Http2Setting[]): Buffer {
  const payload = Buffer.alloc(6 * settings.length);
  for (const [index, [name, value]] of settings.entries()) {
    payload.writeUInt16BE(settingNumbers.get(name) ?? Number(name), 6 * index);
    payload.writeUInt32BE(value, 6 * index + 2);
  }
  return payload;
}

/** RFC 9113, section 6.5.2; RFC 8441, section 3; RFC 9218, section 2.1. */
const settingNames: ReadonlyMap<number, string> = new Map([
  [1, 'HEADER_TABLE_SIZE'],
  [2, 'ENABLE_PUSH'],
  [3, 'MAX_CONCURRENT_STREAMS'],
  [4, 'INITIAL_WINDOW_SIZE'],
  [5, 'MAX_FRAME_SIZE'],
  [6, 'MAX_HEADER_LIST_SIZE'],
  [8, 'ENABLE_CONNECT_PROTOCOL'],
  [9, 'NO_RFC7540_PRIORITIES'],
]);
const settingNumbers: ReadonlyMap<string, number> = new Map(
  [...settingNames].map(([number, name]) => [name, number]),
);

/** RFC 9113, section 7, by their numbers. */
const errorNames = [
  ...['NO_ERROR', 'PROTOCOL_ERROR', 'INTERNAL_ERROR', 'FLOW_CONTROL_ERROR', 'SETTINGS_TIMEOUT'],
  ...['STREAM_CLOSED', 'FRAME_SIZE_ERROR', 'REFUSED_STREAM', 'CANCEL', 'COMPRESSION_ERROR', 'CONNECT_ERROR'],
  ...['ENHANCE_YOUR_CALM', 'INADEQUATE_SECURITY', 'HTTP_1_1_REQUIRED'],
] as const;

function errorName(code: number): string {
  return errorNames[code] ?? String(code);
}

/** The code of an error by its name. */
export function errorCode(name: (typeof errorNames)[number]): number {
  return errorNames.indexOf(name);
}
