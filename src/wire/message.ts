import type { ContentDigest } from './content-collector.ts';
import type { HeaderList } from './headers.ts';

/** The head of an HTTP/1.1 request. `target` is the request target exactly as sent. */
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

/** One websocket message (RFC 6455), assembled from its frames and decompressed. */
export type WebSocketMessage = {
  readonly opcode: Opcode;
  /** Unmasked, decompressed payload; its digest if it is too long. A close message includes its two bytes of close code. */
  readonly payload: Buffer | ContentDigest;
  /** True when the first frame had RSV1 set (permessage-deflate, RFC 7692). */
  readonly compressed: boolean;
  /** The number of frames: 1 unless the message was fragmented. */
  readonly fragments: number;
};

/** A message. Its frames are not known if it was imported. */
export type ObservedMessage = Pick<WebSocketMessage, 'opcode' | 'payload'> &
  Partial<Pick<WebSocketMessage, 'compressed' | 'fragments'>>;

/** One end of a tapped connection. The backend is the server that the tap connects to. */
export type Side = 'client' | 'backend';
