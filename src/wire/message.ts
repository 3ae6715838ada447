import type { ContentDigest } from './content-collector.ts';
import type { HeaderList } from './headers.ts';

/** The head of a request. `target` is the request target exactly as sent; over HTTP/2, the value of `:path`. */
export type RequestHead = {
  readonly method: string;
  readonly target: string;
  readonly version: '1.0' | '1.1' | '2';
  /** Over HTTP/2 alone. */
  readonly http2?: Http2Request;
  readonly headers: HeaderList;
};

/** What an HTTP/2 client chooses besides the headers of a request, and how it began the connection. */
export type Http2Request = {
  /** What it set before its first request, in its order. */
  readonly settings: readonly Http2Setting[];
  /** How much larger it made the window of the connection before its first request. */
  readonly window: number;
  /** The names of the pseudo-headers in their order. */
  readonly pseudo: readonly string[];
  /** The value of `:authority`. */
  readonly authority?: string;
  readonly priority?: Http2Priority;
};

/** A setting by its name in RFC 9113, section 6.5.2; by its number if it has none there. */
export type Http2Setting = readonly [name: string, value: number];

/** The priority that a request asks for (RFC 7540, section 5.3; deprecated by RFC 9113). */
export type Http2Priority = {
  readonly exclusive: boolean;
  readonly dependsOn: number;
  readonly weight: number;
};

/** The head of a response. */
export type ResponseHead = {
  readonly status: number;
  /** Empty over HTTP/2, which has none. */
  readonly reason: string;
  readonly version: '1.0' | '1.1' | '2';
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
