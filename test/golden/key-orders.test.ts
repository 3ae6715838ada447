import { expect, it } from 'vitest';
import { generalise } from '../../src/golden/learn/generalise.ts';
import { unorderedPlaces } from '../../src/golden/learn/key-orders.ts';
import type { Exchange } from '../../src/golden/trace/exchanges.ts';
import type { MessageEvent } from '../../src/trace/trace-event.ts';
import { jsonString, printJson, toNode } from '../../src/wire/json.ts';

const content = (body: object) => ({ kind: 'json', json: toNode(body), spaced: false }) as const;

const message = (body: object): MessageEvent => ({
  type: 'message',
  exchange: 1,
  from: 'client',
  opcode: 'text',
  compressed: false,
  fragments: 1,
  content: content(body),
});

const exchange = (target: string, steps: Exchange['steps']): Exchange => ({
  connection: { type: 'connection', connection: 1, authority: 'chatgpt.com', tls: null },
  request: {
    type: 'request',
    connection: 1,
    exchange: 1,
    method: steps[0]?.type === 'body' ? 'POST' : 'GET',
    target: jsonString(target),
    headers: [],
  },
  steps,
});

const posted = (target: string, body: object) =>
  exchange(target, [{ type: 'body', exchange: 1, from: 'client', complete: true, content: content(body) }]);

/** The paths of the objects that are unordered in these messages of one websocket. */
const pathsIn = (messages: readonly MessageEvent[]) =>
  [...unorderedPlaces([exchange('/responses', messages)])].map((place) => place.split('\n').slice(4));

it('finds the path of an object whose keys change places in another message', () => {
  const events = [message({ metadata: { a: 1, b: 2 }, n: 1 }), message({ metadata: { b: 2, a: 1 }, n: 1 })];
  expect(pathsIn(events)).toEqual([['json', 'metadata']]);
});

it('finds it although each message has keys that the other lacks', () => {
  const events = [message({ metadata: { a: 1, x: 0, b: 2 } }), message({ metadata: { b: 2, y: 0, a: 1 } })];
  expect(pathsIn(events)).toEqual([['json', 'metadata']]);
});

it('treats keys that are missing in some messages as ordered', () => {
  expect(pathsIn([message({ a: 1, b: 2, c: 3 }), message({ a: 1, c: 3 }), message({ b: 2, c: 3 })])).toEqual(
    [],
  );
});

it('ignores the items of arrays', () => {
  const events = [message({ input: [{ type: 'x', id: 1 }] }), message({ input: [{ id: 1, type: 'y' }] })];
  expect(pathsIn(events)).toEqual([]);
});

it('compares key orders of one transport and one target only', () => {
  const run = [
    exchange('/responses', [message({ model: 'm', input: [] })]),
    posted('/responses', { stream: true, input: [], model: 'm' }),
    posted('/responses/compact', { input: [], model: 'm', stream: true }),
  ];
  expect([...unorderedPlaces(run)]).toEqual([]);
  const golden = generalise({ codex: '0.0.0', lane: 'chatgpt', scenario: 'x' }, [run, run]);
  const bodies = golden.exchanges.flatMap(({ steps }) =>
    steps.map((step) => 'content' in step && step.content.kind === 'json' && printJson(step.content.json)),
  );
  expect(bodies).toEqual([
    '{"model":"m","input":[]}',
    '{"stream":true,"input":[],"model":"m"}',
    '{"input":[],"model":"m","stream":true}',
  ]);
});
