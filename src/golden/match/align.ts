import type { JsonNode } from '../../wire/json.ts';

/** How two lists correspond, as indices into `expected` and `actual`. Every index appears exactly once. */
export type Alignment = {
  readonly pairs: readonly (readonly [expected: number, actual: number])[];
  readonly missing: readonly number[];
  readonly added: readonly number[];
};

/** The least likeness of two versions of one item. */
const threshold = 0.3;
/** The weight of an exact match. With less, one moved item would appear as two changed ones. */
const exactWeight = 10;
/** Longer lists, with more pairs than this, are aligned window by window. */
export const maximumCells = 250_000;
/** Items of either list in a window. */
const window = 32;

/**
 * Aligns two lists by content and keeps their order. Exact matches come first, so that an inserted item is one addition
 * and does not change everything after it. `likeness` is 1 for items that match, and near 0 for items that have nothing
 * in common.
 *
 * Equal ends are removed first, so lists that hardly differ cost linear time. Lists with more than `cells` pairs cost
 * linear time too, but an item that moved far is not found there.
 */
export function align(
  expected: number,
  actual: number,
  likeness: (expected: number, actual: number) => number,
  cells = maximumCells,
): Alignment {
  /** The first unlike pair from either end, which is in the middle that is aligned then. */
  const unlike = new Map<number, number>();
  const alike = (a: number, b: number) => unlike.get(a * actual + b) ?? likeness(a, b);
  const matches = (a: number, b: number) => {
    const known = alike(a, b);
    if (known !== 1) unlike.set(a * actual + b, known);
    return known === 1;
  };
  let head = 0;
  while (head < Math.min(expected, actual) && matches(head, head)) head += 1;
  if (head === expected && head === actual) return { pairs: diagonal(0, 0, head), missing: [], added: [] };
  let tail = 0;
  const most = Math.min(expected, actual) - head;
  while (tail < most && matches(expected - 1 - tail, actual - 1 - tail)) tail += 1;

  const rows = expected - head - tail;
  const columns = actual - head - tail;
  const inside = (row: number, column: number) => alike(head + row, head + column);
  const inner = (rows * columns > cells ? pairsByWindow : bestPairs)(rows, columns, inside);
  const pairs: (readonly [number, number])[] = [
    ...diagonal(0, 0, head),
    ...inner.map(([row, column]): [number, number] => [head + row, head + column]),
    ...diagonal(expected - tail, actual - tail, tail),
  ];
  const pairedExpected = new Set(pairs.map(([a]) => a));
  const pairedActual = new Set(pairs.map(([, b]) => b));
  return {
    pairs,
    missing: range(0, expected).filter((index) => !pairedExpected.has(index)),
    added: range(0, actual).filter((index) => !pairedActual.has(index)),
  };
}

/**
 * Pairs items as bestPairs does, in windows that move along the lists. Of each window the first half counts, since the
 * counterparts of the rest may be outside. Without any similar pair in a window, items are paired by position.
 */
function pairsByWindow(
  rows: number,
  columns: number,
  likeness: (row: number, column: number) => number,
): [number, number][] {
  const pairs: [number, number][] = [];
  let [row, column] = [0, 0];
  while (row < rows && column < columns) {
    if (likeness(row, column) === 1) {
      pairs.push([row, column]);
      row += 1;
      column += 1;
      continue;
    }
    const [high, wide] = [Math.min(window, rows - row), Math.min(window, columns - column)];
    const [top, left] = [row, column];
    const seen = bestPairs(high, wide, (down, right) => likeness(top + down, left + right));
    const isLast = row + high === rows && column + wide === columns;
    const sure = isLast ? seen : seen.filter(([down, right]) => Math.min(down, right) < window / 2);
    const byPosition = range(0, Math.min(high, wide, window / 2)).map((at): [number, number] => [at, at]);
    const counted = sure.length > 0 ? sure : byPosition;
    for (const [down, right] of counted) pairs.push([top + down, left + right]);
    if (isLast && sure.length > 0) break;
    const [down, right] = counted.at(-1) ?? [0, 0];
    row = top + down + 1;
    column = left + right + 1;
  }
  return pairs;
}

