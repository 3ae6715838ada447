import { expect, it } from 'vitest';
import { canBeAskedAgain, type PostOutcome, pauseIn } from '../../../src/proxy/sessions/again.ts';

const retryAfter = (pause: string) => [['Retry-After', pause]] as const;
const overloaded = (pause: string): PostOutcome => ({
  kind: 'response',
  response: { status: 429, headers: retryAfter(pause), body: Buffer.from('{}') },
  isFinal: false,
});

it.each([
  ['17', 17_000],
  ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
])('waits where the backend asks for "%s"', (pause, milliseconds) => {
  expect(pauseIn(retryAfter(pause))).toBe(milliseconds);
  expect(canBeAskedAgain(overloaded(pause))).toBe(true);
});

it.each(['soon', '-1', '1.5', 'at noon GMT', ''])('takes "%s" for no time to come again', (pause) => {
  expect(pauseIn(retryAfter(pause))).toBeUndefined();
  expect(canBeAskedAgain(overloaded(pause))).toBe(false);
});
