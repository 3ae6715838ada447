import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as delay, setImmediate as immediate } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startBackend } from '../../src/backend/backend.ts';
import { RawConnection } from '../../src/client/replay/raw-connection.ts';
import type { ReceivedEvent } from '../../src/client/replay/received-events.ts';
import { faultKinds, parseFault } from '../../src/fault/fault.ts';
import { startFaultRelay } from '../../src/fault/relay.ts';
import { listenLocally } from '../../src/listening.ts';
import { textOf } from '../../src/wire/content-collector.ts';
import type { HeaderList } from '../../src/wire/headers.ts';
import { connect as connectTo } from '../backend/backend-client.ts';

const path = '/backend-api/codex/responses';
const turn = JSON.stringify({ type: 'response.create', model: 'm', stream: true, input: [] });
const upgradeHeaders: HeaderList = [
  ['Host', '127.0.0.1'],
  ['Connection', 'Upgrade'],
  ['Upgrade', 'websocket'],
  ['Sec-WebSocket-Version', '13'],
  ['Sec-WebSocket-Key', 'AAAAAAAAAAAAAAAAAAAAAA=='],
  ['Sec-WebSocket-Extensions', 'permessage-deflate; client_max_window_bits'],
];

async function backendWith(faults: readonly string[]) {
  const backend = await startBackend({
    script: [{ reply: 'text', text: 'OK' }],
    repeats: true,
    faults: { wire: faults.map(parseFault) },
  });
  onTestFinished(backend.close);
  return backend;
}

/** What a client receives, a word each: as many as are expected, and `silence` if nothing follows for a moment. */
async function received(connection: RawConnection, expected: readonly string[]): Promise<string[]> {
  const words: string[] = [];
  while (words.at(-1) !== 'silence' && words.at(-1) !== 'end' && words.length < expected.length) {
    const isSilent = expected[words.length] === 'silence';
    const next = await Promise.race([connection.next(), delay(isSilent ? 50 : 20_000)]);
    words.push(next === undefined ? 'silence' : wordOf(next));
  }
  return words;
}

function wordOf(event: ReceivedEvent): string {
  if (event.type === 'response') return String(event.head.status);
  if (event.type === 'event') return typeOf(event.data);
  if (event.type === 'body') return 'body';
  if (event.type === 'end') return event.undecodable === undefined ? 'end' : `end: ${event.undecodable}`;
  const { opcode, payload } = event.message;
  if (opcode === 'close' && Buffer.isBuffer(payload)) return `close ${payload.readUInt16BE(0)}`;
  return opcode === 'binary' ? 'binary' : typeOf(textOf(payload));
}

function typeOf(text: string): string {
  const [, type = ''] = /^\{"type":"(?:response\.)?([\w.]+)".*\}$/.exec(text) ?? [];
  return type || `${text.slice(0, 12)} of ${text.length}`;
}

function rawConnection(port: number): RawConnection {
  const connection = new RawConnection('127.0.0.1', port);
  onTestFinished(() => connection.destroy());
  return connection;
}

async function overWebSocket(port: number, expected: readonly string[]): Promise<string[]> {
  const connection = rawConnection(port);
  connection.request({ method: 'GET', target: path, headers: upgradeHeaders, body: Buffer.alloc(0) });
  const first = await received(connection, expected.slice(0, 1));
  if (first[0] !== '101') return [...first, ...(await received(connection, expected.slice(1)))];
  connection.send('text', Buffer.from(turn));
  return [...first, ...(await received(connection, expected.slice(1)))];
}

async function overHttp(port: number, expected: readonly string[]): Promise<string[]> {
  const connection = rawConnection(port);
  const body = Buffer.from(turn);
  const headers: HeaderList = [
    ['Host', '127.0.0.1'],
    ['Content-Length', String(body.length)],
  ];
  connection.request({ method: 'POST', target: path, headers, body });
  return received(connection, expected);
}

