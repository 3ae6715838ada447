import { type JsonNode, printJson } from '../../wire/json.ts';
import type { Lifetime } from '../golden.ts';

/**
 * Where in a dialogue something stands: `exchange` counts from 1; `part` is "handshake", "client message 2", "body";
 * `path` leads on from there.
 */
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
  /**
   * How long its values live, where that is what went wrong: a value of an earlier time stands in the place of a new
   * one, or one that stays the same was changed.
   */
  readonly lifetime?: Lifetime;
};

/** A place as one line: `exchange 1 › client message 2 › client_metadata.thread_id`. */
export function placeText({ exchange, part, path }: Place): string {
  return [`exchange ${exchange}`, part, ...(path.length === 0 ? [] : [path.join('.')])].join(' › ');
}

/** A node as a reader wants it: at most so many characters, from that one on. */
export function brief(node: JsonNode, most = 120, from = 0): string {
  const text = printJson(node);
  if (text.length <= most) return text;
  const end = from + most < text.length ? '…' : '';
  return `${from > 0 ? '…' : ''}${text.slice(from, from + most)}${end} (${text.length} characters)`;
}

/** The texts of what was expected and what is there; of two long ones what is around their first difference. */
export function contrast(
  expected: JsonNode | null,
  actual: JsonNode | null,
): { readonly expected: string | null; readonly actual: string | null } {
  const text = (node: JsonNode | null, from: number) => (node === null ? null : brief(node, 120, from));
  if (expected === null || actual === null) return { expected: text(expected, 0), actual: text(actual, 0) };
  const [one, other] = [printJson(expected), printJson(actual)];
  let same = 0;
  while (same < one.length && one[same] === other[same]) same += 1;
  const from = same < 100 ? 0 : same - 40;
  return { expected: text(expected, from), actual: text(actual, from) };
}

/** What kind of difference there is between two values that are not spelled alike. */
export function differenceOf(expected: JsonNode, actual: JsonNode): 'retyped' | 'respelled' | 'changed' {
  if (expected.kind === 'literal' && actual.kind === 'literal') {
    return typeof expected.value === typeof actual.value ? 'changed' : 'retyped';
  }
  if (expected.kind === 'number' && actual.kind === 'number') {
    return amount(expected.text) === amount(actual.text) ? 'respelled' : 'changed';
  }
  if (expected.kind === 'string' && actual.kind === 'string') {
    return expected.value === actual.value ? 'respelled' : 'changed';
  }
  return expected.kind === actual.kind ? 'changed' : 'retyped';
}

/** One text for all spellings of a number, whatever its size: all digits that count, and a power of ten. */
function amount(text: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const all = (whole + fraction).replace(/^0+/, '');
  const digits = all.replace(/0+$/, '');
  if (digits === '') return '0';
  return `${sign}${digits}e${Number(exponent) - fraction.length + all.length - digits.length}`;
}
