import { expect, it } from 'vitest';
import { mapEvent, type TraceEvent } from '../../src/trace/trace-event.ts';
import { type JsonNode, jsonString, mapJson, toNode } from '../../src/wire/json.ts';

const rename = (value: JsonNode): JsonNode =>
  mapJson(value, (node) => (node.kind === 'string' ? jsonString(node.value.replace('old', 'new')) : node));

const request = (word: string): TraceEvent => ({
  type: 'request',
  connection: 1,
  exchange: 1,
  method: 'POST',
  target: jsonString(`/${word}`),
  headers: [
    ['old-name', jsonString(word)],
    ['x-document', toNode({ inner: [word] })],
  ],
});
const response = (word: string): TraceEvent => ({
  type: 'response',
  exchange: 1,
  status: 200,
  headers: [['a', jsonString(word)]],
});
const message = (word: string): TraceEvent => ({
  type: 'message',
  exchange: 1,
  from: 'client',
  opcode: 'text',
  compressed: false,
  fragments: 1,
  content: { kind: 'json', json: toNode({ old: [{ word }] }), spaced: false },
});
const textBody = (word: string): TraceEvent => ({
  type: 'body',
  exchange: 1,
  from: 'backend',
  complete: true,
  content: { kind: 'text', text: jsonString(word) },
});
const eventsBody = (word: string): TraceEvent => ({
  type: 'body',
  exchange: 1,
  from: 'backend',
  complete: true,
  content: { kind: 'events', events: [{ event: 'old', data: toNode({ word }) }] },
});

it.each([request, response, message, textBody, eventsBody])(
  'changes every value of an event: %o',
  (event) => {
    expect(mapEvent(event('old'), rename)).toEqual(event('new'));
  },
);

it.each<TraceEvent>([
  { type: 'connection', connection: 1, authority: 'old', tls: null },
  { type: 'end', connection: 1, by: 'client' },
  { type: 'undecodable', connection: 1, from: 'client', reason: 'old' },
])('returns an event without values as it is: $type', (event) => {
  expect(mapEvent(event, rename)).toBe(event);
});

it.each<TraceEvent & { type: 'message' }>([
  { ...framing('binary'), content: { kind: 'bytes', bytes: 3, sha256: 'old' } },
  { ...framing('close'), content: { kind: 'close', code: 1000 } },
])('keeps content without values: $opcode', (event) => {
  expect(mapEvent(event, rename)).toEqual(event);
});

function framing(opcode: 'binary' | 'close') {
  return {
    type: 'message',
    exchange: 1,
    from: 'client',
    opcode,
    compressed: false,
    fragments: 1,
  } as const;
}
