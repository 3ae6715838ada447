import { expect, it } from 'vitest';
import { decodeEvent, encodeEvent } from '../../src/trace/codec.ts';
import type { Content, TraceEvent } from '../../src/trace/trace-event.ts';
import { jsonString, parseJson, printJson, toNode } from '../../src/wire/json.ts';

const contents: Content[] = [
  { kind: 'json', json: parseJson('{"a":1.0,"a":"\\u00e9"}').node, spaced: false },
  { kind: 'json', json: toNode([]), spaced: true },
  { kind: 'text', text: jsonString('<<sealed 1 a>>') },
  { kind: 'events', events: [{ event: '', data: jsonString('[DONE]') }] },
  {
    kind: 'events',
    events: [
      { event: 'e', data: toNode([]), spaced: true, form: { lines: ['data', 'event'], ends: 'CRLF' } },
      { event: '', data: jsonString('half'), unfinished: true },
    ],
    silent: [{ before: 1, form: { lines: ['comment'], ends: 'LF' } }],
  },
  { kind: 'bytes', bytes: 3, sha256: 'abc' },
  { kind: 'close', code: 1000 },
  { kind: 'close', code: null },
  { kind: 'close', code: 1011, reason: jsonString('keepalive') },
];

const events: TraceEvent[] = [
  { type: 'connection', connection: 1, authority: 'a:1', tls: null },
  { type: 'connection', connection: 2, authority: 'a', tls: { offered: ['h2', 'http/1.1'], chosen: 'h2' } },
  { type: 'connection', connection: 3, authority: 'a', imported: 'HAR' },
  {
    type: 'request',
    connection: 1,
    exchange: 1,
    method: 'GET',
    target: jsonString('/responses'),
    headers: [
      ['A', jsonString('1')],
      ['a', jsonString('2')],
    ],
  },
  {
    type: 'request',
    connection: 2,
    exchange: 2,
    method: 'POST',
    target: jsonString('/responses'),
    version: '2',
    http2: {
      settings: [
        ['ENABLE_PUSH', 0],
        ['INITIAL_WINDOW_SIZE', 2097152],
      ],
      window: 5177345,
      pseudo: [':method', ':path', ':authority'],
      authority: jsonString('chatgpt.com'),
      priority: { exclusive: true, dependsOn: 3, weight: 16 },
    },
    headers: [],
  },
  {
    ...{ type: 'body', exchange: 2, from: 'client', complete: true },
    ...{ largestFrame: 16384, endsEmpty: true, trailers: [['a', jsonString('b')]] },
    content: { kind: 'text', text: jsonString('hi') },
  },
  { type: 'reset', exchange: 2, from: 'client', code: 'CANCEL' },
  { type: 'goaway', connection: 2, from: 'backend', code: 'NO_ERROR' },
  { type: 'response', exchange: 1, status: 101, headers: [] },
  { type: 'response', exchange: 1, version: '1.0', status: 200, headers: [] },
  { type: 'end', connection: 1, by: 'backend' },
  { type: 'end', connection: 1, by: 'backend', at: 1500 },
  { type: 'undecodable', connection: 1, from: 'client', reason: 'no HTTP' },
  ...contents.flatMap((content): TraceEvent[] => [
    { type: 'body', exchange: 1, from: 'backend', complete: false, content },
    { type: 'message', exchange: 1, from: 'client', opcode: 'text', content },
    { type: 'message', exchange: 1, from: 'client', opcode: 'text', compressed: true, fragments: 2, content },
  ]),
];

it.each(events)('decodes what it encodes: $type $content', (event) => {
  expect(decodeEvent(parseJson(printJson(encodeEvent(event))).node)).toEqual(event);
});

it('encodes members in a fixed order', () => {
  const line = printJson(encodeEvent({ by: 'client', connection: 3, type: 'end' }));
  expect(line).toBe('{"type":"end","connection":3,"by":"client"}');
});

it.each([
  ['{"type":"message","exchange":1,"from":"proxy"}', '"from" must be one of client, backend'],
  ['{"type":"response","exchange":1.5,"status":1,"headers":[]}', '"exchange" must be an integer'],
  [
    '{"type":"response","exchange":1,"status":1,"headers":[["a"]]}',
    '"headers" must contain only [name, value] pairs',
  ],
  [
    '{"type":"request","connection":1,"exchange":1,"method":"GET","target":"/","http2":{"settings":[["A"]]}}',
    '"settings" must contain only [name, number] pairs',
  ],
  ['{"type":"response","exchange":1,"status":1,"headers":{}}', '"headers" must be an array'],
  [
    '{"type":"body","exchange":1,"from":"client","complete":null,"bytes":1}',
    '"complete" must be true or false',
  ],
  [
    '{"type":"connection","connection":1,"authority":"a","tls":{"offered":[1],"chosen":null}}',
    '"offered" must contain only strings',
  ],
])('reports what is wrong with %s', (line, what) => {
  expect(() => decodeEvent(parseJson(line).node)).toThrow(what);
});
