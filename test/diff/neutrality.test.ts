import { expect, it } from 'vitest';
import { neutralityFindings } from '../../src/diff/neutrality/neutrality.ts';
import type { Exchange, Step } from '../../src/golden/trace/exchanges.ts';
import type { Content, MessageEvent } from '../../src/trace/trace-event.ts';
import { jsonString, parseJson, toNode } from '../../src/wire/json.ts';
import { exchangeOf, message, messageOf } from '../golden/sample-run.ts';
import { rendered } from './rendered.ts';

const item = (text: string) => ({ type: 'message', role: 'user', content: [{ type: 'input_text', text }] });
const request = {
  type: 'response.create',
  instructions: 'be brief, {{name}}',
  input: [item('one'), item('two'), item('three {{json}}')],
  tools: [{ name: 'exec' }],
  store: false,
};
const events = ['response.created', 'response.delta', 'response.delta', 'response.completed'].map(
  (type, at) => message('backend', { type, at }),
);

/** What is found where the client said one thing and the backend sentUpstream another. */
function sentUpstream(other: unknown, said: unknown = request): string[] {
  return found([exchangeOf(message('client', said))], [exchangeOf(message('client', other))]);
}

/** What is found where the backend said these events and the client receivedByClient those. */
function receivedByClient(...other: readonly MessageEvent[]): string[] {
  return found([exchangeOf(...other)], [exchangeOf(...events)]);
}

function found(front: readonly Exchange[], back: readonly Exchange[]): string[] {
  return neutralityFindings(front, back)
    .map(rendered)
    .map(({ comparison, kind, places }) =>
      [comparison, kind, places.map((place) => place.replace('exchange 1 › ', '')).join(', ')].join(' | '),
    );
}

it('finds nothing if everything was passed on', () => {
  expect(sentUpstream(request)).toEqual([]);
  expect(receivedByClient(...events)).toEqual([]);
});

it('ignores what a proxy shapes: parity judges it', () => {
  const shaped = { service_tier: 'priority', prompt_cache_key: 'k', client_metadata: { a: '1' } };
  expect(sentUpstream({ ...request, ...shaped })).toEqual([]);
});

it('finds injected, changed and dropped instructions', () => {
  const { instructions: _, ...rest } = request;
  const place = 'client message 1 › instructions';
  expect(sentUpstream({ ...request, instructions: `${request.instructions} Obey.` })).toEqual([
    `request neutrality | changed | ${place}`,
  ]);
  expect(sentUpstream({ instructions: 'Obey.', ...rest }, rest)).toEqual([
    `request neutrality | added | ${place}`,
  ]);
  expect(sentUpstream(rest)).toEqual([`request neutrality | missing | ${place}`]);
});

it('treats braces in content as text', () => {
  expect(sentUpstream({ ...request, instructions: 'be brief, Alice' })).toEqual([
    'request neutrality | changed | client message 1 › instructions',
  ]);
});

it('finds injected, dropped, changed and moved input', () => {
  const { input } = request;
  const after = (items: readonly unknown[]) => sentUpstream({ ...request, input: items });
  expect(after(input.toSpliced(0, 0, item('four')))).toEqual([
    'request neutrality | added | client message 1 › input.0',
  ]);
  expect(after(input.toSpliced(1, 1))).toEqual(['request neutrality | missing | client message 1 › input.1']);
  expect(after(input.with(2, item('three')))).toEqual([
    'request neutrality | changed | client message 1 › input.2.content.0.text',
  ]);
  expect(after([...input.slice(1), ...input.slice(0, 1)])).toEqual([
    'request neutrality | moved | client message 1 › input.2',
  ]);
});

it('finds keys in another order and strings that were encoded again', () => {
  const { store, ...rest } = request;
  expect(sentUpstream({ store, ...rest })).toEqual(['request neutrality | moved | client message 1 › store']);
  const anew = messageOf('client', parseJson('{"text":"\\u00e9"}').node);
  expect(found([exchangeOf(message('client', { text: 'é' }))], [exchangeOf(anew)])).toEqual([
    'request neutrality | respelled | client message 1 › text',
  ]);
});

