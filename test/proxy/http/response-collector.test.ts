import { expect, it } from 'vitest';
import {
  ResponseCollector,
  readEvent,
  streamEndedEarly,
  type UpstreamEvent,
} from '../../../src/proxy/http/upstream-events.ts';
import { printJson } from '../../../src/wire/json.ts';
import { completed, created, delta, done, event, functionCall, message, response } from '../chat/events.ts';

/** The response after the last event, as JSON text. */
function collected(...events: UpstreamEvent[]): string | undefined {
  const collector = new ResponseCollector();
  const responses = events.map((event) => collector.take(event));
  expect(responses.slice(0, -1).every((early) => early === undefined)).toBe(true);
  const last = responses.at(-1);
  return last === undefined ? undefined : printJson(last);
}

it.each([
  ['response.completed', 'completed'],
  ['response.incomplete', 'incomplete'],
  ['response.failed', 'failed'],
])('returns the response of %s unchanged', (type, status) => {
  const text = JSON.stringify(response(status, { output: [message('hi')] })).replace(
    '"created_at":5',
    '"created_at":5.0',
  );
  const last = readEvent(`{"type":"${type}","response":${text}}`);
  if (last === undefined) throw new Error('the event was not read');
  expect(collected(created, delta('output_text', 0, 'hi'), done(0, message('other')), last)).toBe(text);
});

it('fills an empty output with the completed items, by index', () => {
  const [first, second] = [message('hi'), functionCall('f', '{}')];
  const expected = JSON.stringify(response('completed', { output: [first, second] }));
  const last = event('response.completed', { response: response('completed') });
  expect(collected(created, done(1, second), done(0, first), last)).toBe(expected);
});

it('adds an output that is missing', () => {
  const last = event('response.completed', { response: { id: 'a' } });
  expect(collected(done(0, message('hi')), last)).toBe(JSON.stringify({ id: 'a', output: [message('hi')] }));
});

it('returns no response before the last event', () => {
  expect(collected(created, done(0, message('hi')))).toBeUndefined();
});

const limitError = { type: 'usage_limit_reached', message: 'limit', resets_in_seconds: 5 };

it.each([
  ['the status and the error of a frame', { status: 429, error: limitError }, 429, limitError],
  ['the status in status_code', { status_code: 402, error: limitError }, 402, limitError],
  [
    'the status of the code, if the frame has none',
    { error: { code: 'rate_limit_exceeded' } },
    429,
    { code: 'rate_limit_exceeded' },
  ],
  ['an invalid status as 500', { status: 200, error: { code: 'x' } }, 500, { code: 'x' }],
  [
    'the status of the type, if there is no code',
    { error: { type: 'invalid_request_error' } },
    400,
    { type: 'invalid_request_error' },
  ],
  [
    'the error of an event with its code at the top level',
    { code: 'server_is_overloaded', message: 'busy', param: null, sequence_number: 3 },
    503,
    { code: 'server_is_overloaded', message: 'busy', param: null, type: 'server_error' },
  ],
])('reports %s', (_what, frame, status, error) => {
  const expected = expect.objectContaining({ status, body: JSON.stringify({ error }) });
  expect(() => collected(created, event('error', frame))).toThrow(expected);
});

it('keeps the spelling of an error', () => {
  const frame = readEvent('{"type":"error","status":400,"error":{"message":"\\u00e9","at":1.0}}');
  if (frame === undefined) throw new Error('the event was not read');
  expect(() => collected(frame)).toThrow(
    expect.objectContaining({ body: '{"error":{"message":"\\u00e9","at":1.0}}' }),
  );
});

it('reports a last event without a response, and an early end, as errors of the backend', () => {
  expect(() => collected(event('response.completed'))).toThrow(
    expect.objectContaining({
      status: 502,
      message: 'the backend sent response.completed without a response',
    }),
  );
  expect(streamEndedEarly()).toMatchObject({
    status: 502,
    body: expect.stringContaining('"code":"stream_ended"'),
  });
});

it('ignores unknown events', () => {
  expect(collected(event('codex.rate_limits'), completed())).toBe(
    JSON.stringify(JSON.parse(completed().text).response),
  );
});
