import type { HeaderList } from './headers.ts';

/** The head of an HTTP/1.1 request; `target` is the request target exactly as sent. */
export type RequestHead = {
  readonly method: string;
  readonly target: string;
  readonly version: '1.0' | '1.1';
  readonly headers: HeaderList;
};

/** The head of an HTTP/1.1 response. */
export type ResponseHead = {
  readonly status: number;
  readonly reason: string;
  readonly version: '1.0' | '1.1';
  readonly headers: HeaderList;
};

export type Opcode = 'text' | 'binary' | 'close' | 'ping' | 'pong';

/** One websocket message (RFC 6455), put together from its frames and decompressed. */
export type WebSocketMessage = {
  readonly opcode: Opcode;
  /** Unmasked, decompressed payload; of a close message with its two bytes of close code. */
  readonly payload: Buffer;
  /** True when the first frame had RSV1 set (permessage-deflate, RFC 7692). */
  readonly compressed: boolean;
  /** How many frames carried the message: 1 unless it was fragmented. */
  readonly fragments: number;
};

/** Which end of the tapped connection said it. The backend is whatever stands behind the tap. */
export type Side = 'client' | 'backend';
