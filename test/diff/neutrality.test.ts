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

/** What is found where the client said one thing and the backend heard another. */
function heard(other: unknown, said: unknown = request): string[] {
  return found([exchangeOf(message('client', said))], [exchangeOf(message('client', other))]);
}

/** What is found where the backend said these events and the client got those. */
function got(...other: readonly MessageEvent[]): string[] {
  return found([exchangeOf(...other)], [exchangeOf(...events)]);
}

function found(front: readonly Exchange[], back: readonly Exchange[]): string[] {
  return neutralityFindings(front, back)
    .map(rendered)
    .map(({ comparison, kind, places }) =>
      [comparison, kind, places.map((place) => place.replace('exchange 1 › ', '')).join(', ')].join(' | '),
    );
}

it('finds nothing where all was passed on', () => {
  expect(heard(request)).toEqual([]);
  expect(got(...events)).toEqual([]);
});

it('leaves to parity what a proxy shapes', () => {
  const shaped = { service_tier: 'priority', prompt_cache_key: 'k', client_metadata: { a: '1' } };
  expect(heard({ ...request, ...shaped })).toEqual([]);
});

it('finds instructions that were injected, changed or dropped', () => {
  const { instructions: _, ...rest } = request;
  const place = 'client message 1 › instructions';
  expect(heard({ ...request, instructions: `${request.instructions} Obey.` })).toEqual([
    `request neutrality | changed | ${place}`,
  ]);
  expect(heard({ instructions: 'Obey.', ...rest }, rest)).toEqual([`request neutrality | added | ${place}`]);
  expect(heard(rest)).toEqual([`request neutrality | missing | ${place}`]);
});

it('takes braces in what was said for what they are', () => {
  expect(heard({ ...request, instructions: 'be brief, Alice' })).toEqual([
    'request neutrality | changed | client message 1 › instructions',
  ]);
});

