import type { JsonNode } from '../wire/json.ts';

/** Where in a dialogue something stands: `exchange` counts from 1; `part` is "handshake", "client message 2", "body"; `path` leads on from there. */
export type Place = {
  readonly exchange: number;
  readonly part: string;
  readonly path: readonly string[];
};

export type MismatchKind =
  | 'missing'
  | 'added'
  | 'renamed'
  | 'recased'
  | 'moved'
  | 'changed'
  | 'retyped'
  | 'respelled'
  | 'reframed'
  | 'disagrees'
  | 'repeated';

/**
 * One way in which a trace does not unify with a golden:
 *
 * - missing, added, renamed, recased, moved: a header, key, item or message, against its fellows;
 * - changed: another value; retyped: another JSON type or kind of value; respelled: the same value written otherwise;
 * - reframed: the same message carried by other websocket frames;
 * - disagrees: values that are one in every recording are not (`places` are those that stand apart);
 * - repeated: values that differ in every recording are equal.
 *
 * `expected` and `actual` are texts for a reader; null where there is nothing.
 */
export type Mismatch = {
  readonly kind: MismatchKind;
  readonly places: readonly Place[];
  readonly expected: string | null;
  readonly actual: string | null;
  /** The variable concerned, where there is one. */
  readonly variable?: string;
};

/** A place as one line: `exchange 1 › client message 2 › client_metadata.thread_id`. */
export function placeText({ exchange, part, path }: Place): string {
  return [`exchange ${exchange}`, part, ...(path.length === 0 ? [] : [path.join('.')])].join(' › ');
}

/** A node as a reader wants it: short, with pattern objects shown for what they stand for. */
export function brief(node: JsonNode, most = 120): string {
  const text = full(node);
  return text.length <= most ? text : `${text.slice(0, most)}… (${text.length} characters)`;
}

function full(node: JsonNode): string {
  switch (node.kind) {
    case 'literal':
      return String(node.value);
    case 'number':
      return node.text;
    case 'string':
      return node.spelling ?? JSON.stringify(node.value);
    case 'array':
      return `[${node.items.map(full).join(',')}]`;
    case 'object':
      return `{${node.members.map(([key, value]) => `${JSON.stringify(key)}:${full(value)}`).join(',')}}`;
  }
}
