import type { ClientHello } from '../wire/client-hello.ts';
import type { JsonNode } from '../wire/json.ts';
import type { Http2Request, ObservedMessage, Side } from '../wire/message.ts';
import type { SseBlock } from '../wire/sse.ts';

/**
 * The events of a trace, one per line of the file. A golden has the same events, but its strings may contain variables
 * (`{{session_id}}`) and a value may be a pattern object. That is why header values are nodes.
 */
export type TraceEvent =
  | ConnectionEvent
  | RequestEvent
  | ResponseEvent
  | BodyEvent
  | MessageEvent
  | ResetEvent
  | GoawayEvent
  | EndEvent
  | UndecodableEvent;

/**
 * When the tap saw an event, in milliseconds since the recording began. Goldens do not have it, so that they do not depend
 * on the speed of the machine.
 */
type Timed = { readonly at?: number };

export type ConnectionEvent = Timed & {
  readonly type: 'connection';
  readonly connection: number;
  /** The host that the client connects to, with the port unless it is the default of the scheme. */
  readonly authority: string;
  /** Null on a plain connection. Absent on an imported one. */
  readonly tls?: ConnectionTls | null;
  /**
   * Where the connection was imported from; absent if a tap observed it. Not known of an imported one: TLS, how it ended,
   * pings, pongs and closes, and the frames of its messages.
   */
  readonly imported?: 'HAR';
};

/** The ALPN protocols offered and the one chosen, and how the client began its handshake, if the tap saw that. */
export type ConnectionTls = {
  readonly offered: readonly string[];
  readonly chosen: string | null;
  readonly hello?: ClientHello;
};

export type HeaderField = readonly [name: string, value: JsonNode];

export type RequestEvent = Timed & {
  readonly type: 'request';
  readonly connection: number;
  readonly exchange: number;
  readonly method: string;
  readonly target: JsonNode;
  /** Absent for HTTP/1.1. */
  readonly version?: '1.0' | '2';
  /** Over HTTP/2 alone. */
  readonly http2?: SealedHttp2Request;
  /**
   * In goldens: the headers may come in any order. In traces: neither the order nor the capitalisation of the headers is
   * known.
   */
  readonly unordered?: true;
  readonly headers: readonly HeaderField[];
};

/** See Http2Request. */
export type SealedHttp2Request = Omit<Http2Request, 'authority'> & { readonly authority?: JsonNode };

export type ResponseEvent = Timed & {
  readonly type: 'response';
  readonly exchange: number;
  /** Absent for HTTP/1.1. */
  readonly version?: '1.0' | '2';
  readonly status: number;
  readonly headers: readonly HeaderField[];
};

export type BodyEvent = Timed & {
  readonly type: 'body';
  readonly exchange: number;
  readonly from: Side;
  readonly complete: boolean;
  readonly content: Content;
} & BodyFrames<HeaderField>;

/** How the client split a body over HTTP/2, and what either side sent after it. */
export type BodyFrames<Header> = {
  /** The size of the largest DATA frame; absent if there is only one. */
  readonly largestFrame?: number;
  /** The end of the stream came in an empty DATA frame of its own. */
  readonly endsEmpty?: true;
  readonly trailers?: readonly Header[];
};

export type MessageEvent = Timed &
  Omit<ObservedMessage, 'payload'> & {
    readonly type: 'message';
    readonly exchange: number;
    readonly from: Side;
    readonly content: Content;
  };

/** A side broke off one request with its response over HTTP/2, before both were complete. `code` is that of RFC 9113, section 7. */
export type ResetEvent = Timed & {
  readonly type: 'reset';
  readonly exchange: number;
  readonly from: Side;
  readonly code: string;
};

/** A side said that it accepts no more streams on an HTTP/2 connection. `code` is that of RFC 9113, section 7. */
export type GoawayEvent = Timed & {
  readonly type: 'goaway';
  readonly connection: number;
  readonly from: Side;
  readonly code: string;
};

