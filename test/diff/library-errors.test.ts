import { expect, it } from 'vitest';
import type { LibraryError, LibraryResult } from '../../src/diff/neutrality/library.ts';
import { libraryFindings } from '../../src/diff/neutrality/neutrality.ts';
import type { Exchange, Step } from '../../src/golden/trace/exchanges.ts';
import type { Content, MessageEvent } from '../../src/trace/trace-event.ts';
import { jsonString, toNode } from '../../src/wire/json.ts';
import { exchangeOf, message } from '../golden/sample-run.ts';
import { line } from './rendered.ts';

const request = { model: 'm', input: [{ role: 'user' }] };
const begun = [
  { type: 'response.created', response: { id: 'resp_1' } },
  { type: 'response.output_text.delta', delta: 'In the ' },
  { type: 'response.output_text.delta', delta: 'beginning' },
];
const failed = {
  type: 'response.failed',
  response: { status: 'failed', error: { code: 'server_error', message: 'no luck' } },
};
const output = [{ type: 'message', content: [{ type: 'output_text', text: 'OK' }] }];
const completed = { type: 'response.completed', response: { status: 'completed', output } };
const error = { type: 'usage_limit_reached', message: 'no more', resets_at: 1700003600 };
const frame = { type: 'error', status: 429, error, headers: { 'retry-after': '17', 'x-codex-used': 100 } };

/** A websocket upstream: for each answer a request and its events, each on a connection of its own. */
function upstream(...answers: readonly (readonly object[])[]): Exchange[] {
  return answers.map((events) => exchangeOf(message('client', request), ...events.map(fromBackend)));
}

function fromBackend(event: object): MessageEvent {
  return message('backend', event);
}

/** A request in front that is answered by an event stream. */
function streamed(...events: readonly { readonly type: string }[]): Exchange {
  const said = events.map((event) => ({ event: event.type, data: toNode(event) }));
  return exchange(
    'GET',
    body('client', request),
    head(200),
    posted('backend', { kind: 'events', events: said }),
  );
}

/** A request that is answered by a document. */
function answered(status: number, json: unknown, headers: Readonly<Record<string, string>> = {}): Exchange {
  return exchange('POST', body('client', request), head(status, headers), body('backend', json));
}

function exchange(method: string, ...steps: readonly Step[]): Exchange {
  const plain = exchangeOf();
  return { ...plain, request: { ...plain.request, method }, steps };
}

function head(status: number, headers: Readonly<Record<string, string>> = {}): Step {
  const pairs = Object.entries(headers).map(([name, value]) => [name, jsonString(value)] as const);
  return { type: 'response', exchange: 1, status, headers: pairs };
}

function body(from: 'client' | 'backend', json: unknown): Step {
  return posted(from, { kind: 'json', json: toNode(json), spaced: false });
}

function posted(from: 'client' | 'backend', content: Content): Step {
  return { type: 'body', exchange: 1, from, complete: true, content };
}

/** What a library throws for an answer of HTTP. */
function thrown(status: number, told: unknown, headers: LibraryError['headers'] = []): LibraryResult {
  const failure = { message: `${status}`, status, headers, error: toNode(told) };
  return { text: '', ending: 'none', failure };
}

const limits = [
  ['content-type', 'application/json'],
  ['date', 'today'],
  ['retry-after', '17'],
  ['x-codex-used', '100'],
] as const;

function found(
  front: readonly Exchange[],
  back: readonly Exchange[],
  handed: readonly LibraryResult[],
  { streams = true, surface = 'responses' as 'responses' | 'chat' } = {},
): string[] {
  return libraryFindings(front, back, handed, { surface, streams }).map(line);
}

it('finds nothing where an error frame became the status, headers and error of an answer', () => {
  for (const streams of [true, false]) {
    const front = answered(429, { error }, { 'retry-after': '17' });
    expect(found([front], upstream([frame]), [thrown(429, error, limits)], { streams })).toEqual([]);
  }
});

it('finds another status, a header that is lost or made up, and an error in other words', () => {
  const finds = (handed: LibraryResult) => found([answered(429, {})], upstream([frame]), [handed]);
  expect(finds(thrown(500, error, limits))).toEqual(["changed | library's result › status | 429 | 500"]);
  expect(finds(thrown(429, error, limits.slice(0, 2)))).toEqual([
    'missing | library\'s result › headers.retry-after | "17" | ',
    'missing | library\'s result › headers.x-codex-used | "100" | ',
  ]);
  expect(finds(thrown(429, error, [...limits, ['x-codex-more', '1']]))).toEqual([
    'added | library\'s result › headers.x-codex-more |  | "1"',
  ]);
  expect(finds(thrown(429, { ...error, message: 'no' }, limits))).toEqual([
    'changed | library\'s result › error.message | "no more" | "no"',
  ]);
  expect(finds(thrown(429, { ...error, param: null }, limits))).toEqual([
    "added | library's result › error.param |  | null",
  ]);
  const { status: _, ...failure } = thrown(429, error, limits).failure ?? { message: '', headers: [] };
  expect(finds({ text: '', ending: 'none', failure })).toEqual([
    "missing | library's result › status | 429 | ",
  ]);
});

