import { createHash } from 'node:crypto';
import type { Opcode, Side, WebSocketMessage } from './message.ts';
import { type Undecodable, UndecodableError, undecodable } from './undecodable.ts';
import { type DeflateParameters, MessageDeflater, MessageInflater } from './websocket-deflate.ts';
import { encodeFrame, type Frame, FrameDecoder, newMask } from './websocket-frame.ts';

/** What a decoder found, in wire order. After `undecodable` it finds nothing more. */
export type WebSocketEvent = { readonly type: 'message'; readonly message: WebSocketMessage } | Undecodable;

/** A text or binary message of which the last fragment has not come yet. */
type Begun = { readonly opcode: 'text' | 'binary'; readonly compressed: boolean; readonly parts: Buffer[] };

/**
 * Puts the messages of one side together (RFC 6455 §5.4) from a copy of its bytes after the handshake, in chunks of
 * any size. Control frames between fragments are told where they stand. It does not mind what only an endpoint must
 * refuse: missing masks, text that is not UTF-8, frames after a close.
 */
export class WebSocketDecoder {
  readonly #frames = new FrameDecoder();
  readonly #inflater: MessageInflater | null;
  #begun: Begun | null = null;
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

  /** Tells that no more bytes come; reports a message that was cut off. */
  end(): WebSocketEvent[] {
    const cut = !this.#stopped && (this.#begun !== null || this.#frames.insideFrame);
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
      case 'binary':
        if (this.#begun !== null) throw new UndecodableError('a websocket message inside another');
        return this.#takePart({ opcode: frame.opcode, compressed: frame.rsv1, parts: [] }, frame);
      case 'continuation':
        if (this.#begun === null) throw new UndecodableError('a websocket continuation of no message');
        if (frame.rsv1) throw new UndecodableError('a websocket continuation with RSV1 set');
        return this.#takePart(this.#begun, frame);
    }
  }

  #takePart(begun: Begun, { fin, payload }: Frame): WebSocketMessage | null {
    begun.parts.push(payload);
    this.#begun = fin ? null : begun;
    if (!fin) return null;
    const { opcode, compressed, parts } = begun;
    const whole = Buffer.concat(parts);
    return {
      opcode,
      payload: compressed && this.#inflater !== null ? this.#inflater.inflate(whole) : whole,
      compressed,
      fragments: parts.length,
    };
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
 * Writes the messages of one side, each in one frame: a client's masked with a fresh key, text and binary compressed
 * where permessage-deflate was agreed on, with its context takeover.
 */
export class WebSocketEncoder {
  readonly #masks: boolean;
  readonly #deflater: MessageDeflater | null;

  constructor(from: Side, deflate: DeflateParameters | null) {
    this.#masks = from === 'client';
    this.#deflater = deflate === null ? null : new MessageDeflater(deflate[from]);
  }

  /** The bytes of the message; the order of the calls must be the order on the wire. */
  encode(opcode: Opcode, payload: Buffer): Buffer {
    const mask = this.#masks ? newMask() : undefined;
    const deflater = opcode === 'text' || opcode === 'binary' ? this.#deflater : null;
    if (!deflater?.able) return encodeFrame({ opcode, payload, mask });
    return encodeFrame({ opcode, payload: deflater.deflate(payload), mask, rsv1: true });
  }
}

/** The Sec-WebSocket-Accept that answers a Sec-WebSocket-Key (RFC 6455 §4.2.2). */
export function acceptKey(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}
