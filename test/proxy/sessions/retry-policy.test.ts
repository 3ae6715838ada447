import { expect, it } from 'vitest';
import { retryAfter } from '../../../src/proxy/http/account-limit.ts';
import { isRetriedPost, type PostOutcome } from '../../../src/proxy/sessions/retry-policy.ts';

const headersWith = (value: string) => [['Retry-After', value]] as const;
const overloaded = (value: string): PostOutcome => ({
  kind: 'response',
  response: { status: 429, headers: headersWith(value), body: Buffer.from('{}') },
  isFinal: false,
});

it.each([
  ['3', 3_000],
  ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
])('retries after the time that retry-after "%s" states', (value, milliseconds) => {
  expect(retryAfter(headersWith(value))).toBe(milliseconds);
  expect(isRetriedPost(overloaded(value))).toBe(true);
});

it.each(['soon', '-1', '1.5', 'at noon GMT', ''])('ignores an invalid retry-after "%s"', (value) => {
  expect(retryAfter(headersWith(value))).toBeUndefined();
  expect(isRetriedPost(overloaded(value))).toBe(false);
});
