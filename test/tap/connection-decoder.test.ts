import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ConnectionDecoder } from '../../src/tap/connection-decoder.ts';
import type { Observation } from '../../src/trace/observation.ts';
import type { Side } from '../../src/wire/message.ts';
import { anyChunking } from '../wire/chunking.ts';

function conversation() {
  const observed: Observation[] = [];
  let exchange = 0;
  const nextExchange = () => {
    exchange += 1;
    return exchange;
  };
  const talk = new ConnectionDecoder({ connection: 1, nextExchange, observe: (one) => observed.push(one) });
  const say = (side: Side, text: string | Buffer) => talk.said(side, Buffer.from(text));
  return { talk, say, observed };
}

const upgrade = 'GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const switched = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n\r\n';
const hello = Buffer.from('810548656c6c6f', 'hex');

it('tells requests, responses and their bodies with the number of their exchange', () => {
  const { say, observed } = conversation();
  say('client', 'POST /1 HTTP/1.1\r\ncontent-length: 2\r\n\r\nhiGET /2 HTTP/1.1\r\n\r\n');
  say('backend', 'HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\noneHTTP/1.1 204 No Content\r\n\r\n');
  expect(observed).toMatchObject([
    { type: 'request', connection: 1, exchange: 1, head: { target: '/1' } },
    { type: 'body', exchange: 1, from: 'client', bytes: Buffer.from('hi'), complete: true },
    { type: 'request', connection: 1, exchange: 2, head: { target: '/2' } },
    { type: 'response', exchange: 1, head: { status: 200 } },
    { type: 'body', exchange: 1, from: 'backend', bytes: Buffer.from('one'), complete: true },
    { type: 'response', exchange: 2, head: { status: 204 } },
  ]);
});

it('tells the messages of both sides once the upgrade is accepted', () => {
  const { say, observed } = conversation();
  say('client', upgrade);
  say('backend', Buffer.concat([Buffer.from(switched), hello]));
  say('client', hello);
  expect(observed.slice(2)).toMatchObject([
    { type: 'message', exchange: 1, from: 'backend', message: { opcode: 'text' } },
    { type: 'message', exchange: 1, from: 'client', message: { opcode: 'text' } },
  ]);
});

