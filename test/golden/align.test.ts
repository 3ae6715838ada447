import fc from 'fast-check';
import { expect, it } from 'vitest';
import { align, outOfOrder } from '../../src/golden/match/align.ts';

/** Letters are alike when they are equal, and half alike when they differ in case only. */
function aligned(expected: string, actual: string) {
  return align(expected.length, actual.length, (one, other) => {
    const [mine, theirs] = [expected[one] ?? '', actual[other] ?? ''];
    return mine === theirs ? 1 : mine.toLowerCase() === theirs.toLowerCase() ? 0.9 : 0;
  });
}

it('takes an insertion for one addition', () => {
  expect(aligned('abc', 'axbc')).toMatchObject({ missing: [], added: [1] });
  expect(aligned('aaa', 'aaaa')).toMatchObject({ missing: [], added: [expect.any(Number)] });
});

it('pairs versions of each other at their place', () => {
  expect(aligned('abc', 'aBc')).toEqual({
    pairs: [
      [0, 0],
      [1, 1],
      [2, 2],
    ],
    missing: [],
    added: [],
  });
});

it('prefers an exact match to two near ones', () => {
  expect(aligned('aA', 'Aa')).toMatchObject({ missing: [0], added: [1] });
});

it('pairs what is too much to be aligned by position', () => {
  const { pairs, missing, added } = align(600, 601, () => 0);
  expect([pairs.length, missing, added]).toEqual([600, [], [600]]);
});

it('puts every item in exactly one place, in order', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'A', 'b', 'c'), maxLength: 8 });
  fc.assert(
    fc.property(letters, letters, (expected, actual) => {
      const { pairs, missing, added } = aligned(expected, actual);
      const all = (list: readonly number[]) => [...list].sort((a, b) => a - b);
      expect(all([...pairs.map(([one]) => one), ...missing])).toEqual([...expected].map((_, at) => at));
      expect(all([...pairs.map(([, other]) => other), ...added])).toEqual([...actual].map((_, at) => at));
      expect(outOfOrder(pairs.map(([, other]) => other))).toEqual([]);
    }),
  );
});

it('names the one that moved, and not those it passed', () => {
  expect(outOfOrder([1, 2, 3, 0])).toEqual([3]);
  expect(outOfOrder([3, 0, 1, 2])).toEqual([0]);
  expect(outOfOrder([0, 1, 2])).toEqual([]);
  expect(outOfOrder([])).toEqual([]);
});
