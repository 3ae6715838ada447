import { expect, it } from 'vitest';
import { sessionKeyOf } from '../../../src/proxy/sessions/session-key.ts';
import { readTurnRequest } from '../../../src/proxy/sessions/turn-request.ts';

const message = (role: string, text: string) => ({ type: 'message', role, content: text });

function keyFor(instructions: string, input: readonly object[], caller = ''): string | undefined {
  const request = readTurnRequest(JSON.stringify({ model: 'm', instructions, input }), {
    isLite: () => false,
  });
  return sessionKeyOf([], request, caller).key;
}

it('finds the session of a conversation by its instructions and its items up to the first of the user', () => {
  const long = 'x'.repeat(20_000);
  const start = [message('developer', long), message('user', 'Hello')];
  const key = keyFor(long, start);
  expect(key).toBeDefined();
  expect(keyFor(long, [...start, message('assistant', 'Hi'), message('user', 'More')])).toBe(key);
  const others = [
    keyFor(long, start, 'another'),
    keyFor(`${long}y`, start),
    keyFor(`y${long.slice(1)}`, start),
    keyFor(`${long.slice(1)}y`, start),
    keyFor(long, [message('developer', `${long}y`), message('user', 'Hello')]),
    keyFor(long, [message('developer', long), message('user', 'Hullo')]),
    keyFor(long, [message('developer', long), message('user', `${long}Hello${long}`)]),
    keyFor(long, [message('developer', long), message('user', `${long}Hullo${long}`)]),
  ];
  expect(new Set([key, ...others]).size).toBe(others.length + 1);
});

it('finds it after many other conversations, and after long ones', () => {
  const start = (text: string) => [message('developer', text), message('user', text)];
  const texts = ['a', 'b'.repeat(3000), 'c'.repeat(30_000)];
  const keys = texts.map((text) => keyFor('', start(text)));
  for (let n = 0; n < 500; n += 1) keyFor('', start(`other ${n}`));
  expect(texts.map((text) => keyFor('', start(text)))).toEqual(keys);
  expect(new Set(keys).size).toBe(texts.length);
});
