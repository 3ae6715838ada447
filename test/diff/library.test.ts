import { expect, it } from 'vitest';
import {
  libraryRequestNeutrality,
  libraryResponseNeutrality,
  resultNeutrality,
} from '../../src/diff/neutrality/library.ts';
import type { Mismatch } from '../../src/golden/match/mismatch.ts';
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

const shown = (found: readonly Mismatch[]) =>
  found.map(({ kind, places }) => `${kind} ${places.map(({ path }) => path.join('.')).join(' ')}`.trimEnd());

it('holds a request against the turn that it became, and not against its prewarm', () => {
  const turn = '{"type":"response.create","store":false,"input":["one"],"model":"m"}';
  expect(shown(libraryRequestNeutrality([inFront()], [upstream(turn, completed)]))).toEqual(['added store']);
  expect(
    shown(libraryRequestNeutrality([inFront()], [upstream(turn.replace('one', 'two'), completed)])),
  ).toContain('changed input.0');
});

it('takes the last items for those of a request whose conversation was said again', () => {
  const goesOn = exchangeOf([body('client', '{"model":"m","previous_response_id":"r","input":["two"]}')]);
  const again = (input: string) => upstream(`{"model":"m","input":${input}}`, completed);
  expect(libraryRequestNeutrality([goesOn], [again('["one","two"]')])).toEqual([]);
  expect(shown(libraryRequestNeutrality([goesOn], [again('["two","one"]')]))).toEqual(['changed input.0']);
  const injected = upstream('{"model":"m","input":["zero","one"],"stream":true}', completed);
  expect(libraryRequestNeutrality([inFront()], [injected])).not.toEqual([]);
});

it('wants every event of a stream in order, and of a whole answer the response of the last', () => {
  const back = [upstream(asked, created, completed)];
  expect(libraryResponseNeutrality([inFront(created, completed)], back)).toEqual([]);
  expect(libraryResponseNeutrality([inFront(completed, created)], back)).not.toEqual([]);
  expect(libraryResponseNeutrality([inFront(`{${output}}`)], back)).toEqual([]);
  expect(shown(libraryResponseNeutrality([inFront(`{${output.replace('Hel', 'Hal')}}`)], back))).toEqual([
    'changed output.0.content.0.text',
  ]);
  expect(shown(libraryResponseNeutrality([inFront()], back))).toEqual(['missing']);
});

it('wants of a library the text of a response, and its ending in the words of its API', () => {
  const back = [upstream(asked, completed)];
  expect(
    resultNeutrality([{ text: 'Hello', ending: 'completed' }], back, { surface: 'responses', streams: true }),
  ).toEqual([]);
  expect(
    resultNeutrality([{ text: 'Hello', ending: 'stop' }], back, { surface: 'chat', streams: true }),
  ).toEqual([]);
  expect(
    shown(resultNeutrality([{ text: 'Hello', ending: 'length' }], back, { surface: 'chat', streams: true })),
  ).toEqual(['changed ending']);
  expect(shown(resultNeutrality([], back, { surface: 'chat', streams: true }))).toEqual(['missing']);
});

it.each([
  { response: '{"status":"completed","output":[{"type":"function_call"}]}', ending: 'tool_calls' },
  {
    response: '{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}',
    ending: 'length',
  },
  {
    response: '{"status":"incomplete","incomplete_details":{"reason":"content_filter"}}',
    ending: 'content_filter',
  },
])('knows the ending $ending of the chat API', ({ response, ending }) => {
  const back = [upstream(asked, `{"type":"response.completed","response":${response}}`)];
  expect(resultNeutrality([{ text: '', ending }], back, { surface: 'chat', streams: true })).toEqual([]);
  expect(
    shown(resultNeutrality([{ text: '', ending: 'stop' }], back, { surface: 'chat', streams: true })),
  ).toEqual(['changed ending']);
});
