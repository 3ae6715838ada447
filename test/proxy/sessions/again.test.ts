import { expect, it } from 'vitest';
import { BackendAnswer } from '../../../src/proxy/http/backend-answer.ts';
import { canBeAskedAgain, pauseIn } from '../../../src/proxy/sessions/again.ts';

const overloaded = (pause: string) => new BackendAnswer(429, [['Retry-After', pause]], Buffer.from('{}'));

it.each([
  ['17', 17_000],
  ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
])('waits where the backend asks for "%s"', (pause, milliseconds) => {
  expect(pauseIn(overloaded(pause))).toBe(milliseconds);
  expect(canBeAskedAgain(overloaded(pause))).toBe(true);
});

it.each(['soon', '-1', '1.5', 'at noon GMT', ''])('takes "%s" for no time to come again', (pause) => {
  expect(pauseIn(overloaded(pause))).toBeUndefined();
  expect(canBeAskedAgain(overloaded(pause))).toBe(false);
});
