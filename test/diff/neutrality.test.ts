import { expect, it } from 'vitest';
import { neutralityFindings } from '../../src/diff/compare.ts';
import type { Exchange } from '../../src/golden/dialogue.ts';
import type { MessageEvent } from '../../src/trace/event.ts';
import { jsonString, parseJson, toNode } from '../../src/wire/json.ts';
import { exchangeOf, message, messageOf } from '../golden/conversation.ts';

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
  return neutralityFindings(front, back).map(({ comparison, kind, places }) =>
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

it('finds another status', () => {
  const answered = (status: number): Exchange => ({
    ...exchangeOf(),
    steps: [{ type: 'response', exchange: 1, status, headers: [] }],
  });
  expect(found([answered(200)], [answered(429)])).toEqual([
    'response neutrality | changed | response › status',
  ]);
});

it('leaves pings and closes to each connection', () => {
  const close: MessageEvent = {
    ...message('backend', {}),
    opcode: 'close',
    content: { kind: 'close', code: 1000 },
  };
  const ping: MessageEvent = {
    ...message('backend', {}),
    opcode: 'ping',
    content: { kind: 'text', text: toNode('') },
  };
  expect(got(ping, ...events, close)).toEqual([]);
});
