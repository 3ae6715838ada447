import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';
import type { Backend } from '../../src/backend/backend.ts';
import { parseFault } from '../../src/fault/fault.ts';
import { encodeHeaders } from '../../src/wire/hpack-encode.ts';
import {
  encodeFrame,
  frameFlags,
  frameTypes,
  type Http2Frame,
  Http2FrameDecoder,
  http2Preface,
} from '../../src/wire/http2-frame.ts';
import { hostile, preface } from '../wire/http2-frames.ts';
import { backendOf, backendWith, connect as connectWebSocket } from './backend-client.ts';

const path = '/backend-api/codex/responses';
const create = JSON.stringify({ type: 'response.create', model: 'm', input: [] });

function clientOf({ origin }: Backend) {
  const client = connectHttp2(origin);
  client.on('error', () => {});
  onTestFinished(() => client.destroy());
  return client;
}

/** The answer to a request over HTTP/2. */
async function post(backend: Backend, target = path, body = create) {
  const stream = clientOf(backend).request({ ':method': 'POST', ':path': target });
  stream.end(body);
  const [headers] = await once(stream, 'response');
  return { status: Number(headers[':status']), headers, body: String(await buffer(stream)) };
}

it('responds over HTTP/2 as over HTTP/1.1', async () => {
  const { backend, events } = await backendWith({ reply: 'text', text: 'OK' }, { reply: 'text', text: 'OK' });
  expect(backend.http2).toBe(true);
  const { status, headers, body } = await post(backend);
  const old = await fetch(`${backend.origin}${path}`, { method: 'POST', body: create });
  expect({ status, type: headers['content-type'] }).toEqual({
    status: old.status,
    type: old.headers.get('content-type'),
  });
  const withoutIds = (text: string) => text.replaceAll(/_[0-9a-f]{16,}|"created_at":\d+/g, '');
  expect(withoutIds(body)).toBe(withoutIds(await old.text()));
  expect(body).toContain('event: response.completed');
  const requests = events.flatMap((event) => (event.type === 'request' ? [event] : []));
  expect(requests.map(({ target, status: sent }) => [target, sent])).toEqual([
    [path, 200],
    [path, 200],
  ]);
  expect(requests[0]?.headers.every(([name]) => !name.startsWith(':'))).toBe(true);
  expect(await post(backend, '/missing')).toMatchObject({ status: 404 });
});

it('serves websockets beside HTTP/2 on one port', async () => {
  const { backend } = await backendWith({ reply: 'text', text: 'OK' }, { reply: 'text', text: 'OK' });
  expect((await post(backend)).status).toBe(200);
  const { request } = await connectWebSocket(backend);
  expect((await request(JSON.parse(create))).at(-1)).toMatchObject({ type: 'response.completed' });
});