const start = ['created', 'in_progress', 'output_item.added', 'content_part.added'];
const rest = ['output_text.delta', 'output_text.done', 'content_part.done', 'output_item.done', 'completed'];
const whole = [...start, ...rest];
const wholeOverWebSocket = ['101', ...whole, 'silence'];
const wholeOverHttp = ['200', ...whole, 'body', 'silence'];

/** What a client sees of each fault, over a websocket and over HTTP. */
const seen: readonly (readonly [fault: string, websocket: readonly string[], http: readonly string[]])[] = [
  ['status:429@request', ['429', 'body', 'end'], ['429', 'body', 'end']],
  ['reset@request', ['end'], ['end']],
  ['drop@request', ['end'], ['end']],
  ['half-open@request', ['silence'], ['silence']],
  ['stall@request', ['silence'], ['silence']],
  ['tls-alert', ['end: the bytes are not HTTP/1.1'], ['end: the bytes are not HTTP/1.1']],
  [
    'early',
    ['101', 'created', 'completed', ...whole, 'silence'],
    ['200', 'created', 'completed', 'body', 'end'],
  ],
  [
    'reset@response.content_part.added',
    ['101', ...start.slice(0, 3), 'end'],
    ['200', ...start.slice(0, 3), 'body', 'end'],
  ],
  ['drop@message:4', ['101', ...start.slice(0, 3), 'end'], ['200', ...start.slice(0, 3), 'body', 'end']],
  ['stall@message:4', ['101', ...start.slice(0, 3), 'silence'], ['200', ...start.slice(0, 3), 'silence']],
  ['half-open@message:4', ['101', ...start.slice(0, 3), 'silence'], ['200', ...start.slice(0, 3), 'silence']],
  ['close:1008@message:5', ['101', ...start, 'close 1008', 'end'], ['200', ...start, 'body', 'silence']],
  [
    'error:503@message:5',
    ['101', ...start, 'error', 'silence'],
    ['200', ...start, 'error', 'body', 'silence'],
  ],
  [
    'malformed@message:5',
    ['101', ...start, '{"type":"res of 45', ...rest, 'silence'],
    ['200', ...start, '{"type":"res of 45', ...rest, 'body', 'silence'],
  ],
  [
    'binary@message:5',
    ['101', ...start, 'binary', ...rest, 'silence'],
    ['200', ...start, ...rest, 'body', 'silence'],
  ],
  [
    'oversize:70000@message:5',
    ['101', ...start, 'xxxxxxxxxxxx of 70000', ...rest, 'silence'],
    ['200', ...start, 'xxxxxxxxxxxx of 70000', ...rest, 'body', 'silence'],
  ],
  [
    'invalid-utf8@message:5',
    ['101', ...start, '\ufffd\ufffd\ufffd of 3', ...rest, 'silence'],
    ['200', ...start, '"\ufffd\ufffd\ufffd" of 5', ...rest, 'body', 'silence'],
  ],
  [
    'bad-deflate@message:5',
    ['101', ...start, 'end: a compressed websocket message that does not decompress'],
    ['200', ...whole, 'body', 'silence'],
  ],
  [
    'masking@message:5',
    ['101', ...start, '{} of 2', ...rest, 'silence'],
    ['200', ...whole, 'body', 'silence'],
  ],
  ['twice', ['101', ...whole, ...whole, 'silence'], ['200', ...whole, ...whole, 'body', 'silence']],
];

describe.each(seen)('%s', (fault, websocket, http) => {
  it('is seen over a websocket', async () => {
    const backend = await backendWith([fault]);
    expect(await overWebSocket(backend.port, websocket)).toEqual(websocket);
    expect(await overWebSocket(backend.port, wholeOverWebSocket)).toEqual(wholeOverWebSocket);
  });

  it('is seen over HTTP', async () => {
    const backend = await backendWith([fault]);
    expect(await overHttp(backend.port, http)).toEqual(http);
    expect(await overHttp(backend.port, wholeOverHttp)).toEqual(wholeOverHttp);
  });
});

