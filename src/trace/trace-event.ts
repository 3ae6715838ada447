import type { JsonNode } from '../wire/json.ts';
import type { Opcode, Side } from '../wire/message.ts';

/**
 * The events of a trace, one a line in its file. A golden has the same events: there, strings may hold variables
 * (`{{session_id}}`), and a value may be a pattern object; so header values are nodes in both.
 */
export type TraceEvent = ConnectionEvent | ExchangeEvent | EndEvent | UndecodableEvent;
export type ExchangeEvent = RequestEvent | ResponseEvent | BodyEvent | MessageEvent;

export type ConnectionEvent = {
  readonly type: 'connection';
  readonly connection: number;
  readonly authority: string;
  /** ALPN protocols offered and the one chosen; null on a plain connection. */
  readonly tls: { readonly offered: readonly string[]; readonly chosen: string | null } | null;
};

export type HeaderField = readonly [name: string, value: JsonNode];

export type RequestEvent = {
  readonly type: 'request';
  readonly connection: number;
  readonly exchange: number;
  readonly method: string;
  readonly target: JsonNode;
  /** In goldens: the headers come in any order. */
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

export type MessageEvent = {
  readonly type: 'message';
  readonly exchange: number;
  readonly from: Side;
  readonly opcode: Opcode;
  readonly compressed: boolean;
  readonly fragments: number;
  readonly content: Content;
};

export type EndEvent = { readonly type: 'end'; readonly connection: number; readonly by: Side };

export type UndecodableEvent = {
  readonly type: 'undecodable';
  readonly connection: number;
  readonly from: Side;
  readonly reason: string;
};

/** What a body or a message holds, after decompression. */
export type Content =
  | {
      readonly kind: 'json';
      readonly json: JsonNode /** White space between tokens. */;
      readonly spaced: boolean;
    }
  | { readonly kind: 'text'; readonly text: JsonNode }
  | {
      readonly kind: 'events';
      /** Server-sent events: the event's name (empty where there is none) and its data. */
      readonly events: readonly { readonly event: string; readonly data: JsonNode }[];
    }
  | { readonly kind: 'bytes'; readonly bytes: number; readonly sha256: string }
  | { readonly kind: 'close' /** null where the close message had no code. */; readonly code: number | null };