it('finds lost and added messages and exchanges', () => {
  const exchange = exchangeOf(message('client', request), ...events);
  expect(sentUpstream(request, request)).toEqual([]);
  expect(found([exchange], [])).toEqual(['request neutrality | missing | request']);
  expect(found([], [exchange])).toEqual(['response neutrality | missing | request']);
  expect(found([exchange], [{ ...exchange, steps: events }])).toEqual([
    'request neutrality | missing | client message 1',
  ]);
});

it('finds lost, duplicated, changed and moved events', () => {
  const [created, delta, , completed] = events;
  if (created === undefined || delta === undefined || completed === undefined) throw new RangeError();
  expect(receivedByClient(...events.slice(0, 3))).toEqual([
    'response neutrality | missing | backend message 4',
  ]);
  expect(receivedByClient(...events, completed)).toEqual(['response neutrality | added | backend message 5']);
  expect(receivedByClient(...events.with(1, message('backend', { type: 'response.delta', at: 9 })))).toEqual([
    'response neutrality | changed | backend message 2 › at',
  ]);
  expect(receivedByClient(...events.toSpliced(0, 1), created)).toEqual([
    'response neutrality | moved | backend message 4',
  ]);
});

it('treats websocket messages and server-sent events alike', () => {
  const data = events.map(({ content }) => ({
    event: 'x',
    data: content.kind === 'json' ? content.json : jsonString(''),
  }));
  const body = (list: typeof data): Exchange => ({
    ...exchangeOf(),
    steps: [
      {
        type: 'body',
        exchange: 1,
        from: 'backend',
        complete: true,
        content: { kind: 'events', events: list },
      },
    ],
  });
  expect(found([body(data)], [exchangeOf(...events)])).toEqual([]);
  expect(found([body(data.toSpliced(2, 1))], [exchangeOf(...events)])).toEqual([
    'response neutrality | missing | backend message 3',
  ]);
});

const eventStream = 'text/event-stream; charset=utf-8';

/** An answer by HTTP: what one side said, or what the other receivedByClient. */
function httpResponse(
  status: number,
  headers: Readonly<Record<string, string>>,
  ...steps: readonly Step[]
): Exchange {
  const pairs = Object.entries(headers).map(([name, value]) => [name, jsonString(value)] as const);
  return { ...exchangeOf(), steps: [{ type: 'response', exchange: 1, status, headers: pairs }, ...steps] };
}

function body(content: Content, complete = true): Step {
  return { type: 'body', exchange: 1, from: 'backend', complete, content };
}

function jsonBody(json: unknown, spaced = false): Step {
  return body({ kind: 'json', json: toNode(json), spaced });
}

function named(...names: readonly string[]): Content {
  return { kind: 'events', events: names.map((event) => ({ event, data: toNode({ same: true }) })) };
}

it('finds another status', () => {
  expect(found([httpResponse(200, {})], [httpResponse(429, {})])).toEqual([
    'response neutrality | changed | response › status',
  ]);
});

it('finds lost, changed and added headers that clients act upon, and ignores others', () => {
  const back = httpResponse(429, { 'Retry-After': '7', server: 'a', 'x-codex-primary-used-percent': '99' });
  expect(
    found(
      [httpResponse(429, { 'x-codex-primary-used-percent': '99', 'retry-after': '7', via: 'b' })],
      [back],
    ),
  ).toEqual([]);
  expect(found([httpResponse(429, { 'retry-after': '70' })], [back])).toEqual([
    'response neutrality | changed | response › retry-after',
    'response neutrality | missing | response › x-codex-primary-used-percent',
  ]);
  expect(found([back], [httpResponse(429, { 'retry-after': '7' })])).toEqual([
    'response neutrality | added | response › x-codex-primary-used-percent',
  ]);
});

it('finds another media type and ignores its parameters', () => {
  const back = httpResponse(200, { 'content-type': eventStream });
  expect(found([httpResponse(200, { 'content-type': 'Text/Event-Stream' })], [back])).toEqual([]);
  expect(found([httpResponse(200, { 'content-type': 'text/plain' })], [back])).toEqual([
    'response neutrality | changed | response › content-type',
  ]);
});

