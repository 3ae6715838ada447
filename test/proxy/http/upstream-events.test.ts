import { expect, it } from 'vitest';
import { isLastEvent, readEvent } from '../../../src/proxy/http/upstream-events.ts';
import { created, done, event, message } from '../chat/events.ts';

it('reads an event and keeps its text', () => {
  const text = '{ "type" : "response.created", "n": 1.0 }';
  expect(readEvent(text)).toMatchObject({ type: 'response.created', text });
});

it.each(['not json', '[]', '"text"', '{}', '{"type":5}'])('ignores %s, which is not an event', (text) => {
  expect(readEvent(text)).toBeUndefined();
});

it.each(['response.completed', 'response.incomplete', 'response.failed', 'error'])(
  'ends a response with %s',
  (type) => {
    expect(isLastEvent(event(type).type)).toBe(true);
  },
);

it('continues after other events', () => {
  expect(
    [created, done(0, message('hi')), event('codex.rate_limits')].map(({ type }) => isLastEvent(type)),
  ).toEqual([false, false, false]);
});