it('tests every kind of fault', () => {
  const tested = new Set(seen.map(([fault]) => parseFault(fault).kind));
  expect(faultKinds.filter((kind) => !tested.has(kind))).toEqual([]);
});

it('ends a connection after a number of bytes', async () => {
  const backend = await backendWith(['drop@byte:60']);
  const socket = connect(backend.port, '127.0.0.1');
  let bytes = 0;
  socket.on('data', (chunk) => {
    bytes += chunk.length;
  });
  socket.write(`POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${turn.length}\r\n\r\n${turn}`);
  await once(socket, 'end');
  expect(bytes).toBe(60);
});

it('counts occasions over all connections, and repeats a fault at every one', async () => {
  const second = await backendWith(['status:500@upgrade:2']);
  expect(await overWebSocket(second.port, wholeOverWebSocket)).toEqual(wholeOverWebSocket);
  expect(second.deviations()).toContain('fault status:500@upgrade:2 did not happen');
  expect(await overWebSocket(second.port, ['500', 'body', 'end'])).toEqual(['500', 'body', 'end']);
  expect(second.deviations().filter((deviation) => deviation.startsWith('fault'))).toEqual([]);
  const every = await backendWith(['status:500@token:every']);
  const refresh = async () =>
    (await fetch(`${every.origin}/oauth/token`, { method: 'POST', body: '{}' })).status;
  expect([await refresh(), await refresh()]).toEqual([500, 500]);
});

it.each([
  ['stall@message:2', 'pong'],
  ['half-open@message:2', 'silence'],
])('with %s, a ping gets: %s', async (fault, expected) => {
  const backend = await backendWith([fault]);
  const client = await connectTo(backend);
  client.send(JSON.parse(turn));
  await client.received(1);
  client.socket.ping();
  const pong = once(client.socket, 'pong').then(() => 'pong');
  expect(await Promise.race([pong, delay(expected === 'pong' ? 20_000 : 50, 'silence')])).toBe(expected);
  expect(await client.received(1)).toHaveLength(1);
});

it('passes on everything where nothing varies and nothing fails', async () => {
  const backend = await startBackend({ script: [{ reply: 'text', text: 'OK' }], repeats: true });
  onTestFinished(backend.close);
  const relay = await startFaultRelay({
    upstream: { host: '127.0.0.1', port: backend.port },
    side: 'client',
  });
  onTestFinished(relay.close);
  expect(await overWebSocket(relay.port, wholeOverWebSocket)).toEqual(wholeOverWebSocket);
  expect(await overHttp(relay.port, wholeOverHttp)).toEqual(wholeOverHttp);
});

it.each([1, 2, 3])('passes on all that came before a reset, however slowly, with seed %i', async (vary) => {
  const body = Buffer.alloc(400_000, 'x');
  const server = createServer((socket) => {
    socket
      .on('error', () => {})
      .once('data', () => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${2 * body.length}\r\n\r\n`);
        // Half of the body. The relay has read it when the connection is reset: it reads in each turn of the event loop.
        socket.write(body, async () => {
          for (let turns = 0; turns < 200; turns += 1) await immediate();
          socket.resetAndDestroy();
        });
      });
  });
  const port = await listenLocally(server);
  const relay = await startFaultRelay({ upstream: { host: '127.0.0.1', port }, side: 'backend', vary });
  onTestFinished(async () => {
    await relay.close();
    server.close();
  });
  const socket = connect(relay.port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  let bytes = 0;
  socket
    .on('error', () => {})
    .on('data', (chunk) => {
      bytes += chunk.length;
    });
  socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  await new Promise((closed) => socket.once('close', closed));
  expect(bytes).toBeGreaterThanOrEqual(body.length);
});