/** The pairs, in order, with the largest sum of likenesses (Needleman and Wunsch, without a gap penalty). */
function bestPairs(
  rows: number,
  columns: number,
  likeness: (row: number, column: number) => number,
): [number, number][] {
  const width = columns + 1;
  const likenesses = new Float64Array(rows * columns);
  const best = new Float64Array((rows + 1) * width);
  for (let row = rows - 1; row >= 0; row -= 1) {
    for (let column = columns - 1; column >= 0; column -= 1) {
      const alike = likeness(row, column);
      likenesses[row * columns + column] = alike;
      const paired = alike >= threshold ? weight(alike) + at(best, (row + 1) * width + column + 1) : 0;
      best[row * width + column] = Math.max(
        paired,
        at(best, (row + 1) * width + column),
        at(best, row * width + column + 1),
      );
    }
  }
  const pairs: [number, number][] = [];
  for (let row = 0, column = 0; row < rows && column < columns; ) {
    const alike = at(likenesses, row * columns + column);
    const here = at(best, row * width + column);
    if (alike >= threshold && here === weight(alike) + at(best, (row + 1) * width + column + 1)) {
      pairs.push([row, column]);
      row += 1;
      column += 1;
    } else if (here === at(best, (row + 1) * width + column)) row += 1;
    else column += 1;
  }
  return pairs;
}

/**
 * The positions that are out of order in a list of ranks: those outside of its longest increasing subsequence, so that
 * one moved item is one position.
 */
export function outOfOrder(ranks: readonly number[]): number[] {
  /** By length: the positions that end a subsequence of that length. Their ranks never increase. */
  const ends: number[][] = [];
  const before: number[] = [];
  const isLower = (position: number | undefined, rank: number) => (ranks[position ?? 0] ?? 0) < rank;
  for (const [position, rank] of ranks.entries()) {
    const length = firstIndex(ends.length, (index) => !isLower(ends[index]?.at(-1), rank));
    const shorter = ends[length - 1] ?? [];
    before.push(shorter[firstIndex(shorter.length, (index) => isLower(shorter[index], rank))] ?? -1);
    ends[length] ??= [];
    ends[length].push(position);
  }
  const kept = new Set<number>();
  for (let here = ends.at(-1)?.[0] ?? -1; here >= 0; here = before[here] ?? -1) kept.add(here);
  return ranks.map((_, index) => index).filter((index) => !kept.has(index));
}

/** The first index below `length` that `matches` accepts, by bisection: it accepts all that follow. `length` if none. */
function firstIndex(length: number, matches: (index: number) => boolean): number {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (matches(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * The likeness of two nodes by form alone. A changed number, string or flag is a version of the one at its place; so is
 * a list, or an object with so few members that one change leaves little of it.
 */
export function likenessOfForm(a: JsonNode, b: JsonNode): number {
  if (isScalar(a) && isScalar(b)) return a.kind === b.kind ? 0.5 : threshold;
  if (a.kind === 'object' && b.kind === 'object') {
    return Math.max(a.members.length, b.members.length) <= 2 ? threshold : 0;
  }
  return a.kind === 'array' && b.kind === 'array' ? threshold : 0;
}

function isScalar({ kind }: JsonNode): boolean {
  return kind !== 'array' && kind !== 'object';
}

function weight(likeness: number): number {
  return likeness === 1 ? exactWeight : likeness;
}

function at(table: Float64Array, index: number): number {
  return table[index] ?? 0;
}

/** Pairs of successive indices. */
function diagonal(expected: number, actual: number, length: number): [number, number][] {
  const pairs: [number, number][] = [];
  for (let index = 0; index < length; index += 1) pairs.push([expected + index, actual + index]);
  return pairs;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index);
}
