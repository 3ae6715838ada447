import { expect, it } from 'vitest';
import { NumberList } from '../../src/trace/number-list.ts';

it('has every number at its place, and nothing behind the last', () => {
  const list = new NumberList();
  const numbers = Array.from({ length: 1000 }, (_, at) => at * 5_000_000_000);
  for (const number of numbers) list.push(number);
  expect(list.length).toBe(1000);
  expect(numbers.map((_, at) => list.at(at))).toEqual(numbers);
  expect([list.at(-1), list.at(1000)]).toEqual([undefined, undefined]);
});
