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

it('puts a new key after the key that precedes it in its own list', () => {
  const order = keyOrder([
    ['type', 'stream', 'input'],
    ['type', 'stream', 'service_tier', 'input'],
  ]);
  expect(order).toEqual(['type', 'stream', 'service_tier', 'input']);
});

it('puts a new key first if it is first in its own list', () => {
  expect(keyOrder([['b'], ['a', 'b']])).toEqual(['a', 'b']);
});