it('holds an error that came by HTTP to the same', () => {
  const back = [exchange('GET', head(426)), answered(429, { error }, { 'Retry-After': '17' })];
  const told = [['retry-after', '17']] as const;
  expect(found([answered(429, { error })], back, [thrown(429, error, told)])).toEqual([]);
  expect(found([answered(429, { error })], back, [thrown(429, error)])).toEqual([
    'missing | library\'s result › headers.retry-after | "17" | ',
  ]);
});

it('lets the API add to the error of a response, and choose its status', () => {
  const told = { code: 'server_error', message: 'no luck', type: 'server_error', param: null };
  const finds = (handed: LibraryResult) =>
    found([answered(500, { error: told })], upstream([...begun.slice(0, 1), failed]), [handed], {
      streams: false,
    });
  expect(finds(thrown(500, told))).toEqual([]);
  expect(finds(thrown(503, told))).toEqual([]);
  expect(finds(thrown(500, { ...told, code: 'other' }))).toEqual([
    'changed | library\'s result › error.code | "server_error" | "other"',
  ]);
  expect(finds(thrown(500, { message: 'no luck' }))).toEqual([
    'missing | library\'s result › error.code | "server_error" | ',
  ]);
});

const lost: LibraryResult = {
  text: 'In the beginning',
  ending: 'none',
  failure: { message: 'lost', headers: [], error: toNode({ code: 'lost' }) },
};

it('finds nothing where a stream brought what there was, and its end was told or cut off', () => {
  expect(found([streamed(...begun)], upstream(begun), [lost])).toEqual([]);
  expect(found([streamed(...begun, { type: 'error' })], upstream(begun), [lost])).toEqual([]);
});

it('holds an error within a stream to the words of the frame, as its status can be told no more', () => {
  const events = [...begun, frame];
  const finds = (told: unknown) =>
    found([streamed(...events)], upstream(events), [
      { ...lost, failure: { message: 'no more', headers: [], error: toNode(told) } },
    ]);
  expect(finds(error)).toEqual([]);
  expect(finds({ ...error, message: 'no' })).toEqual([
    'changed | library\'s result › error.message | "no more" | "no"',
  ]);
});

it('finds an event that is lost or doubled before an answer breaks off', () => {
  const [created, first, second] = begun;
  if (created === undefined || first === undefined || second === undefined) throw new RangeError();
  const finds = (...events: readonly { readonly type: string }[]) =>
    found([streamed(...events)], upstream(begun), [lost]).map((one) =>
      one.split(' | ').slice(0, 2).join(' | '),
    );
  expect(finds(created, first)).toEqual(['missing | backend message 3']);
  expect(finds(created, first, second, second)).toEqual(['added | backend message 4']);
  expect(finds(created, second, first)).toEqual(['moved | backend message 3']);
});

it('finds words that a library was not handed before an answer broke off', () => {
  const less = { ...lost, text: 'In the ' };
  expect(found([streamed(...begun)], upstream(begun), [less], { surface: 'chat' })).toEqual([
    'changed | library\'s result › text | "In the beginning" | "In the "',
  ]);
});

it('finds an answer in the place of an error, and an error in the place of an answer', () => {
  const whole = { text: 'In the beginning', ending: 'in_progress' };
  expect(found([streamed(...begun)], upstream(begun), [whole])).toEqual([
    "changed | library's result | an error: the response broke off | a response: in_progress",
  ]);
  expect(found([streamed(completed)], upstream([completed]), [thrown(502, { code: 'x' })])).toEqual([
    "changed | library's result | a response | an error: 502",
  ]);
});

it('holds the client to the last of what was said again, and finds what it got of the others', () => {
  const back = upstream([frame], begun, [completed]);
  const whole = { text: 'OK', ending: 'completed' };
  expect(found([streamed(completed)], back, [whole])).toEqual([]);
  const [added] = found([streamed({ type: 'error' }, completed)], back, [whole]);
  expect(added).toContain('added | backend message 1');
  const types = new Set(begun.map(({ type }) => type));
  expect(found([streamed(...begun, completed)], back, [whole])).toHaveLength(types.size);
  expect(found([answered(429, { error })], back, [thrown(429, error, limits)])).toEqual([
    "changed | library's result | a response | an error: 429",
  ]);
});