it('finds a changed error body and a changed POST', () => {
  const back = httpResponse(400, {}, jsonBody({ error: { code: 'bad', message: 'no' } }));
  expect(found([httpResponse(400, {}, jsonBody({ error: { code: 'bad' } }))], [back])).toEqual([
    'response neutrality | missing | backend body › error.message',
  ]);
  const posted = (json: unknown): Exchange => ({
    ...exchangeOf(),
    steps: [
      {
        type: 'body',
        exchange: 1,
        from: 'client',
        complete: true,
        content: { kind: 'json', json: toNode(json), spaced: false },
      },
    ],
  });
  expect(found([posted(request)], [posted({ ...request, instructions: 'Obey.' })])).toEqual([
    'request neutrality | changed | client body › instructions',
  ]);
});

it('finds a response that breaks off on one side only', () => {
  const [whole, cut] = [true, false].map((complete) =>
    httpResponse(200, {}, body(named('response.created'), complete)),
  );
  if (whole === undefined || cut === undefined) throw new RangeError();
  expect(found([cut], [cut])).toEqual([]);
  expect(found([whole], [cut])).toEqual(['response neutrality | missing | end of the response']);
  expect(found([{ ...cut, end: 'backend' }], [whole])).toEqual([
    'response neutrality | added | end of the response',
  ]);
});

it('finds white space in JSON and another name of a server-sent event', () => {
  expect(
    found([httpResponse(400, {}, jsonBody({ a: 1 }, true))], [httpResponse(400, {}, jsonBody({ a: 1 }))]),
  ).toEqual(['response neutrality | respelled | backend body']);
  const spaced = { kind: 'json', json: toNode({ type: 'x' }), spaced: true } as const;
  const sent = message('backend', { type: 'x' });
  expect(found([exchangeOf({ ...sent, content: spaced })], [exchangeOf(sent)])).toEqual([
    'response neutrality | respelled | backend message 1',
  ]);
  expect(
    found([httpResponse(200, {}, body(named('a', 'b')))], [httpResponse(200, {}, body(named('a', 'c')))]),
  ).toEqual(['response neutrality | changed | backend message 2 › event']);
});

it('finds lost, changed and added closes', () => {
  const close = (code: number | null, from: 'client' | 'backend' = 'backend'): MessageEvent => ({
    ...message(from, {}),
    opcode: 'close',
    content: { kind: 'close', code },
  });
  const socket = (end: Exchange['end'], ...messages: readonly MessageEvent[]): Exchange => ({
    ...httpResponse(101, {}, ...messages),
    ...(end === undefined ? {} : { end }),
  });
  const closed = socket('backend', ...events, close(1011));
  expect(found([closed], [closed])).toEqual([]);
  expect(found([socket('backend', ...events, close(1000))], [closed])).toEqual([
    'response neutrality | changed | end of the response',
  ]);
  expect(found([socket(undefined, ...events)], [closed])).toEqual([
    'response neutrality | missing | end of the response',
  ]);
  expect(found([closed], [socket(undefined, ...events)])).toEqual([
    'response neutrality | added | end of the response',
  ]);
  const ended = socket('backend', ...events);
  expect(found([ended], [ended])).toEqual([]);
  expect(found([closed], [ended])).toEqual(['response neutrality | changed | end of the response']);
  // The client went first: what a subject says to it then, and the backend's answer to a close, are no one's loss.
  expect(found([socket('client', ...events, close(1006))], [socket('client', ...events)])).toEqual([]);
  expect(
    found([socket(undefined, ...events)], [socket(undefined, ...events, close(1000, 'client'), close(1000))]),
  ).toEqual([]);
});

it('ignores pings', () => {
  const ping: MessageEvent = {
    ...message('backend', {}),
    opcode: 'ping',
    content: { kind: 'text', text: toNode('') },
  };
  expect(receivedByClient(ping, ...events)).toEqual([]);
});

it('accepts members that the client lacks and the official client sends', () => {
  const passed = { ...request, input: request.input.map((one) => ({ ...one, passthrough: { kind: 'x' } })) };
  const exchanges = [request, passed].map((said) => [exchangeOf(message('client', said))] as const);
  const kinds = (supplied: readonly string[]) =>
    neutralityFindings(exchanges[0] ?? [], exchanges[1] ?? [], new Set(supplied)).map(({ kind }) => kind);
  expect(kinds([])).toEqual(['added']);
  expect(kinds(['passthrough'])).toEqual([]);
});
