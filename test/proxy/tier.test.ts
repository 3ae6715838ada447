import { expect, it } from 'vitest';
import { wireTier } from '../../src/proxy/tier.ts';

it.each([
  ['fast', 'priority'],
  ['priority', 'priority'],
  ['flex', 'flex'],
  ['default', undefined],
  ['auto', undefined],
  ['scale', undefined],
  [undefined, undefined],
])('sends %s as %s', (asked, sent) => {
  expect(wireTier(asked)).toBe(sent);
});
