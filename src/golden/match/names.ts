import { outOfOrder } from './align.ts';

/** How the names in two lists (header names, object keys) correspond. Duplicates pair off in order. */
export type NameMatch = {
  readonly pairs: readonly NamePair[];
  readonly missing: readonly number[];
  readonly added: readonly number[];
  /** A missing and an added name that are one name spelled differently, such as `session_id` and `session-id`. */
  readonly renamed: readonly NamePair[];
  /** Indices into `actual` of paired names in another position among their neighbours. */
  readonly moved: readonly number[];
};

/** The indices of one name. */
export type NamePair = readonly [expected: number, actual: number];

/** Where more pairs of names than this could be one renamed name, only spellings decide. */
const maximumRenames = 4096;

/**
 * Pairs equal names first. A missing and an added name are one renamed name when their spellings are similar, or when
 * `sameValue` says that their values match, and no other candidate's do.
 */
export function matchNames(
  expected: readonly string[],
  actual: readonly string[],
  sameValue: (expected: number, actual: number) => boolean,
): NameMatch {
  if (expected.length === actual.length && expected.every((name, index) => name === actual[index])) {
    const pairs = expected.map((_, index): NamePair => [index, index]);
    return { pairs, missing: [], added: [], renamed: [], moved: [] };
  }
  const spelled = (keyOf: (name: string) => string, missing: Iterable<number>, added: Iterable<number>) =>
    pairEqual(keysOf(expected, missing, keyOf), keysOf(actual, added, keyOf));
  const equal = spelled((name) => name, expected.keys(), actual.keys());
  const similar = spelled(normal, equal.missing, equal.added);
  const renamed = [...similar.pairs, ...pairByValue(similar.missing, similar.added, sameValue)];
  const [renamedExpected, renamedActual] = [
    new Set(renamed.map(([a]) => a)),
    new Set(renamed.map(([, b]) => b)),
  ];
  const all = [...equal.pairs, ...renamed].sort(([, a], [, b]) => a - b);
  return {
    pairs: equal.pairs,
    missing: equal.missing.filter((index) => !renamedExpected.has(index)),
    added: equal.added.filter((index) => !renamedActual.has(index)),
    renamed,
    moved: outOfOrder(all.map(([a]) => a)).flatMap((index) => all[index]?.[1] ?? []),
  };
}

/** The keys of the names at some indices. */
function keysOf(
  names: readonly string[],
  indices: Iterable<number>,
  keyOf: (name: string) => string,
): ReadonlyMap<number, string> {
  return new Map(Array.from(indices, (index) => [index, keyOf(names[index] ?? '')]));
}

/** Pairs indices with equal keys, in order. */
function pairEqual(expected: ReadonlyMap<number, string>, actual: ReadonlyMap<number, string>) {
  const free = Map.groupBy([...actual.keys()].reverse(), (index) => actual.get(index));
  const pairs: NamePair[] = [];
  const missing: number[] = [];
  for (const [index, key] of expected) {
    const partner = free.get(key)?.pop();
    if (partner === undefined) missing.push(index);
    else pairs.push([index, partner]);
  }
  const added = [...free.values()].flat().sort((a, b) => a - b);
  return { pairs, missing, added };
}

/** Pairs names whose values match, where exactly one candidate's do. */
function pairByValue(
  missing: readonly number[],
  added: readonly number[],
  sameValue: (expected: number, actual: number) => boolean,
): NamePair[] {
  if (missing.length * added.length > maximumRenames) return [];
  const candidates = missing.flatMap((a) =>
    added.filter((b) => sameValue(a, b)).map((b): NamePair => [a, b]),
  );
  const [byExpected, byActual] = [Map.groupBy(candidates, ([a]) => a), Map.groupBy(candidates, ([, b]) => b)];
  return candidates.filter(([a, b]) => byExpected.get(a)?.length === 1 && byActual.get(b)?.length === 1);
}

function normal(name: string): string {
  return name.toLowerCase().replaceAll(/[-_ ]/g, '');
}
