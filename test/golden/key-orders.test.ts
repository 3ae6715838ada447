import { expect, it } from 'vitest';
import { unorderedPaths } from '../../src/golden/learn/key-orders.ts';
import type { TraceEvent } from '../../src/trace/trace-event.ts';
import { toNode } from '../../src/wire/json.ts';

const said = (body: object): TraceEvent => ({
  type: 'message',
  exchange: 1,
  from: 'client',
  opcode: 'text',
  compressed: false,
  fragments: 1,
  content: { kind: 'json', json: toNode(body), spaced: false },
});

it('finds the place whose keys are turned round in another message', () => {
  const events = [said({ metadata: { a: 1, b: 2 }, n: 1 }), said({ metadata: { b: 2, a: 1 }, n: 1 })];
  expect([...unorderedPaths(events)]).toEqual(['json\nmetadata']);
});

it('finds it though the messages do not have all the same keys', () => {
  const events = [said({ metadata: { a: 1, x: 0, b: 2 } }), said({ metadata: { b: 2, y: 0, a: 1 } })];
  expect([...unorderedPaths(events)]).toEqual(['json\nmetadata']);
});

it('takes keys that come and go for ordered', () => {
  expect([
    ...unorderedPaths([said({ a: 1, b: 2, c: 3 }), said({ a: 1, c: 3 }), said({ b: 2, c: 3 })]),
  ]).toEqual([]);
});

it('draws no conclusion from the items of lists', () => {
  const events = [said({ input: [{ type: 'x', id: 1 }] }), said({ input: [{ id: 1, type: 'y' }] })];
  expect([...unorderedPaths(events)]).toEqual([]);
});
