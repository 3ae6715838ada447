import { expect, it } from 'vitest';
import { keyOrder } from '../../../src/proxy/shape/key-order.ts';

it('keeps the order of the first list', () => {
  expect(
    keyOrder([
      ['b', 'a'],
      ['a', 'b'],
    ]),
  ).toEqual(['b', 'a']);
});

it('puts a further key behind the one that precedes it where it was seen', () => {
  const order = keyOrder([
    ['type', 'stream', 'input'],
    ['type', 'stream', 'service_tier', 'input'],
  ]);
  expect(order).toEqual(['type', 'stream', 'service_tier', 'input']);
});

it('puts a further key first where it was seen first', () => {
  expect(keyOrder([['b'], ['a', 'b']])).toEqual(['a', 'b']);
});
