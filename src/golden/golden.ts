import type { ClientHello } from '../wire/client-hello.ts';
import type { VariableKind } from './pattern/kinds.ts';
import { parseTemplate, printTemplate } from './pattern/template.ts';
import type { Exchange } from './trace/exchanges.ts';

/** What a golden was recorded from: a version of the official client, a lane and a scenario. */
export type GoldenId = { readonly codex: string; readonly lane: string; readonly scenario: string };

/**
 * The pattern of several recordings: exchanges whose strings may contain variables (template.ts) and whose values may be
 * pattern objects (below), and the table of the variables, in the order of their first appearance.
 */
export type Golden = GoldenId & {
  /** The number of recordings it was learned from. */
  readonly runs: number;
  /** What was made to differ between them (`cwd`, `time zone`). Empty if the file does not name it. */
  readonly varied: readonly string[];
  readonly variables: ReadonlyMap<string, Variable>;
  /** How its version begins TLS handshakes, if they are compared. They are in a file of their own (client-hello.ts). */
  readonly hellos?: ClientHellos;
  readonly exchanges: readonly Exchange[];
};

/** The kinds of connections for model requests. The official client may use another TLS library, or other settings, for each. */
export const connectionKinds = ['websocket', 'http'] as const;
export type ConnectionKind = (typeof connectionKinds)[number];

/** How a version of the official client begins its TLS handshakes, by the kind of connection. */
export type ClientHellos = Readonly<Partial<Record<ConnectionKind, ClientHello>>>;

/** The path of the base URL of a golden's requests: `/backend-api/codex`, or `/v1` with an API key. */
export function basePathOf({ exchanges }: Golden): string {
  const target = exchanges[0]?.request.target;
  return target?.kind === 'string' ? target.value.slice(0, target.value.lastIndexOf('/responses')) : '';
}

export type Variable = {
  readonly name: string;
  readonly kind: VariableKind;
  /** Whether the values are JSON numbers. */
  readonly number: boolean;
  /**
   * The set of variables that had different values in every recording, and must always have. Clocks that are read for the
   * same message may be equal.
   */
  readonly distinct: string | undefined;
  /** How long a value lives; undefined if the recordings do not show it. */
  readonly lifetime: Lifetime | undefined;
};

/** From the shortest to the longest. An item is one of the array `input`. */
export const lifetimes = ['item', 'request', 'turn', 'connection', 'session', 'installation'] as const;
export type Lifetime = (typeof lifetimes)[number];

/** `{"{{json}}": X}` is the pattern of a string that contains the JSON document X. */
export const jsonMark = '{{json}}';

/** If the first member of an object is `"{{unordered}}": true`, its other members may come in any order. */
export const unorderedMark = '{{unordered}}';

/** The pattern of a recorded key: a key that begins like a mark gets its braces escaped, as in strings (template.ts). */
export function escapeKey(key: string): string {
  return key.startsWith('{{') ? printTemplate([{ literal: key }]) : key;
}

/** The recorded key of a pattern that escapeKey returned. */
export function unescapeKey(pattern: string): string {
  const [part] = pattern.startsWith('{{{{') ? parseTemplate(pattern) : [];
  return part !== undefined && 'literal' in part ? part.literal : pattern;
}

/** Only in files: `{"{{shared}}": "name"}` is a reference to the document in the line `shared` with that name. */
export const sharedMark = '{{shared}}';
