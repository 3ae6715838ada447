import type { Content } from '../../trace/trace-event.ts';
import { type JsonNode, jsonString } from '../../wire/json.ts';
import type { Side } from '../../wire/message.ts';
import type { Lifetime } from '../golden.ts';
import type { VariableKind } from '../pattern/kinds.ts';
import { contentNode, reasonText } from './content-node.ts';

/** A header name or JSON key; the index of a list item is a number. */
export type PathKey = string | number;

/** Where in a trace something is. `exchange` and `number` count from 1; `path` leads on from the part. */
export type Place = PlacePart & {
  readonly exchange: number;
  readonly path: readonly PathKey[];
  /** How OpenAI's library read the responses, in a check that runs both ways. */
  readonly mode?: 'streamed' | 'whole';
};

/**
 * The part of an exchange:
 *
 * - exchange: all of it;
 * - handshake, response: the head of the request, and of the response;
 * - message: the nth message of a side; server-sent events count as messages; `type` is that of its JSON;
 * - body: the whole body of a request or response;
 * - connection: how the client ended the connection;
 * - ending: how the response ended;
 * - result: what OpenAI's library returned to its program.
 */
export type PlacePart =
  | { readonly side: Side; readonly part: 'body' }
  | { readonly side: Side; readonly part: 'message'; readonly number: number; readonly type?: string }
  | { readonly side: 'client'; readonly part: 'exchange' | 'handshake' | 'connection' }
  | { readonly side: 'backend'; readonly part: 'response' | 'ending' | 'result' };

/** One side of a difference. */
export type ComparedValue =
  /** A JSON value or, as a string, the value of a header. */
  | { readonly type: 'json'; readonly node: JsonNode }
  /** A whole request, by its first line. */
  | { readonly type: 'request'; readonly method: string; readonly target: string }
  /** A websocket close message. `code` is null where it has none; `reason` is absent where it is empty. */
  | { readonly type: 'close'; readonly code: number | null; readonly reason?: string }
  /** A response whose body is incomplete. */
  | { readonly type: 'incomplete response' }
  /** A connection that ends without a close message. */
  | { readonly type: 'connection end'; readonly by: Side }
  /** Any value of a kind of variable. */
  | { readonly type: 'variable'; readonly variable: string; readonly variableKind: VariableKind }
  /** Members of one object, by their paths in it; a member without a value is missing. */
  | { readonly type: 'members'; readonly members: readonly ComparedMember[] }
  /** A response that OpenAI's library returned, with its status or finish reason. */
  | { readonly type: 'library response'; readonly ending?: string }
  /** An error that OpenAI's library threw, or that the backend sent; neither where the response broke off. */
  | { readonly type: 'library error'; readonly error?: JsonNode; readonly message?: string }
  /** Credentials of the sign-in that the subject was given. */
  | { readonly type: 'own credentials' }
  /** The scenario, played to its end. */
  | { readonly type: 'whole scenario' }
  /** What the subject did instead: requests that it sent upstream, what ended the scenario, and how it refused. */
  | {
      readonly type: 'subject behaviour';
      readonly requests: readonly string[];
      readonly failure?: string;
      readonly refusal?: ClientRefusal;
    };

/** How a subject refused a model request of its client: by a response, an error event, or a close message. */
export type ClientRefusal = {
  /** The method of the request; `GET` is an upgrade. */
  readonly method: string;
  /** The status of the response, or in the event; the code of a close message. */
  readonly status?: number;
  /** The start of its body, the event, or the reason of the close. Secrets are sealed. */
  readonly text: string;
};

export type ComparedMember = { readonly path: readonly PathKey[]; readonly value?: JsonNode };

/** Names in both orders: those that moved, and the nearest names before them that did not move. */
export type NameOrder = {
  readonly moved: readonly string[];
  readonly expected: readonly string[];
  readonly actual: readonly string[];
};

/**
 * One way in which an actual value differs from the expected one:
 *
 * - missing, added, renamed, recased, moved: a header, key, item or message among its neighbours;
 * - changed: another value; retyped: another JSON type or kind of value; respelled: the same value, spelled differently;
 * - reframed: the same message in other websocket frames, a body that is not complete, or a server-sent event without
 *   its empty line;
 * - disagrees: places that had one value in every recording differ;
 * - repeated: variables that differed in every recording have the same value.
 */