it('goes on with HTTP when the upgrade is refused', () => {
  const { say, observed } = conversation();
  say('client', upgrade);
  say('backend', 'HTTP/1.1 426 Upgrade Required\r\ncontent-length: 0\r\n\r\n');
  say('client', 'GET /2 HTTP/1.1\r\n\r\n');
  say('backend', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
  expect(observed.map(({ type }) => type)).toEqual(['request', 'response', 'request', 'response']);
  expect(observed.at(-1)).toMatchObject({ exchange: 2 });
});

it('goes on with HTTP when an upgrade with a body is refused before the body is whole', () => {
  const { say, observed } = conversation();
  say('client', 'POST / HTTP/1.1\r\nUpgrade: websocket\r\ncontent-length: 4\r\n\r\nbo');
  say('backend', 'HTTP/1.1 426 Upgrade Required\r\ncontent-length: 0\r\n\r\n');
  say('client', 'dyGET /2 HTTP/1.1\r\n\r\n');
  expect(observed.slice(2)).toMatchObject([
    { type: 'body', exchange: 1, bytes: Buffer.from('body') },
    { type: 'request', exchange: 2, head: { target: '/2' } },
  ]);
});

it('tells a body that was cut off, and who did it', () => {
  const { talk, say, observed } = conversation();
  say('client', 'GET / HTTP/1.1\r\n\r\n');
  say('backend', 'HTTP/1.1 200 OK\r\n\r\ndata: half');
  talk.cut('client');
  talk.cut('backend');
  expect(observed.slice(2)).toEqual([
    { type: 'body', exchange: 1, from: 'backend', bytes: Buffer.from('data: half'), complete: false },
    { type: 'end', connection: 1, by: 'client' },
  ]);
});

it('tells a body without a length as whole when the backend ends it', () => {
  const { talk, say, observed } = conversation();
  say('client', 'GET / HTTP/1.1\r\n\r\n');
  say('backend', 'HTTP/1.1 200 OK\r\n\r\nall of it');
  talk.finished('backend');
  talk.finished('client');
  expect(observed.slice(2)).toEqual([
    { type: 'body', exchange: 1, from: 'backend', bytes: Buffer.from('all of it'), complete: true },
    { type: 'end', connection: 1, by: 'backend' },
  ]);
});

it('tells no end when it is the tap that closes', () => {
  const { talk, observed } = conversation();
  talk.cut(null);
  expect(observed).toEqual([]);
});

it('tells a message cut off by the side that was saying it, and of nobody else', () => {
  const half = hello.subarray(0, 3);
  const byBackend = conversation();
  byBackend.say('client', upgrade);
  byBackend.say('backend', Buffer.concat([Buffer.from(switched), half]));
  byBackend.talk.cut('backend');
  expect(byBackend.observed.slice(2).map(({ type }) => type)).toEqual(['undecodable', 'end']);

  const byClient = conversation();
  byClient.say('client', upgrade);
  byClient.say('backend', Buffer.concat([Buffer.from(switched), half]));
  byClient.talk.cut('client');
  expect(byClient.observed.slice(2).map(({ type }) => type)).toEqual(['end']);
});

it('gives both sides of HTTP up after one undecodable', () => {
  const { talk, say, observed } = conversation();
  say('client', '\x16\x03\x01');
  say('client', 'GET / HTTP/1.1\r\n\r\n');
  say('backend', '\x15\x03');
  talk.finished('backend');
  expect(observed).toEqual([
    { type: 'undecodable', connection: 1, from: 'client', reason: 'the bytes are not HTTP/1.1' },
    { type: 'end', connection: 1, by: 'backend' },
  ]);
});

it('goes on with the other side of a websocket after an undecodable frame', () => {
  const { say, observed } = conversation();
  say('client', upgrade);
  say('backend', Buffer.concat([Buffer.from(switched), Buffer.from('8300', 'hex'), hello]));
  say('client', hello);
  expect(observed.slice(2)).toMatchObject([
    { type: 'undecodable', from: 'backend' },
    { type: 'message', from: 'client' },
  ]);
});

it('does not take an upgrade to another protocol for a websocket', () => {
  const { say, observed } = conversation();
  say('client', upgrade.replace('websocket', 'h2c'));
  say('backend', `${switched.replace('WebSocket', 'h2c')}frames`);
  expect(observed.map(({ type }) => type)).toEqual(['request', 'response', 'undecodable']);
});

it('tells the same whatever the chunks', () => {
  const fromClient = Buffer.from(`POST /1 HTTP/1.1\r\ncontent-length: 2\r\n\r\nhi${upgrade}`);
  const fromBackend = Buffer.concat([
    Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx${switched}`),
    hello,
    hello,
  ]);
  const tell = (clientChunks: readonly Buffer[], backendChunks: readonly Buffer[]) => {
    const { say, observed } = conversation();
    for (const chunk of clientChunks) say('client', chunk);
    for (const chunk of backendChunks) say('backend', chunk);
    return observed;
  };
  const whole = tell([fromClient], [fromBackend]);
  expect(whole).toHaveLength(8);
  fc.assert(
    fc.property(anyChunking(fromClient), anyChunking(fromBackend), (clientChunks, backendChunks) => {
      expect(tell(clientChunks, backendChunks)).toEqual(whole);
    }),
  );
});

it('never throws, whatever the bytes', () => {
  const deflated = switched.replace('\r\n\r\n', '\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n');
  const openings = fc.constantFrom(['', ''], [upgrade, ''], [upgrade, switched], [upgrade, deflated]);
  const anything = fc.array(
    fc.tuple(fc.constantFrom<Side>('client', 'backend'), fc.uint8Array({ minLength: 1 })),
  );
  fc.assert(
    fc.property(openings, anything, ([request = '', response = ''], chunks) => {
      const { talk, say, observed } = conversation();
      say('client', request);
      say('backend', response);
      for (const [side, bytes] of chunks) say(side, Buffer.from(bytes));
      talk.cut('client');
      expect(observed.filter(({ type }) => type === 'end')).toHaveLength(1);
      expect(observed.filter(({ type }) => type === 'undecodable').length).toBeLessThanOrEqual(2);
    }),
  );
});
