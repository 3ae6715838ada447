import { expect, it } from 'vitest';
import {
  libraryRequestNeutrality,
  libraryResponseNeutrality,
  resultNeutrality,
} from '../../src/diff/neutrality/library.ts';
import type { Mismatch } from '../../src/golden/match/mismatch.ts';
import { toNode } from '../../src/wire/json.ts';
import { body, exchangeOf, message } from './exchange.ts';

const asked = '{"model":"m","input":["one"],"stream":true}';
const created = '{"type":"response.created"}';
const output = '"status":"completed","output":[{"type":"message","content":[{"text":"Hel"},{"text":"lo"}]}]';
const completed = `{"type":"response.completed","response":{${output}}}`;

/** One turn upstream, behind a prewarm. */
const upstream = (request: string, ...events: readonly string[]) =>
  exchangeOf([
    message('client', '{"model":"m","input":[],"generate":false}'),
    message('backend', completed),
    message('client', request),
    ...events.map((event) => message('backend', event)),
  ]);

const inFront = (...answer: readonly string[]) =>
  exchangeOf([
    body('client', asked),
    { type: 'response', exchange: 1, status: 200, headers: [] },
    ...(answer.length === 0 ? [] : [body('backend', ...answer)]),
  ]);

const summaries = (found: readonly Mismatch[]) =>
  found.map(({ kind, places }) => `${kind} ${places.map(({ path }) => path.join('.')).join(' ')}`.trimEnd());

it('compares a request with its turn, not with its prewarm', () => {
  const turn = '{"type":"response.create","store":false,"input":["one"],"model":"m"}';
  expect(summaries(libraryRequestNeutrality([inFront()], [upstream(turn, completed)]))).toEqual([
    'added store',
  ]);
  expect(
    summaries(libraryRequestNeutrality([inFront()], [upstream(turn.replace('one', 'two'), completed)])),
  ).toContain('changed input.0');
});

it('compares the last items if the whole conversation was sent again', () => {
  const goesOn = exchangeOf([body('client', '{"model":"m","previous_response_id":"r","input":["two"]}')]);
  const again = (input: string) => upstream(`{"model":"m","input":${input}}`, completed);
  expect(libraryRequestNeutrality([goesOn], [again('["one","two"]')])).toEqual([]);
  expect(summaries(libraryRequestNeutrality([goesOn], [again('["two","one"]')]))).toEqual([
    'changed input.0',
  ]);
  const injected = upstream('{"model":"m","input":["zero","one"],"stream":true}', completed);
  expect(libraryRequestNeutrality([inFront()], [injected])).not.toEqual([]);
});

it('expects every event of a stream in order, and otherwise the response of the last event', () => {
  const back = [upstream(asked, created, completed)];
  expect(libraryResponseNeutrality([inFront(created, completed)], back)).toEqual([]);
  expect(libraryResponseNeutrality([inFront(completed, created)], back)).not.toEqual([]);
  expect(libraryResponseNeutrality([inFront(`{${output}}`)], back)).toEqual([]);
  expect(summaries(libraryResponseNeutrality([inFront(`{${output.replace('Hel', 'Hal')}}`)], back))).toEqual([
    'changed output.0.content.0.text',
  ]);
  expect(summaries(libraryResponseNeutrality([inFront()], back))).toEqual(['missing']);
});

it('does not expect events that only the official client reads', () => {
  const ownEvents = ['{"type":"codex.rate_limits"}', '{"type":"response.metadata"}'];
  const back = [upstream(asked, ...ownEvents, created, completed)];
  expect(libraryResponseNeutrality([inFront(created, completed)], back)).toEqual([]);
  expect(libraryResponseNeutrality([inFront(...ownEvents, created, completed)], back)).toEqual([]);
});

it('takes empty instructions for none, and no others', () => {
  const added = (text: string) => upstream(asked.replace('{', `{"instructions":"${text}",`), completed);
  expect(libraryRequestNeutrality([inFront()], [added('')])).toEqual([]);
  expect(summaries(libraryRequestNeutrality([inFront()], [added('Be brief.')]))).toEqual([
    'added instructions',
  ]);
});

/** The members of a chat completion besides text and ending, as its program puts them together. */
const completion = (calls: readonly object[] = []) =>
  toNode({
    object: 'chat.completion.chunk',
    choices: 1,
    role: 'assistant',
    refusal: '',
    annotations: [],
    tool_calls: calls,
  });

it('expects the text of a response and its status or finish reason', () => {
  const back = [upstream(asked, completed)];
  expect(
    resultNeutrality([{ text: 'Hello', ending: 'completed' }], back, { surface: 'responses', streams: true }),
  ).toEqual([]);
  expect(
    resultNeutrality([{ text: 'Hello', ending: 'stop', completion: completion() }], back, {
      surface: 'chat',
      streams: true,
    }),
  ).toEqual([]);
  expect(
    summaries(
      resultNeutrality([{ text: 'Hello', ending: 'length', completion: completion() }], back, {
        surface: 'chat',
        streams: true,
      }),
    ),
  ).toEqual(['changed ending']);
  expect(summaries(resultNeutrality([], back, { surface: 'chat', streams: true }))).toEqual(['missing']);
});

it.each([
  {
    response: '{"status":"completed","output":[{"type":"function_call"}]}',
    ending: 'tool_calls',
    calls: [{ index: 0, id: '', type: 'function', name: '', arguments: '' }],
  },
  {
    response: '{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}',
    ending: 'length',
  },
  {
    response: '{"status":"incomplete","incomplete_details":{"reason":"content_filter"}}',
    ending: 'content_filter',
  },
])('expects the finish reason $ending of the chat API', ({ response, ending, calls }) => {
  const back = [upstream(asked, `{"type":"response.completed","response":${response}}`)];
  expect(
    resultNeutrality([{ text: '', ending, completion: completion(calls) }], back, {
      surface: 'chat',
      streams: true,
    }),
  ).toEqual([]);
  expect(
    summaries(
      resultNeutrality([{ text: '', ending: 'stop', completion: completion(calls) }], back, {
        surface: 'chat',
        streams: true,
      }),
    ),
  ).toEqual(['changed ending']);
});