it('reads the preface of HTTP/2 byte by byte, and leaves clients alone that send less', async () => {
  const { backend } = await backendWith({ reply: 'text', text: 'OK' });
  const short = connect(backend.port, '127.0.0.1');
  onTestFinished(() => void short.destroy());
  short.end('PR');
  const slow = connect({ port: backend.port, host: '127.0.0.1', noDelay: true });
  onTestFinished(() => void slow.destroy());
  for (const byte of preface) {
    slow.write(Buffer.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
  const [first] = await once(slow, 'data');
  // The settings of the server: a frame of type 4.
  expect(first[3]).toBe(4);
});

it('resets the stream where the script cuts a response off', async () => {
  const { backend } = await backendWith({ reply: 'break', close: null });
  const stream = clientOf(backend).request({ ':method': 'POST', ':path': path });
  stream.end(create);
  let received = '';
  stream.on('data', (bytes) => {
    received += bytes;
  });
  const [failure] = await once(stream, 'error');
  expect(failure).toMatchObject({ message: expect.stringContaining('INTERNAL_ERROR') });
  expect(received).toContain('response.created');
});

/** The frames that a backend sends to a client that sends these bytes after its preface, until they are enough. */
async function framesFrom(
  { port }: Backend,
  bytes: Buffer,
  areEnough: (frames: readonly Http2Frame[]) => boolean,
): Promise<Http2Frame[]> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  onTestFinished(() => void socket.destroy());
  socket.write(Buffer.concat([http2Preface, bytes]));
  const decoder = new Http2FrameDecoder();
  const frames: Http2Frame[] = [];
  for await (const chunk of socket) {
    decoder.push(chunk);
    for (let frame = decoder.next(); frame !== null; frame = decoder.next()) frames.push(frame);
    if (areEnough(frames)) break;
  }
  return frames;
}

/** A request for a response over HTTP/2. */
const postFrames = Buffer.concat([
  encodeFrame('SETTINGS'),
  encodeFrame(
    'HEADERS',
    encodeHeaders([
      [':method', 'POST'],
      [':scheme', 'http'],
      [':authority', 'a'],
      [':path', path],
    ]),
    { flags: frameFlags.endHeaders, stream: 1 },
  ),
  encodeFrame('DATA', Buffer.from(create), { flags: frameFlags.endStream, stream: 1 }),
]);

function isLastData({ type, flags }: Http2Frame): boolean {
  return type === frameTypes.DATA && (flags & frameFlags.endStream) > 0;
}

it('ends the stream with the last DATA frame, so that no client can reset it before its end', async () => {
  const { backend } = await backendWith({ reply: 'text', text: 'OK' });
  const frames = await framesFrom(backend, postFrames, (all) => all.some(isLastData));
  expect(String(frames.find(isLastData)?.payload)).toContain('event: response.completed');
});

it('varies the DATA frames of a response, and not what is in them', async () => {
  const frames: number[] = [];
  for (const vary of [1, 2, 3]) {
    const { backend } = await backendOf({ script: [{ reply: 'text', text: 'OK' }], vary });
    expect(backend.http2).toBe(true);
    const received = await framesFrom(backend, postFrames, (all) => all.some(isLastData));
    const data = received.filter(({ type }) => type === frameTypes.DATA);
    frames.push(data.length);
    expect(data.findIndex(isLastData)).toBe(data.length - 1);
    const body = Buffer.concat(data.map(({ payload }) => payload)).toString();
    expect(body).toMatch(/^event: response\.created\n.+"type":"response\.completed".+\n\n$/s);
  }
  expect(Math.max(...frames)).toBeGreaterThan(1);
  expect(Math.min(...frames)).toBe(1);
});

it('does not offer HTTP/2 where it makes faults on the wire, and says so to clients that begin with it', async () => {
  const wire = [parseFault('reset@message:3')];
  const { backend } = await backendOf({ script: [{ reply: 'text', text: 'OK' }], faults: { wire } });
  expect(backend.http2).toBe(false);
  const isGoaway = ({ type }: Http2Frame) => type === frameTypes.GOAWAY;
  const frames = await framesFrom(backend, encodeFrame('SETTINGS'), (all) => all.some(isGoaway));
  expect(frames.map(({ type }) => type)).toEqual([frameTypes.SETTINGS, frameTypes.GOAWAY]);
  const goaway = frames.find(isGoaway)?.payload;
  // HTTP_1_1_REQUIRED (RFC 9113, section 7).
  expect(goaway?.readUInt32BE(4)).toBe(0xd);
  expect(goaway?.toString('utf8', 8)).toBe('faults happen over HTTP/1.1 only: connect without HTTP/2');
});

it('serves others after broken HTTP/2', async () => {
  const { backend } = await backendWith({ reply: 'text', text: 'OK' });
  const sockets = hostile.map(([, bytes]) => {
    const socket = connect(backend.port, '127.0.0.1');
    socket.on('error', () => {}).resume();
    onTestFinished(() => void socket.destroy());
    socket.write(Buffer.concat([preface, bytes]));
    return socket;
  });
  // All but the one that only never opens its window are closed.
  await expect.poll(() => sockets.filter(({ closed }) => !closed).length).toBeLessThan(4);
  expect((await post(backend)).status).toBe(200);
});
