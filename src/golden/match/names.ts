import { outOfOrder } from './align.ts';

/** How the names in two lists (header names, object keys) correspond; duplicates pair off in order. */
export type NameMatch = {
  readonly pairs: readonly (readonly [expected: number, actual: number])[];
  readonly missing: readonly number[];
  readonly added: readonly number[];
  /** Missing and added ones that are one name spelled differently, as in `session_id` and `session-id`. */
  readonly renamed: readonly (readonly [expected: number, actual: number])[];
  /** Indices into `actual` of paired names that stand elsewhere among their fellows. */
  readonly moved: readonly number[];
};

/**
 * Matches names exactly first. `sameValue` tells whether an expected value and an actual one match: a missing and an
 * added name are one renamed thing when their spellings are close, or when their values match and no other's do.
 */
export function matchNames(
  expected: readonly string[],
  actual: readonly string[],
  sameValue: (expected: number, actual: number) => boolean,
): NameMatch {
  const free = new Map<string, number[]>();
  actual.forEach((name, at) => {
    free.set(name, [...(free.get(name) ?? []), at]);
  });
  const pairs: (readonly [number, number])[] = [];
  const unmatched: number[] = [];
  expected.forEach((name, at) => {
    const partner = free.get(name)?.shift();
    if (partner === undefined) unmatched.push(at);
    else pairs.push([at, partner]);
  });
  const taken = new Set(pairs.map(([, at]) => at));
  const extra = actual.map((_, at) => at).filter((at) => !taken.has(at));

  const renamed = findRenamed(unmatched, extra, (one, other) => {
    if (spelling(expected[one] ?? '') === spelling(actual[other] ?? '')) return 2;
    return sameValue(one, other) ? 1 : 0;
  });
  const together = [...pairs, ...renamed].sort(([, one], [, other]) => one - other);
  const moved = outOfOrder(together.map(([one]) => one)).flatMap((index) => together[index]?.[1] ?? []);
  return {
    pairs,
    missing: unmatched.filter((at) => !renamed.some(([one]) => one === at)),
    added: extra.filter((at) => !renamed.some(([, other]) => other === at)),
    renamed,
    moved,
  };
}

/** Pairs by spelling (2) first; by value (1) only where that is unambiguous. */
function findRenamed(
  missing: readonly number[],
  added: readonly number[],
  closeness: (expected: number, actual: number) => number,
): [number, number][] {
  const renamed: [number, number][] = [];
  const isFree = ([one, other]: readonly [number, number]) =>
    !renamed.some(([taken, alsoTaken]) => taken === one || alsoTaken === other);
  const candidates = (wanted: number) =>
    missing
      .flatMap((one) =>
        added
          .filter((other) => closeness(one, other) === wanted)
          .map((other): [number, number] => [one, other]),
      )
      .filter(isFree);
  for (const pair of candidates(2)) if (isFree(pair)) renamed.push(pair);
  const byValue = candidates(1);
  for (const pair of byValue) {
    const rivals = byValue.filter(([one, other]) => one === pair[0] || other === pair[1]);
    if (rivals.length === 1) renamed.push(pair);
  }
  return renamed;
}

function spelling(name: string): string {
  return name.toLowerCase().replaceAll(/[-_ ]/g, '');
}
