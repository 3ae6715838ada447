import type { VariableKind } from './pattern/kinds.ts';
import { parseTemplate, printTemplate } from './pattern/template.ts';
import type { Exchange } from './trace/exchanges.ts';

/** What a golden is a pattern of: one version of the client, one way of signing in, one scenario. */
export type GoldenId = { readonly codex: string; readonly lane: string; readonly scenario: string };

/**
 * A generalised recording: exchanges whose strings may hold variables (template.ts) and whose values may be pattern
 * objects (below), and the table of these variables in the order of their first appearance.
 */
export type Golden = GoldenId & {
  /** How many recordings it was learned from. */
  readonly runs: number;
  /** What differed between them on purpose, by name (`cwd`, `time zone`); empty where it was not noted. */
  readonly varied: readonly string[];
  readonly variables: ReadonlyMap<string, Variable>;
  readonly exchanges: readonly Exchange[];
};

export type Variable = {
  readonly name: string;
  readonly kind: VariableKind;
  /** True where the values are JSON numbers. */
  readonly number: boolean;
  /**
   * Variables of one group bound different values in every recording, and must do so always; clocks that were read for
   * one message may agree.
   */
  readonly group: string | undefined;
  /** For how long a value lives; undefined where the recordings do not show it. */
  readonly lifetime: Lifetime | undefined;
};

/** From the shortest to the longest; an item is one of the list `input`. */
export const lifetimes = ['item', 'request', 'turn', 'connection', 'session', 'installation'] as const;
export type Lifetime = (typeof lifetimes)[number];

/** `{"{{json}}": X}` stands for a string that holds the JSON document X. */
export const jsonMark = '{{json}}';

/** An object whose first member is `"{{unordered}}": true` has its other members in any order. */
export const unorderedMark = '{{unordered}}';

/** A key of a recording that begins like a mark is written with its braces spelled out, as in strings (template.ts). */
export function escapeKey(key: string): string {
  return key.startsWith('{{') ? printTemplate([{ literal: key }]) : key;
}

/** The key that a pattern of a key stands for. */
export function unescapeKey(pattern: string): string {
  const [part] = pattern.startsWith('{{{{') ? parseTemplate(pattern) : [];
  return part !== undefined && 'literal' in part ? part.literal : pattern;
}

/** `{"{{shared}}": "name"}`, in a file only, stands for what its line `shared` of that name holds. */
export const sharedMark = '{{shared}}';
