import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ConnectionDecoder } from '../../src/tap/connection-decoder.ts';
import type { Observation } from '../../src/trace/observation.ts';
import { contentLimit } from '../../src/wire/content-collector.ts';
import type { Side } from '../../src/wire/message.ts';
import { anyChunking } from '../wire/chunking.ts';

function openConnection() {
  const observed: Observation[] = [];
  let exchange = 0;
  const nextExchange = () => {
    exchange += 1;
    return exchange;
  };
  const decoder = new ConnectionDecoder({
    connection: 1,
    nextExchange,
    observe: (observation) => observed.push(observation),
  });
  const send = (side: Side, text: string | Buffer) => decoder.onData(side, Buffer.from(text));
  return { decoder, send, observed };
}

const upgrade = 'GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const switched = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n\r\n';
const hello = Buffer.from('810548656c6c6f', 'hex');

it('observes requests, responses and bodies with the number of their exchange', () => {
  const { send, observed } = openConnection();
  send('client', 'POST /1 HTTP/1.1\r\ncontent-length: 2\r\n\r\nhiGET /2 HTTP/1.1\r\n\r\n');
  send('backend', 'HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\noneHTTP/1.1 204 No Content\r\n\r\n');
  expect(observed).toMatchObject([
    { type: 'request', connection: 1, exchange: 1, head: { target: '/1' } },
    { type: 'body', exchange: 1, from: 'client', bytes: Buffer.from('hi'), complete: true },
    { type: 'request', connection: 1, exchange: 2, head: { target: '/2' } },
    { type: 'response', exchange: 1, head: { status: 200 } },
    { type: 'body', exchange: 1, from: 'backend', bytes: Buffer.from('one'), complete: true },
    { type: 'response', exchange: 2, head: { status: 204 } },
  ]);
});

