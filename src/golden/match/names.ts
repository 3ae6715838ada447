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

type NamePair = readonly [expected: number, actual: number];

/**
 * Pairs equal names first. A missing and an added name are one renamed name when their spellings are similar, or when
 * `sameValue` says that their values match, and no other candidate's do.
 */
export function matchNames(
  expected: readonly string[],
  actual: readonly string[],
  sameValue: (expected: number, actual: number) => boolean,
): NameMatch {
  const free = Map.groupBy(actual.keys(), (index) => actual[index]);
  const pairs: NamePair[] = [];
  const unmatched: number[] = [];
  for (const [index, name] of expected.entries()) {
    const partner = free.get(name)?.shift();
    if (partner === undefined) unmatched.push(index);
    else pairs.push([index, partner]);
  }
  const extra = [...free.values()].flat().sort((a, b) => a - b);
  const sameSpelling = (a: number, b: number) => normal(expected[a] ?? '') === normal(actual[b] ?? '');
  const renamed = findRenamed(unmatched, extra, sameSpelling, sameValue);
  const all = [...pairs, ...renamed].sort(([, a], [, b]) => a - b);
  return {
    pairs,
    missing: unmatched.filter((index) => !renamed.some(([a]) => a === index)),
    added: extra.filter((index) => !renamed.some(([, b]) => b === index)),
    renamed,
    moved: outOfOrder(all.map(([a]) => a)).flatMap((index) => all[index]?.[1] ?? []),
  };
}

/** Pairs names by spelling first, then by value where exactly one candidate matches. */
function findRenamed(
  missing: readonly number[],
  added: readonly number[],
  sameSpelling: (expected: number, actual: number) => boolean,
  sameValue: (expected: number, actual: number) => boolean,
): NamePair[] {
  const renamed: NamePair[] = [];
  const isFree = ([a, b]: NamePair) => !renamed.some(([takenA, takenB]) => takenA === a || takenB === b);
  const candidates = (matches: (a: number, b: number) => boolean) =>
    missing
      .flatMap((a) => added.map((b): NamePair => [a, b]))
      .filter((pair) => isFree(pair) && matches(...pair));
  for (const pair of candidates(sameSpelling)) if (isFree(pair)) renamed.push(pair);
  const byValue = candidates((a, b) => !sameSpelling(a, b) && sameValue(a, b));
  const isOnly = (pair: NamePair) => byValue.filter(([a, b]) => a === pair[0] || b === pair[1]).length === 1;
  return [...renamed, ...byValue.filter(isOnly)];
}

function normal(name: string): string {
  return name.toLowerCase().replaceAll(/[-_ ]/g, '');
}