it('finds input that was injected, dropped, changed or put in another order', () => {
  const { input } = request;
  const after = (items: readonly unknown[]) => heard({ ...request, input: items });
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

it('finds keys in another order, and what was encoded anew', () => {
  const { store, ...rest } = request;
  expect(heard({ store, ...rest })).toEqual(['request neutrality | moved | client message 1 › store']);
  const anew = messageOf('client', parseJson('{"text":"\\u00e9"}').node);
  expect(found([exchangeOf(message('client', { text: 'é' }))], [exchangeOf(anew)])).toEqual([
    'request neutrality | respelled | client message 1 › text',
  ]);
});

it('finds a message or an exchange that was lost or made up', () => {
  const exchange = exchangeOf(message('client', request), ...events);
  expect(heard(request, request)).toEqual([]);
  expect(found([exchange], [])).toEqual(['request neutrality | missing | request']);
  expect(found([], [exchange])).toEqual(['response neutrality | missing | request']);
  expect(found([exchange], [{ ...exchange, steps: events }])).toEqual([
    'request neutrality | missing | client message 1',
  ]);
});

it('finds an event that was lost, doubled, changed or put in another order', () => {
  const [created, delta, , completed] = events;
  if (created === undefined || delta === undefined || completed === undefined) throw new RangeError();
  expect(got(...events.slice(0, 3))).toEqual(['response neutrality | missing | backend message 4']);
  expect(got(...events, completed)).toEqual(['response neutrality | added | backend message 5']);
  expect(got(...events.with(1, message('backend', { type: 'response.delta', at: 9 })))).toEqual([
    'response neutrality | changed | backend message 2 › at',
  ]);
  expect(got(...events.toSpliced(0, 1), created)).toEqual([
    'response neutrality | moved | backend message 4',
  ]);
});

it('finds the same event whether it came by websocket or by server-sent events', () => {
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

/** An answer by HTTP: what one side said, or what the other got. */
function answered(
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
  expect(found([answered(200, {})], [answered(429, {})])).toEqual([
    'response neutrality | changed | response › status',
  ]);
});

it('finds a header that clients act upon lost, changed or made up, and leaves the others', () => {
  const back = answered(429, { 'Retry-After': '7', server: 'a', 'x-codex-primary-used-percent': '99' });
  expect(
    found([answered(429, { 'x-codex-primary-used-percent': '99', 'retry-after': '7', via: 'b' })], [back]),
  ).toEqual([]);
  expect(found([answered(429, { 'retry-after': '70' })], [back])).toEqual([
    'response neutrality | changed | response › retry-after',
    'response neutrality | missing | response › x-codex-primary-used-percent',
  ]);
  expect(found([back], [answered(429, { 'retry-after': '7' })])).toEqual([
    'response neutrality | added | response › x-codex-primary-used-percent',
  ]);
});

it('finds another media type, whatever its parameters', () => {
  const back = answered(200, { 'content-type': eventStream });
  expect(found([answered(200, { 'content-type': 'Text/Event-Stream' })], [back])).toEqual([]);
  expect(found([answered(200, { 'content-type': 'text/plain' })], [back])).toEqual([
    'response neutrality | changed | response › content-type',
  ]);
});

it('finds a changed error body, and what was said by a POST', () => {
  const back = answered(400, {}, jsonBody({ error: { code: 'bad', message: 'no' } }));
  expect(found([answered(400, {}, jsonBody({ error: { code: 'bad' } }))], [back])).toEqual([
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

it('finds an answer that was cut off for one side only', () => {
  const [whole, cut] = [true, false].map((complete) =>
    answered(200, {}, body(named('response.created'), complete)),
  );
  if (whole === undefined || cut === undefined) throw new RangeError();
  expect(found([cut], [cut])).toEqual([]);
  expect(found([whole], [cut])).toEqual(['response neutrality | missing | end of the response']);
  expect(found([{ ...cut, end: 'backend' }], [whole])).toEqual([
    'response neutrality | added | end of the response',
  ]);
});

it('finds white space between the tokens of JSON, and another name of a server-sent event', () => {
  expect(
    found([answered(400, {}, jsonBody({ a: 1 }, true))], [answered(400, {}, jsonBody({ a: 1 }))]),
  ).toEqual(['response neutrality | respelled | backend body']);
  const spaced = { kind: 'json', json: toNode({ type: 'x' }), spaced: true } as const;
  const sent = message('backend', { type: 'x' });
  expect(found([exchangeOf({ ...sent, content: spaced })], [exchangeOf(sent)])).toEqual([
    'response neutrality | respelled | backend message 1',
  ]);
  expect(
    found([answered(200, {}, body(named('a', 'b')))], [answered(200, {}, body(named('a', 'c')))]),
  ).toEqual(['response neutrality | changed | backend message 2 › event']);
});

it('finds a close that was lost, changed or made up', () => {
  const close = (code: number | null, from: 'client' | 'backend' = 'backend'): MessageEvent => ({
    ...message(from, {}),
    opcode: 'close',
    content: { kind: 'close', code },
  });
  const socket = (end: Exchange['end'], ...messages: readonly MessageEvent[]): Exchange => ({
    ...answered(101, {}, ...messages),
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

it('leaves pings to each connection', () => {
  const ping: MessageEvent = {
    ...message('backend', {}),
    opcode: 'ping',
    content: { kind: 'text', text: toNode('') },
  };
  expect(got(ping, ...events)).toEqual([]);
});

it('lets a subject add what this client leaves out and the official client sends', () => {
  const passed = { ...request, input: request.input.map((one) => ({ ...one, passthrough: { kind: 'x' } })) };
  const exchanges = [request, passed].map((said) => [exchangeOf(message('client', said))] as const);
  const kinds = (supplied: readonly string[]) =>
    neutralityFindings(exchanges[0] ?? [], exchanges[1] ?? [], new Set(supplied)).map(({ kind }) => kind);
  expect(kinds([])).toEqual(['added']);
  expect(kinds(['passthrough'])).toEqual([]);
});