it('observes each body with the target of its request and its own headers', () => {
  const { send, observed } = openConnection();
  send(
    'client',
    'POST /1 HTTP/1.1\r\ncontent-length: 2\r\n\r\nhiPOST /2 HTTP/1.1\r\ncontent-length: 2\r\n\r\nho',
  );
  send('backend', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none');
  const length = (value: string, name = 'content-length') => ({ headers: [[name, value]] });
  expect(observed.filter(({ type }) => type === 'body')).toMatchObject([
    { from: 'client', target: '/1', ...length('2') },
    { from: 'client', target: '/2', ...length('2') },
    { from: 'backend', target: '/1', ...length('3', 'Content-Length') },
  ]);
});

it('observes length and hash of a body above the limit', () => {
  const { decoder, send, observed } = openConnection();
  const content = Buffer.alloc(contentLimit + 1, 'x');
  send('client', 'GET / HTTP/1.1\r\n\r\n');
  send('backend', 'HTTP/1.1 200 OK\r\n\r\n');
  for (let at = 0; at < content.length; at += 65_536) send('backend', content.subarray(at, at + 65_536));
  decoder.onFinished('backend');
  const sha256 = createHash('sha256').update(content).digest('hex');
  expect(observed[2]).toMatchObject({ bytes: { length: content.length, sha256 }, complete: true });
});

it('observes the messages of both sides once the upgrade is accepted', () => {
  const { send, observed } = openConnection();
  send('client', upgrade);
  send('backend', Buffer.concat([Buffer.from(switched), hello]));
  send('client', hello);
  expect(observed.slice(2)).toMatchObject([
    { type: 'message', exchange: 1, from: 'backend', message: { opcode: 'text' } },
    { type: 'message', exchange: 1, from: 'client', message: { opcode: 'text' } },
  ]);
});

it('continues with HTTP when the upgrade is refused', () => {
  const { send, observed } = openConnection();
  send('client', upgrade);
  send('backend', 'HTTP/1.1 426 Upgrade Required\r\ncontent-length: 0\r\n\r\n');
  send('client', 'GET /2 HTTP/1.1\r\n\r\n');
  send('backend', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
  expect(observed.map(({ type }) => type)).toEqual(['request', 'response', 'request', 'response']);
  expect(observed.at(-1)).toMatchObject({ exchange: 2 });
});

it('continues with HTTP when an upgrade is refused before its body is complete', () => {
  const { send, observed } = openConnection();
  send('client', 'POST / HTTP/1.1\r\nUpgrade: websocket\r\ncontent-length: 4\r\n\r\nbo');
  send('backend', 'HTTP/1.1 426 Upgrade Required\r\ncontent-length: 0\r\n\r\n');
  send('client', 'dyGET /2 HTTP/1.1\r\n\r\n');
  expect(observed.slice(2)).toMatchObject([
    { type: 'body', exchange: 1, bytes: Buffer.from('body') },
    { type: 'request', exchange: 2, head: { target: '/2' } },
  ]);
});

it('observes a body that was cut off, and which side did it', () => {
  const { decoder, send, observed } = openConnection();
  send('client', 'GET / HTTP/1.1\r\n\r\n');
  send('backend', 'HTTP/1.1 200 OK\r\n\r\ndata: half');
  decoder.onCut('client');
  decoder.onCut('backend');
  expect(observed.slice(2)).toMatchObject([
    { type: 'body', exchange: 1, from: 'backend', bytes: Buffer.from('data: half'), complete: false },
    { type: 'end', connection: 1, by: 'client' },
  ]);
});

it('observes a body without a length as complete when the backend ends it', () => {
  const { decoder, send, observed } = openConnection();
  send('client', 'GET / HTTP/1.1\r\n\r\n');
  send('backend', 'HTTP/1.1 200 OK\r\n\r\nall of it');
  decoder.onFinished('backend');
  decoder.onFinished('client');
  expect(observed.slice(2)).toMatchObject([
    { type: 'body', exchange: 1, from: 'backend', bytes: Buffer.from('all of it'), complete: true },
    { type: 'end', connection: 1, by: 'backend' },
  ]);
});

it('observes no end when the tap closes the connection', () => {
  const { decoder, observed } = openConnection();
  decoder.onCut(null);
  expect(observed).toEqual([]);
});

it('observes a message cut off by its sender, not by the other side', () => {
  const half = hello.subarray(0, 3);
  const byBackend = openConnection();
  byBackend.send('client', upgrade);
  byBackend.send('backend', Buffer.concat([Buffer.from(switched), half]));
  byBackend.decoder.onCut('backend');
  expect(byBackend.observed.slice(2).map(({ type }) => type)).toEqual(['undecodable', 'end']);

  const byClient = openConnection();
  byClient.send('client', upgrade);
  byClient.send('backend', Buffer.concat([Buffer.from(switched), half]));
  byClient.decoder.onCut('client');
  expect(byClient.observed.slice(2).map(({ type }) => type)).toEqual(['end']);
});

it('stops decoding both sides of HTTP after undecodable bytes', () => {
  const { decoder, send, observed } = openConnection();
  send('client', '\x16\x03\x01');
  send('client', 'GET / HTTP/1.1\r\n\r\n');
  send('backend', '\x15\x03');
  decoder.onFinished('backend');
  expect(observed).toEqual([
    { type: 'undecodable', connection: 1, from: 'client', reason: 'the bytes are not HTTP/1.1' },
    { type: 'end', connection: 1, by: 'backend' },
  ]);
});

it('continues with the other side of a websocket after an undecodable frame', () => {
  const { send, observed } = openConnection();
  send('client', upgrade);
  send('backend', Buffer.concat([Buffer.from(switched), Buffer.from('8300', 'hex'), hello]));
  send('client', hello);
  expect(observed.slice(2)).toMatchObject([
    { type: 'undecodable', from: 'backend' },
    { type: 'message', from: 'client' },
  ]);
});

it('reports an upgrade to another protocol as undecodable', () => {
  const { send, observed } = openConnection();
  send('client', upgrade.replace('websocket', 'h2c'));
  send('backend', `${switched.replace('WebSocket', 'h2c')}frames`);
  expect(observed.map(({ type }) => type)).toEqual(['request', 'response', 'undecodable']);
});

it('observes the same for any chunking', () => {
  const fromClient = Buffer.from(`POST /1 HTTP/1.1\r\ncontent-length: 2\r\n\r\nhi${upgrade}`);
  const fromBackend = Buffer.concat([
    Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx${switched}`),
    hello,
    hello,
  ]);
  const observe = (clientChunks: readonly Buffer[], backendChunks: readonly Buffer[]) => {
    const { send, observed } = openConnection();
    for (const chunk of clientChunks) send('client', chunk);
    for (const chunk of backendChunks) send('backend', chunk);
    return observed;
  };
  const whole = observe([fromClient], [fromBackend]);
  expect(whole).toHaveLength(8);
  fc.assert(
    fc.property(anyChunking(fromClient), anyChunking(fromBackend), (clientChunks, backendChunks) => {
      expect(observe(clientChunks, backendChunks)).toEqual(whole);
    }),
  );
});

it('never throws, for any bytes', () => {
  const deflated = switched.replace('\r\n\r\n', '\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n');
  const openings = fc.constantFrom(['', ''], [upgrade, ''], [upgrade, switched], [upgrade, deflated]);
  const anything = fc.array(
    fc.tuple(fc.constantFrom<Side>('client', 'backend'), fc.uint8Array({ minLength: 1 })),
  );
  fc.assert(
    fc.property(openings, anything, ([request = '', response = ''], chunks) => {
      const { decoder, send, observed } = openConnection();
      send('client', request);
      send('backend', response);
      for (const [side, bytes] of chunks) send(side, Buffer.from(bytes));
      decoder.onCut('client');
      expect(observed.filter(({ type }) => type === 'end')).toHaveLength(1);
      expect(observed.filter(({ type }) => type === 'undecodable').length).toBeLessThanOrEqual(2);
    }),
  );
});
