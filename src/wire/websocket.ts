import { createHash } from 'node:crypto';
import { ContentCollector, limited } from './content-collector.ts';
import type { Opcode, Side, WebSocketMessage } from './message.ts';
import { type Undecodable, UndecodableError, undecodable } from './undecodable.ts';
import { type DeflateParameters, MessageDeflater, MessageInflater } from './websocket-deflate.ts';
import { encodeFrame, type Frame, FrameDecoder, newMask } from './websocket-frame.ts';

/** A decoded event. Events are in wire order; `undecodable` is the last one. */
export type WebSocketEvent = { readonly type: 'message'; readonly message: WebSocketMessage } | Undecodable;

/** A text or binary message whose last fragment has not arrived. */
type PartialMessage = {
  readonly opcode: 'text' | 'binary';
  readonly compressed: boolean;
  readonly content: ContentCollector;
  fragments: number;
};

/**
 * Assembles the messages of one side (RFC 6455 §5.4) from a copy of its bytes after the handshake, in chunks of any
 * size. Control frames between fragments are reported in place. It accepts what only an endpoint must reject: missing
 * masks, text that is not UTF-8, frames after a close.
 */
export class WebSocketDecoder {
  readonly #frames = new FrameDecoder();
  readonly #inflater: MessageInflater | null;
  #partial: PartialMessage | null = null;
  #stopped = false;

  constructor(from: Side, deflate: DeflateParameters | null) {
    this.#inflater = deflate === null ? null : new MessageInflater(deflate[from]);
  }

  push(bytes: Buffer): WebSocketEvent[] {
    const events: WebSocketEvent[] = [];
    if (this.#stopped) return events;
    this.#frames.push(bytes);
    try {
      for (let frame = this.#frames.next(); frame !== null; frame = this.#frames.next()) {
        const message = this.#take(frame);
        if (message !== null) events.push({ type: 'message', message });
      }
    } catch (error) {
      this.#stopped = true;
      events.push(undecodable(error));
    }
    return events;
  }

  /** Call when no more bytes follow. Reports a message that was cut off. */
  end(): WebSocketEvent[] {
    const cut = !this.#stopped && (this.#partial !== null || this.#frames.insideFrame);
    this.#stopped = true;
    return cut ? [{ type: 'undecodable', reason: 'the connection ended inside a websocket message' }] : [];
  }

  #take(frame: Frame): WebSocketMessage | null {
    if (frame.rsv1 && this.#inflater === null) {
      throw new UndecodableError('a compressed websocket frame without permessage-deflate');
    }
    switch (frame.opcode) {
      case 'close':
      case 'ping':
      case 'pong':
        return controlMessage(frame.opcode, frame);
      case 'text':
      case 'binary': {
        const { opcode, rsv1: compressed, begins } = frame;
        if (this.#partial !== null && begins)
          throw new UndecodableError('a websocket message inside another');
        this.#partial ??= { opcode, compressed, content: new ContentCollector(), fragments: 0 };
        return this.#takePart(this.#partial, frame);
      }
      case 'continuation':
        if (this.#partial === null) throw new UndecodableError('a websocket continuation without a message');
        if (frame.rsv1) throw new UndecodableError('a websocket continuation with RSV1 set');
        return this.#takePart(this.#partial, frame);
    }
  }

  #takePart(message: PartialMessage, { fin, payload, ends }: Frame): WebSocketMessage | null {
    message.content.push(payload);
    if (ends) message.fragments += 1;
    if (!fin || !ends) return null;
    this.#partial = null;
    const { opcode, compressed, content, fragments } = message;
    const joined = content.take();
    if (!compressed || this.#inflater === null) return { opcode, payload: joined, compressed, fragments };
    if (!Buffer.isBuffer(joined))
      throw new UndecodableError('a compressed websocket message that is longer than 16 MiB');
    return { opcode, payload: limited(this.#inflater.inflate(joined)), compressed, fragments };
  }
}

function controlMessage(opcode: 'close' | 'ping' | 'pong', { fin, rsv1, payload }: Frame): WebSocketMessage {
  if (!fin || rsv1 || payload.length > 125) {
    throw new UndecodableError(
      'a websocket control frame that is fragmented, compressed or longer than 125 bytes',
    );
  }
  return { opcode, payload, compressed: false, fragments: 1 };
}

/**
 * Encodes the messages of one side, one frame each. Messages of a client are masked with a fresh key. Text and binary
 * messages are compressed when permessage-deflate was negotiated.
 */
export class WebSocketEncoder {
  readonly #masks: boolean;
  readonly #deflater: MessageDeflater | null;

  constructor(from: Side, deflate: DeflateParameters | null) {
    this.#masks = from === 'client';
    this.#deflater = deflate === null ? null : new MessageDeflater(deflate[from]);
  }

  /** The bytes of a message. Calls must be in wire order. */
  encode(opcode: Opcode, payload: Buffer): Buffer {
    const mask = this.#masks ? newMask() : undefined;
    const deflater = opcode === 'text' || opcode === 'binary' ? this.#deflater : null;
    if (!deflater?.supported) return encodeFrame({ opcode, payload, mask });
    return encodeFrame({ opcode, payload: deflater.deflate(payload), mask, rsv1: true });
  }
}

/** The Sec-WebSocket-Accept value for a Sec-WebSocket-Key (RFC 6455 §4.2.2). */
export function acceptKey(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}
