import type { JsonNode } from '../wire/json.ts';
import type { Side, WebSocketMessage } from '../wire/message.ts';

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
  | EndEvent
  | UndecodableEvent;

export type ConnectionEvent = {
  readonly type: 'connection';
  readonly connection: number;
  /** The host that the client connects to, with the port unless it is the default of the scheme. */
  readonly authority: string;
  /** The ALPN protocols offered and the one chosen. Null on a plain connection. */
  readonly tls: { readonly offered: readonly string[]; readonly chosen: string | null } | null;
};

export type HeaderField = readonly [name: string, value: JsonNode];

export type RequestEvent = {
  readonly type: 'request';
  readonly connection: number;
  readonly exchange: number;
  readonly method: string;
  readonly target: JsonNode;
  /** Only in goldens: the headers may come in any order. */
  readonly unordered?: true;
  readonly headers: readonly HeaderField[];
};

export type ResponseEvent = {
  readonly type: 'response';
  readonly exchange: number;
  readonly status: number;
  readonly headers: readonly HeaderField[];
};

export type BodyEvent = {
  readonly type: 'body';
  readonly exchange: number;
  readonly from: Side;
  readonly complete: boolean;
  readonly content: Content;
};

export type MessageEvent = Omit<WebSocketMessage, 'payload'> & {
  readonly type: 'message';
  readonly exchange: number;
  readonly from: Side;
  readonly content: Content;
};

/** The first end of the connection. The end of the other side, which follows from it, is not observed. */
export type EndEvent = { readonly type: 'end'; readonly connection: number; readonly by: Side };

/** Bytes that are neither HTTP/1.1 nor websocket. They are still passed through, but no longer decoded. */
export type UndecodableEvent = {
  readonly type: 'undecodable';
  readonly connection: number;
  readonly from: Side;
  readonly reason: string;
};

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
      /** Server-sent events: the name of each event (empty when it has none) and its data. */
      readonly events: readonly { readonly event: string; readonly data: JsonNode }[];
    }
  /** Length and hash of content that is not kept. */
  | { readonly kind: 'bytes'; readonly bytes: number; readonly sha256: string }
  /** A close message; `code` is null when it has none. */
  | { readonly kind: 'close'; readonly code: number | null };

/**
 * The event with `change` applied to each value in it: the target, header values, and the content of a body or message.
 * `change` receives the root of each value; wrap it in mapJson to reach every node below. Header names, names of
 * server-sent events, lengths and hashes stay. Events without values are returned as they are.
 */
export function mapEvent<T extends TraceEvent>(event: T, change: (value: JsonNode) => JsonNode): T;
export function mapEvent(event: TraceEvent, change: (value: JsonNode) => JsonNode): TraceEvent {
  const mapHeader = ([name, value]: HeaderField): HeaderField => [name, change(value)];
  switch (event.type) {
    case 'request':
      return { ...event, target: change(event.target), headers: event.headers.map(mapHeader) };
    case 'response':
      return { ...event, headers: event.headers.map(mapHeader) };
    case 'body':
    case 'message':
      return { ...event, content: mapContent(event.content, change) };
    default:
      return event;
  }
}

function mapContent(content: Content, change: (value: JsonNode) => JsonNode): Content {
  switch (content.kind) {
    case 'json':
      return { ...content, json: change(content.json) };
    case 'text':
      return { ...content, text: change(content.text) };
    case 'events':
      return { ...content, events: content.events.map(({ event, data }) => ({ event, data: change(data) })) };
    default:
      return content;
  }
}
