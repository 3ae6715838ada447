import fc from 'fast-check';
import { expect, it } from 'vitest';
import { align, outOfOrder } from '../../src/golden/match/align.ts';

/** Aligns letters. Equal letters are exact matches; letters that differ only in case are near matches. */
function aligned(expected: string, actual: string) {
  return align(expected.length, actual.length, (expectedIndex, actualIndex) => {
    const [a, b] = [expected[expectedIndex] ?? '', actual[actualIndex] ?? ''];
    return a === b ? 1 : a.toLowerCase() === b.toLowerCase() ? 0.9 : 0;
  });
}

it('reports an insertion as one addition', () => {
  expect(aligned('abc', 'axbc')).toMatchObject({ missing: [], added: [1] });
  expect(aligned('aaa', 'aaaa')).toMatchObject({ missing: [], added: [expect.any(Number)] });
});

it('pairs near matches at the same position', () => {
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

it('pairs lists that are too long to align by position', () => {
  const { pairs, missing, added } = align(600, 601, () => 0);
  expect([pairs.length, missing, added]).toEqual([600, [], [600]]);
});

it('uses every item exactly once, in order', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'A', 'b', 'c'), maxLength: 8 });
  fc.assert(
    fc.property(letters, letters, (expected, actual) => {
      const { pairs, missing, added } = aligned(expected, actual);
      const all = (list: readonly number[]) => [...list].sort((a, b) => a - b);
      expect(all([...pairs.map(([index]) => index), ...missing])).toEqual([...expected].map((_, at) => at));
      expect(all([...pairs.map(([, index]) => index), ...added])).toEqual([...actual].map((_, at) => at));
      expect(outOfOrder(pairs.map(([, index]) => index))).toEqual([]);
    }),
  );
});

it('names the item that moved, not the items it passed', () => {
  expect(outOfOrder([1, 2, 3, 0])).toEqual([3]);
  expect(outOfOrder([3, 0, 1, 2])).toEqual([0]);
  expect(outOfOrder([0, 1, 2])).toEqual([]);
  expect(outOfOrder([])).toEqual([]);
});

it('leaves in place as many items as it can', () => {
  const longest = (ranks: readonly number[]): number => {
    const lengths: number[] = [];
    for (const [here, rank] of ranks.entries())
      lengths.push(
        1 + Math.max(0, ...lengths.filter((_, earlier) => (ranks[earlier] ?? 0) < rank && earlier < here)),
      );
    return Math.max(0, ...lengths);
  };
  fc.assert(
    fc.property(fc.array(fc.nat(12), { maxLength: 12 }), (ranks) => {
      const moved = new Set(outOfOrder(ranks));
      const left = ranks.filter((_, index) => !moved.has(index));
      expect(left.every((rank, index) => index === 0 || (left[index - 1] ?? 0) < rank)).toBe(true);
      expect(left.length).toBe(longest(ranks));
    }),
  );
});

it('finds what moved in a list of 100,000 items', () => {
  const ranks = Array.from({ length: 100_000 }, (_, index) => (index * 7919) % 100_000);
  const start = process.cpuUsage();
  expect(outOfOrder(ranks).length).toBeGreaterThan(90_000);
  expect(process.cpuUsage(start).user / 1000).toBeLessThan(5000);
});