/** The first end of the connection. The end of the other side, which follows from it, is not observed. */
export type EndEvent = Timed & { readonly type: 'end'; readonly connection: number; readonly by: Side };

/** Bytes that are neither HTTP nor websocket. They are still passed through, but no longer decoded. */
export type UndecodableEvent = Timed & {
  readonly type: 'undecodable';
  readonly connection: number;
  readonly from: Side;
  readonly reason: string;
};

/** A server-sent event. `form` is absent when it is written as OpenAI's servers do. */
export type ServerSentEvent = {
  /** Empty when the event has no name. */
  readonly event: string;
  readonly data: JsonNode;
  /** The data is JSON with white space between tokens. */
  readonly spaced?: true;
  readonly form?: BlockForm;
  /** The stream ended before the empty line of this event, so that clients ignore it. */
  readonly unfinished?: true;
};

/** How the lines of a block are written: see SseBlock. */
export type BlockForm = Pick<SseBlock, 'lines' | 'ends'>;

/** `before` is the index of the event that follows. */
export type SilentBlock = { readonly before: number; readonly form: BlockForm };

/** The content of a body or message, after decompression. */
export type Content =
  | {
      readonly kind: 'json';
      readonly json: JsonNode;
      /** Whether there is white space between tokens. */
      readonly spaced: boolean;
    }
  | { readonly kind: 'text'; readonly text: JsonNode }
  | {
      readonly kind: 'events';
      readonly events: readonly ServerSentEvent[];
      /** Blocks without data, such as comments, which clients ignore. */
      readonly silent?: readonly SilentBlock[];
    }
  /** Length and hash of content that is not kept. */
  | { readonly kind: 'bytes'; readonly bytes: number; readonly sha256: string }
  /** A close message. `code` is null when it has none; `reason` is absent when it is empty. */
  | { readonly kind: 'close'; readonly code: number | null; readonly reason?: JsonNode };

/**
 * The event with `mapValue` applied to each value in it: the target, header values, and the content of a body or message.
 * `mapValue` receives the root of each value; wrap it in mapJson to reach every node below. Header names, names of
 * server-sent events, lengths and hashes stay. Events without values are returned as they are.
 */
export function mapEvent<T extends TraceEvent>(event: T, mapValue: (value: JsonNode) => JsonNode): T;
export function mapEvent(event: TraceEvent, mapValue: (value: JsonNode) => JsonNode): TraceEvent {
  const mapHeader = ([name, value]: HeaderField): HeaderField => [name, mapValue(value)];
  switch (event.type) {
    case 'request':
      return {
        ...event,
        target: mapValue(event.target),
        ...(event.http2 && { http2: mapHttp2(event.http2, mapValue) }),
        headers: event.headers.map(mapHeader),
      };
    case 'response':
      return { ...event, headers: event.headers.map(mapHeader) };
    case 'body':
      return {
        ...event,
        content: mapContent(event.content, mapValue),
        ...(event.trailers && { trailers: event.trailers.map(mapHeader) }),
      };
    case 'message':
      return { ...event, content: mapContent(event.content, mapValue) };
    default:
      return event;
  }
}

function mapHttp2(http2: SealedHttp2Request, mapValue: (value: JsonNode) => JsonNode): SealedHttp2Request {
  return http2.authority === undefined ? http2 : { ...http2, authority: mapValue(http2.authority) };
}

function mapContent(content: Content, mapValue: (value: JsonNode) => JsonNode): Content {
  switch (content.kind) {
    case 'json':
      return { ...content, json: mapValue(content.json) };
    case 'text':
      return { ...content, text: mapValue(content.text) };
    case 'events':
      return {
        ...content,
        events: content.events.map((event) => ({ ...event, data: mapValue(event.data) })),
      };
    case 'close':
      return content.reason === undefined ? content : { ...content, reason: mapValue(content.reason) };
    default:
      return content;
  }
}