export type Difference =
  | { readonly kind: 'missing'; readonly expected: ComparedValue; readonly instead?: ComparedValue }
  | { readonly kind: 'added'; readonly actual: ComparedValue }
  | { readonly kind: 'renamed'; readonly from: string; readonly to: string }
  /** Names that differ in capitalisation only. */
  | { readonly kind: 'recased'; readonly names: readonly { readonly from: string; readonly to: string }[] }
  /** Names in another order. All names of a list that moved have the same `order`. */
  | { readonly kind: 'moved'; readonly order: NameOrder }
  /** A list item at another index. */
  | { readonly kind: 'moved'; readonly item: JsonNode; readonly from: number; readonly to: number }
  | {
      readonly kind: 'changed' | 'retyped';
      readonly expected: ComparedValue;
      readonly actual: ComparedValue;
    }
  | {
      readonly kind: 'respelled';
      readonly spelling: 'value' | 'key';
      /** JSON text. */
      readonly expected: string;
      readonly actual: string;
    }
  /** White space between the tokens of JSON. */
  | {
      readonly kind: 'respelled';
      readonly spelling: 'white space';
      readonly expected: boolean;
      readonly actual: boolean;
    }
  /** The lines of a server-sent event, in words. */
  | {
      readonly kind: 'respelled';
      readonly spelling: 'event stream';
      readonly expected: string;
      readonly actual: string;
    }
  | {
      readonly kind: 'reframed';
      readonly aspect:
        | 'opcode'
        | 'compressed'
        | 'fragments'
        | 'complete'
        | 'finished'
        /** Over HTTP/2. */
        | 'largestFrame'
        | 'endsEmpty'
        | 'trailers';
      readonly expected: string | number | boolean;
      readonly actual: string | number | boolean;
    }
  | {
      readonly kind: 'disagrees';
      readonly variable: string;
      /** The value of the variable, and the first place that has it. */
      readonly value: string;
      readonly valueAt: Place;
      /** The value at the places of the mismatch, and the variable that it belongs to. */
      readonly valueHere: string;
      readonly variableHere?: string;
    }
  | {
      readonly kind: 'repeated';
      readonly variable: string;
      readonly value: string;
      /** The variable that has the value too. */
      readonly otherVariable: string;
    };

export type MismatchKind = Difference['kind'];

/** A difference, and every place that shows it. For `disagrees` these are the places that differ from the others. */
export type Mismatch = Difference & {
  readonly places: readonly Place[];
  /** The lifetime that a value violates: it is stale, or it changed although it must not. */
  readonly lifetime?: Lifetime;
};

/** The content of a message or body as one side of a difference. */
export function contentValue(content: Content): ComparedValue {
  if (content.kind !== 'close') return { type: 'json', node: contentNode(content) };
  const { code, reason } = content;
  return { type: 'close', code, ...(reason === undefined ? {} : { reason: reasonText(reason) }) };
}

/** A JSON value or header value as one side of a difference. */
export function jsonValue(node: JsonNode): ComparedValue {
  return { type: 'json', node };
}

/** A request as one side of a difference. */
export function requestValue({
  method,
  target,
}: {
  readonly method: string;
  readonly target: JsonNode;
}): ComparedValue {
  return { type: 'request', method, target: target.kind === 'string' ? target.value : '' };
}

/** The JSON value on one side of a difference; undefined where it is missing, or is not a single value. */
export function comparedNode(difference: Difference, side: 'expected' | 'actual'): JsonNode | undefined {
  switch (difference.kind) {
    case 'missing':
      return side === 'expected' ? nodeOf(difference.expected) : undefined;
    case 'added':
      return side === 'actual' ? nodeOf(difference.actual) : undefined;
    case 'changed':
    case 'retyped':
      return nodeOf(difference[side]);
    case 'disagrees':
      return jsonString(side === 'expected' ? difference.value : difference.valueHere);
    case 'repeated':
      return side === 'actual' ? jsonString(difference.value) : undefined;
    case 'renamed':
      return jsonString(side === 'expected' ? difference.from : difference.to);
    default:
      return undefined;
  }
}

function nodeOf(value: ComparedValue): JsonNode | undefined {
  return value.type === 'json' ? value.node : undefined;
}

/** The name of the header or key at a path, or of the list that an item belongs to; empty for a whole part. */
export function lastName(path: readonly PathKey[]): string {
  return String(path.findLast((key) => typeof key === 'string') ?? '');
}
