import { expect, it } from 'vitest';
import { unorderedPaths } from '../../src/golden/learn/key-orders.ts';
import type { TraceEvent } from '../../src/trace/trace-event.ts';
import { toNode } from '../../src/wire/json.ts';

const message = (body: object): TraceEvent => ({
  type: 'message',
  exchange: 1,
  from: 'client',
  opcode: 'text',
  compressed: false,
  fragments: 1,
  content: { kind: 'json', json: toNode(body), spaced: false },
});

it('finds the path of an object whose keys change places in another message', () => {
  const events = [message({ metadata: { a: 1, b: 2 }, n: 1 }), message({ metadata: { b: 2, a: 1 }, n: 1 })];
  expect([...unorderedPaths(events)]).toEqual(['json\nmetadata']);
});

it('finds it although each message has keys that the other lacks', () => {
  const events = [message({ metadata: { a: 1, x: 0, b: 2 } }), message({ metadata: { b: 2, y: 0, a: 1 } })];
  expect([...unorderedPaths(events)]).toEqual(['json\nmetadata']);
});

it('treats keys that are missing in some messages as ordered', () => {
  expect([
    ...unorderedPaths([message({ a: 1, b: 2, c: 3 }), message({ a: 1, c: 3 }), message({ b: 2, c: 3 })]),
  ]).toEqual([]);
});

it('ignores the items of arrays', () => {
  const events = [message({ input: [{ type: 'x', id: 1 }] }), message({ input: [{ id: 1, type: 'y' }] })];
  expect([...unorderedPaths(events)]).toEqual([]);
});
