import { once } from 'node:events';
import {
  type ClientHttp2Session,
  connect,
  constants,
  createServer,
  type ServerHttp2Stream,
} from 'node:http2';
import fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import { ConnectionDecoder } from '../../src/tap/connection-decoder.ts';
import { startReverseTap } from '../../src/tap/reverse.ts';
import type { Observation } from '../../src/trace/observation.ts';
import type { Side } from '../../src/wire/message.ts';
import { anyChunking } from '../wire/chunking.ts';
import { frame, get, many, number, preface, request, settings } from '../wire/http2-frames.ts';
import { closing, listening, observing } from './local.ts';

/** Node's own HTTP/2 on both sides of a tap: what the tap observes must be what they sent. */
async function tapped(serve: (stream: ServerHttp2Stream) => void) {
  const server = createServer();
  server.on('stream', (stream) => {
    stream.on('error', () => {});
    serve(stream);
  });
  const port = await listening(server);
  const watch = observing();
  const tap = closing(
    await startReverseTap({ upstream: { host: '127.0.0.1', port }, observe: watch.observe }),
  );
  const client = connect(tap.url, {
    settings: { enablePush: false, initialWindowSize: 1_000_000, maxHeaderListSize: 10_000 },
  });
  client.on('error', () => {});
  onTestFinished(() => client.destroy());
  return { ...watch, client, url: tap.url };
}

function post(client: ClientHttp2Session, body: Buffer, path = '/responses') {
  const stream = client.request({ ':method': 'POST', ':path': path, second: '2', first: '1' });
  stream.on('error', () => {});
  stream.end(body);
  return stream.resume();
}

it('observes requests and responses over HTTP/2, and what the client chooses', async () => {
  const { client, observed, until, url } = await tapped((stream) => {
    stream.on('wantTrailers', () => stream.sendTrailers({ checksum: 'c' }));
    stream.resume().on('end', () => {
      stream.respond({ ':status': 201, answer: 'yes' }, { waitForTrailers: true });
      stream.end('done');
    });
  });
  const body = Buffer.alloc(40_000, 'b');
  await once(post(client, body), 'end');
  await until('body', 2);
  const authority = new URL(url).host;
  const headers = [
    ['second', '2'],
    ['first', '1'],
  ];
  expect(observed).toEqual([
    { type: 'connection', connection: 1, authority, tls: null },
    {
      type: 'request',
      connection: 1,
      exchange: 1,
      head: {
        method: 'POST',
        target: '/responses',
        version: '2',
        http2: {
          settings: [
            ['ENABLE_PUSH', 0],
            ['INITIAL_WINDOW_SIZE', 1_000_000],
            ['MAX_HEADER_LIST_SIZE', 10_000],
          ],
          window: 0,
          pseudo: [':method', ':path', ':authority', ':scheme'],
          authority,
        },
        headers,
      },
    },
    {
      ...{ type: 'body', exchange: 1, from: 'client', target: '/responses', headers, complete: true },
      bytes: body,
      largestFrame: 16_384,
    },
    { type: 'response', exchange: 1, head: expect.objectContaining({ status: 201, version: '2' }) },
    {
      ...{ type: 'body', exchange: 1, from: 'backend', target: '/responses', complete: true },
      headers: expect.arrayContaining([['answer', 'yes']]),
      bytes: Buffer.from('done'),
      trailers: [['checksum', 'c']],
    },
  ]);
});

it('observes several requests at once on one connection, and the side that breaks one off', async () => {
  const { client, observed, until } = await tapped((stream) => {
    stream.respond({ ':status': 200 });
    stream.write('begun');
    if (stream.id === 3) stream.close(constants.NGHTTP2_REFUSED_STREAM);
    if (stream.id === 5) stream.end();
  });
  const first = post(client, Buffer.from('one'), '/1');
  post(client, Buffer.from('two'), '/2');
  post(client, Buffer.from('three'), '/3');
  await until('reset');
  first.close(constants.NGHTTP2_CANCEL);
  await until('reset', 2);
  client.close();
  await until('end');
  const of = (exchange: number) =>
    observed.filter((event) => 'exchange' in event && event.exchange === exchange);
  expect(of(1).at(-1)).toEqual({ type: 'reset', exchange: 1, from: 'client', code: 'CANCEL' });
  expect(of(2).at(-1)).toEqual({ type: 'reset', exchange: 2, from: 'backend', code: 'REFUSED_STREAM' });
  expect(of(3).at(-1)).toMatchObject({ type: 'body', from: 'backend', complete: true });
  expect(of(1)).toContainEqual(expect.objectContaining({ from: 'backend', complete: false }));
  expect(observed).toContainEqual({ type: 'goaway', connection: 1, from: 'client', code: 'NO_ERROR' });
  expect(observed.at(-1)).toEqual({ type: 'end', connection: 1, by: 'client' });
});

function decoded(parts: readonly (readonly [Side, Buffer])[]) {
  const observed: Observation[] = [];
  let exchange = 0;
  const nextExchange = () => ++exchange;
  const decoder = new ConnectionDecoder({
    connection: 1,
    nextExchange,
    observe: (event) => observed.push(event),
  });
  for (const [side, bytes] of parts) decoder.onData(side, bytes);
  return { decoder, observed };
}

