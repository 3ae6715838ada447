import { expect, it } from 'vitest';
import type { LibraryError, LibraryResult } from '../../src/diff/neutrality/library.ts';
import { libraryFindings } from '../../src/diff/neutrality/neutrality.ts';
import type { Exchange, Step } from '../../src/golden/trace/exchanges.ts';
import type { Content, MessageEvent } from '../../src/trace/trace-event.ts';
import { jsonString, toNode } from '../../src/wire/json.ts';
import { exchangeOf, message } from '../golden/sample-run.ts';
import { line } from './rendered.ts';

const request = { model: 'm', input: [{ role: 'user' }] };
const beginning = [
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

/** A request in front that is httpExchange by an event stream. */
function streamed(...events: readonly { readonly type: string }[]): Exchange {
  const said = events.map((event) => ({ event: event.type, data: toNode(event) }));
  return exchange(
    'GET',
    body('client', request),
    head(200),
    posted('backend', { kind: 'events', events: said }),
  );
}

/** A request that is httpExchange by a document. */
function httpExchange(
  status: number,
  json: unknown,
  headers: Readonly<Record<string, string>> = {},
): Exchange {
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

it('accepts an error frame that becomes the status, headers and error of a response', () => {
  for (const streams of [true, false]) {
    const front = httpExchange(429, { error }, { 'retry-after': '17' });
    expect(found([front], upstream([frame]), [thrown(429, error, limits)], { streams })).toEqual([]);
  }
});

it('finds another status, a lost or added header, and a changed error', () => {
  const finds = (handed: LibraryResult) => found([httpExchange(429, {})], upstream([frame]), [handed]);
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

it('compares an error over HTTP likewise', () => {
  const back = [exchange('GET', head(426)), httpExchange(429, { error }, { 'Retry-After': '17' })];
  const told = [['retry-after', '17']] as const;
  expect(found([httpExchange(429, { error })], back, [thrown(429, error, told)])).toEqual([]);
  expect(found([httpExchange(429, { error })], back, [thrown(429, error)])).toEqual([
    'missing | library\'s result › headers.retry-after | "17" | ',
  ]);
});

it('accepts members that the API adds to the error of a response, and any status', () => {
  const told = { code: 'server_error', message: 'no luck', type: 'server_error', param: null };
  const finds = (handed: LibraryResult) =>
    found([httpExchange(500, { error: told })], upstream([...beginning.slice(0, 1), failed]), [handed], {
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

it('accepts a stream that ends with an error or breaks off as the backend did', () => {
  expect(found([streamed(...beginning)], upstream(beginning), [lost])).toEqual([]);
  expect(found([streamed(...beginning, { type: 'error' })], upstream(beginning), [lost])).toEqual([]);
});

it('compares an error inside a stream without its status', () => {
  const events = [...beginning, frame];
  const finds = (told: unknown) =>
    found([streamed(...events)], upstream(events), [
      { ...lost, failure: { message: 'no more', headers: [], error: toNode(told) } },
    ]);
  expect(finds(error)).toEqual([]);
  expect(finds({ ...error, message: 'no' })).toEqual([
    'changed | library\'s result › error.message | "no more" | "no"',
  ]);
});

it('finds a lost or duplicated event before a response breaks off', () => {
  const [created, first, second] = beginning;
  if (created === undefined || first === undefined || second === undefined) throw new RangeError();
  const finds = (...events: readonly { readonly type: string }[]) =>
    found([streamed(...events)], upstream(beginning), [lost]).map((one) =>
      one.split(' | ').slice(0, 2).join(' | '),
    );
  expect(finds(created, first)).toEqual(['missing | backend message 3']);
  expect(finds(created, first, second, second)).toEqual(['added | backend message 4']);
  expect(finds(created, second, first)).toEqual(['moved | backend message 3']);
});

it('finds text that the library lost before a response broke off', () => {
  const less = { ...lost, text: 'In the ' };
  expect(found([streamed(...beginning)], upstream(beginning), [less], { surface: 'chat' })).toEqual([
    'changed | library\'s result › text | "In the beginning" | "In the "',
  ]);
});

it('finds a response instead of an error, and an error instead of a response', () => {
  const whole = { text: 'In the beginning', ending: 'in_progress' };
  expect(found([streamed(...beginning)], upstream(beginning), [whole])).toEqual([
    "changed | library's result | an error: the response broke off | a response: in_progress",
  ]);
  expect(found([streamed(completed)], upstream([completed]), [thrown(502, { code: 'x' })])).toEqual([
    "changed | library's result | a response | an error: 502",
  ]);
});

it('compares the client with the last retry, and finds events of earlier attempts', () => {
  const back = upstream([frame], beginning, [completed]);
  const whole = { text: 'OK', ending: 'completed' };
  expect(found([streamed(completed)], back, [whole])).toEqual([]);
  const [added] = found([streamed({ type: 'error' }, completed)], back, [whole]);
  expect(added).toContain('added | backend message 1');
  const types = new Set(beginning.map(({ type }) => type));
  expect(found([streamed(...beginning, completed)], back, [whole])).toHaveLength(types.size);
  expect(found([httpExchange(429, { error })], back, [thrown(429, error, limits)])).toEqual([
    "changed | library's result | a response | an error: 429",
  ]);
});

it('accepts a request id of the subject where the backend gave none, but not in place of its own', () => {
  const own = thrown(429, error, [...limits, ['x-request-id', 'req_own']]);
  const front = httpExchange(429, { error }, { 'x-request-id': 'req_own' });
  expect(found([front], upstream([frame]), [own])).toEqual([]);
  const named = { ...frame, headers: { ...frame.headers, 'x-request-id': 'req_backend' } };
  expect(found([front], upstream([named]), [own])).toEqual([
    'changed | library\'s result › headers.x-request-id | "req_backend" | "req_own"',
  ]);
  expect(found([front], upstream([named]), [thrown(429, error, limits)])).toEqual([
    'missing | library\'s result › headers.x-request-id | "req_backend" | ',
  ]);
});

it('accepts the previous response that the program named, in all events, in place of that of a prewarm', () => {
  const events = (...previous: readonly (string | null)[]) =>
    [beginning[0], completed].map((event, index) => ({
      type: event?.type ?? '',
      response: { ...event?.response, previous_response_id: previous[index] ?? null },
    }));
  const handed = { text: 'OK', ending: 'completed' };
  const finds = (...previous: readonly (string | null)[]) =>
    found([streamed(...events(...previous))], upstream(events('resp_warm', 'resp_warm')), [handed]);
  expect(finds(null, null)).toEqual([]);
  expect(finds('resp_warm', 'resp_warm')).toEqual([]);
  expect(finds('resp_other', 'resp_other')).toHaveLength(1);
  expect(finds(null, 'resp_warm')).toHaveLength(1);
});
