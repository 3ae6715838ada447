import { expect, it } from 'vitest';
import { neutralityFindings } from '../../src/diff/neutrality/neutrality.ts';
import { type Exchange, exchangesOf } from '../../src/golden/trace/exchanges.ts';
import { ConnectionDecoder } from '../../src/tap/connection-decoder.ts';
import { Sealer } from '../../src/trace/seal.ts';
import type { TraceEvent } from '../../src/trace/trace-event.ts';
import { TraceRecorder } from '../../src/trace/trace-recorder.ts';
import { rendered } from './rendered.ts';

const request = 'POST /responses HTTP/1.1\r\ncontent-length: 0\r\n\r\n';
const chunkedHead =
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n';
const closedHead = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n';

const usual = [
  'event: response.created\ndata: {"type":"response.created"}\n\n',
  'event: response.completed\ndata: {"type":"response.completed"}\n\n',
].join('');

/** The exchange that a tap records when the backend sends these bytes and then ends the connection. */
function recorded(response: string): Exchange[] {
  const events: TraceEvent[] = [];
  const recorder = new TraceRecorder(new Sealer(), (event) => events.push(event));
  recorder.observe({ type: 'connection', connection: 1, authority: 'a', tls: null });
  const decoder = new ConnectionDecoder({
    connection: 1,
    nextExchange: () => 1,
    observe: recorder.observe,
  });
  decoder.onData('client', Buffer.from(request));
  decoder.onData('backend', Buffer.from(response));
  decoder.onFinished('backend');
  return exchangesOf(events);
}

function findings(received: string, sent = closedHead + usual): string[] {
  return neutralityFindings(recorded(received), recorded(sent))
    .map(rendered)
    .map(({ severity, kind, places, expected, actual }) =>
      [severity, kind, places.join(' and '), expected, actual].join(' | ').replaceAll('exchange 1 › ', ''),
    );
}

it.each([
  ['a comment before the stream', `: keep-alive\n\n${usual}`],
  ['a comment between events', usual.replace('\n\n', '\n\n: keep-alive\n\n')],
  ['a comment inside an event', usual.replace('data', ': keep-alive\ndata')],
  ['a comment after the stream', `${usual}: bye\n\n`],
  ['a retry time', `retry: 1000\n\n${usual}`],
  ['an id alone', `id: 5\n\n${usual}`],
  ['an unknown field', `x: 1\n\n${usual}`],
  ['a name without data', `event: ping\n\n${usual}`],
  ['an unfinished event after all others', `${usual}data: half`],
  ['further empty lines', usual.replace('\n\n', '\n\n\n\n')],
  ['a byte order mark', `\ufeff${usual}`],
])('ignores what a client ignores: %s', (_, stream) => {
  expect(findings(closedHead + stream)).toEqual([]);
  expect(findings(closedHead + usual, closedHead + stream)).toEqual([]);
});

it('finds a last event without its empty line, which clients ignore', () => {
  for (const trimmed of [usual.slice(0, -1), usual.trimEnd()]) {
    expect(findings(closedHead + trimmed)).toEqual([
      'breaks | reframed | backend message 2 | an event with the empty line that ends it | an event without the empty line that ends it',
    ]);
  }
  expect(findings(closedHead + usual, closedHead + usual.slice(0, -1))).toEqual([
    'breaks | added | backend message 2 |  | {"type":"response.completed"}',
  ]);
});

it.each([
  ['CRLF line ends', usual.replaceAll('\n', '\r\n'), 'event, data with LF', 'event, data with CRLF'],
  ['CR line ends', usual.replaceAll('\n', '\r'), 'event, data with LF', 'event, data with CR'],
  [
    'an id of each event',
    usual.replaceAll(/event:/g, 'id: 5\nevent:'),
    'event, data with LF',
    'id, event, data with LF',
  ],
  [
    'data lines first',
    usual.replaceAll(/(event.*)\n(data.*)\n/g, '$2\n$1\n'),
    'event, data with LF',
    'data, event with LF',
  ],
  [
    'no space after the colon',
    usual.replaceAll('data: ', 'data:'),
    'event, data with LF',
    'event, data: with LF',
  ],
])('reports the shape of events that are written in another way: %s', (_, stream, expected, actual) => {
  const places = 'backend message 1 and backend message 2';
  expect(findings(closedHead + stream)).toEqual([
    `shape | respelled | ${places} | lines ${expected} | lines ${actual}`,
  ]);
});

it('reports the shape of data with white space, in one line or several', () => {
  const spaced = usual.replaceAll('":"', '": "');
  expect(findings(closedHead + spaced)).toEqual([
    'shape | respelled | backend message 1 and backend message 2 | JSON without white space | JSON with white space',
  ]);
  const lines = usual.replace('{"type":"response.created"}', '{\ndata: "type":"response.created"}');
  expect(findings(closedHead + lines)).toEqual([
    'shape | respelled | backend message 1 | JSON without white space | JSON with white space',
    'shape | respelled | backend message 1 | lines event, data with LF | lines event, data, data with LF',
  ]);
});

it('finds a chunked response without its last chunk', () => {
  const chunk = `${usual.length.toString(16)}\r\n${usual}\r\n`;
  expect(findings(`${chunkedHead}${chunk}0\r\n\r\n`)).toEqual([]);
  expect(findings(chunkedHead + chunk)).toEqual([
    'breaks | added | end of the response |  | a response that breaks off',
  ]);
  expect(findings(chunkedHead + chunk, chunkedHead + chunk)).toEqual([]);
});

it('reads an event stream whatever the case of its content type', () => {
  const head = closedHead.replace('text/event-stream', 'Text/Event-Stream');
  expect(findings(head + usual)).toEqual([]);
});