it('reads padding, priority, continuations, pushes and bytes of any split', () => {
  const sent = Buffer.concat([
    preface,
    settings([2, 0], [255, 1]),
    frame(8, 0, 0, number(5_177_345)),
    frame(
      1,
      0x1 | 0x8 | 0x20,
      1,
      Buffer.concat([Buffer.of(2), number(0x8000_0003), Buffer.of(199), get.subarray(0, 4), Buffer.alloc(2)]),
    ),
    frame(9, 0x4, 1, get.subarray(4)),
    frame(77, 0xff, 9, 'a type that nobody knows'),
  ]);
  const head = {
    ...{ method: 'GET', target: '/', version: '2', headers: [] },
    http2: {
      settings: [
        ['ENABLE_PUSH', 0],
        ['255', 1],
      ],
      window: 5_177_345,
      pseudo: [':method', ':scheme', ':path', ':authority'],
      authority: 'a',
      priority: { exclusive: true, dependsOn: 3, weight: 200 },
    },
  };
  fc.assert(
    fc.property(anyChunking(sent), (chunks) => {
      const { observed } = decoded(chunks.map((chunk) => ['client', chunk]));
      expect(observed).toEqual([{ type: 'request', connection: 1, exchange: 1, head }]);
    }),
  );
});

it('waits for the client where the server begins, and keeps the table in step with what it leaves out', () => {
  const push = Buffer.concat([number(2), Buffer.from('4001610162', 'hex')]);
  const { observed } = decoded([
    ['backend', frame(4, 0, 0)],
    ['client', Buffer.concat([preface, frame(1, 0x5, 1, get)])],
    ['backend', frame(5, 0x4, 1, push)],
    ['backend', frame(1, 0x4, 1, Buffer.from('0803313033', 'hex'))],
    ['backend', frame(1, 0x5, 1, Buffer.from('88be', 'hex'))],
  ]);
  expect(observed.slice(1)).toMatchObject([
    { type: 'response', exchange: 1, head: { status: 200, headers: [['a', 'b']] } },
  ]);
});

it('observes a body that an empty frame ends', () => {
  const { observed } = decoded([
    ['client', Buffer.concat([preface, frame(1, 0x4, 1, get), frame(0, 0, 1, 'hi'), frame(0, 0x1, 1)])],
  ]);
  expect(observed[1]).toMatchObject({ type: 'body', bytes: Buffer.from('hi'), endsEmpty: true });
  expect(observed[1]).not.toHaveProperty('largestFrame');
});

it.each<[string, Buffer, string]>([
  ['an HPACK block that is wrong', frame(1, 0x4, 1, Buffer.of(0xff)), 'an HPACK block that ends too early'],
  ['a request without a path', frame(1, 0x4, 1, Buffer.of(0x82)), 'a request without :method or :path'],
  ['a frame that is too long', frame(0, 0, 1, Buffer.alloc(20_000)), 'an HTTP/2 frame longer than allowed'],
  [
    'a frame with more padding than content',
    frame(0, 0x8, 1, Buffer.of(9, 1)),
    'an HTTP/2 frame with more padding than content',
  ],
  ['a frame that is too short', frame(3, 0, 1, 'x'), 'an HTTP/2 frame that is too short for its type'],
  [
    'a frame inside a block of headers',
    Buffer.concat([frame(1, 0, 1, get), frame(4, 0, 0)]),
    'an HTTP/2 frame inside a block of headers',
  ],
  ['a continuation of nothing', frame(9, 0x4, 1, get), 'an HTTP/2 frame that continues no block of headers'],
  [
    'a flood of continuations',
    Buffer.concat([frame(1, 0, 1, get), many(5, () => frame(9, 0, 1, Buffer.alloc(16_000)))]),
    'a block of headers longer than 64 KiB',
  ],
  ['a flood of requests', many(200, (index) => request(2 * index + 1)), 'more than 128 open HTTP/2 streams'],
  [
    'a flood of resets',
    many(1100, (index) => Buffer.concat([request(2 * index + 1), frame(3, 0, 2 * index + 1, number(8))])),
    'more than 1000 resets of HTTP/2 streams',
  ],
  [
    'too much content',
    Buffer.concat([request(1), request(3), ...many4(), ...many4()]),
    'more than 64 MiB in open HTTP/2 streams',
  ],
])('stops at %s, and says why once', (_, bytes, reason) => {
  const { decoder, observed } = decoded([['client', Buffer.concat([preface, bytes])]]);
  decoder.onData('client', request(9001));
  decoder.onFinished('client');
  expect(observed.filter(({ type }) => type === 'undecodable')).toEqual([
    { type: 'undecodable', connection: 1, from: 'client', reason },
  ]);
  expect(observed.slice(-2).map(({ type }) => type)).toEqual(['undecodable', 'end']);
});

/** 33 MiB of content on stream 1. */
function many4(): Buffer[] {
  const content = frame(0, 0, 1, Buffer.alloc(16_384));
  return [many(2112, () => content)];
}

it('keeps nothing of floods of settings, pings and empty continuations', () => {
  const flood = Buffer.concat([
    many(10_000, () => settings([4, 1])),
    many(10_000, () => frame(6, 0, 0, Buffer.alloc(8))),
    frame(1, 0, 1, get),
    many(10_000, () => frame(9, 0, 1)),
    frame(9, 0x4, 1),
  ]);
  const { observed } = decoded([['client', Buffer.concat([preface, flood])]]);
  expect(observed).toHaveLength(1);
  const [first] = observed;
  expect(first?.type === 'request' && first.head.http2?.settings).toHaveLength(64);
});

it('reports a connection that ends inside a frame', () => {
  const { decoder, observed } = decoded([['client', Buffer.concat([preface, request(1).subarray(0, 5)])]]);
  decoder.onFinished('client');
  expect(observed).toMatchObject([
    { type: 'undecodable', reason: 'the connection ended inside an HTTP/2 frame' },
    { type: 'end', by: 'client' },
  ]);
});
