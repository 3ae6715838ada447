import { once } from 'node:events';
import { connect } from 'node:net';
import type { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { zstdCompressSync } from 'node:zlib';
import { expect, it, onTestFinished, vi } from 'vitest';
import { excess, settled } from '../../scripts/soak/settled.ts';
import { type Fault, parseFault } from '../../src/fault/fault.ts';
import { startFaultRelay } from '../../src/fault/relay.ts';
import {
  hinted,
  hostileResponse,
  official,
  sendHostileTexts,
  statusLines,
  texts,
} from '../proxy/hostile-inputs.ts';
import {
  type BackendBehaviour,
  hello,
  openWebSocket,
  post,
  receiveResponse,
  responseEvents,
  sendAll,
  sse,
  startTestBackend,
  tunnelled,
} from '../proxy/setup.ts';
import { startProxyApart } from './proxy-process.ts';

// The proxies of other tests run in the process of the test, whose memory and descriptors are not the proxy's alone. Here the
// proxy has a process of its own. It must hold no more after hostile clients and a failing backend than before.
vi.setConfig({ testTimeout: 300_000 });

const limits = {
  // The attempts at a silent backend end before the clients' patience.
  retries: [0, 1, 1],
  connectTime: 250,
  firstByte: 250,
  idle: 250,
  requestTime: 2000,
  connectionIdle: 500,
  sessionIdle: 2000,
  ping: 500,
  keepAlive: 500,
  bodyBytes: 1024 * 1024,
};

/** Starts a backend whose behaviour can be changed, and a proxy to it in another process. */
async function startProxyAndFaults() {
  let behaviour: BackendBehaviour = {};
  const whole: Required<Omit<BackendBehaviour, 'deflate'>> = {
    message: (socket) => sendAll(socket, responseEvents('OK')),
    prewarm: (socket) => sendAll(socket, responseEvents('', 'resp_warm')),
    upgrade: () => undefined,
    post: (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(responseEvents('OK').map(sse).join(''));
    },
  };
  const backend = await startTestBackend({
    message: (...args) => (behaviour.message ?? whole.message)(...args),
    prewarm: (...args) => (behaviour.prewarm ?? whole.prewarm)(...args),
    upgrade: (...args) => (behaviour.upgrade ?? whole.upgrade)(...args),
    post: (...args) => (behaviour.post ?? whole.post)(...args),
  });
  const relay = await startFaultRelay({
    upstream: { host: '127.0.0.1', port: backend.port },
    side: 'backend',
  });
  onTestFinished(relay.close);
  const origin = `http://127.0.0.1:${relay.port}`;
  const proxy = await startProxyApart(new URL(backend.url.pathname, origin), limits);
  return {
    proxy,
    origin: proxy.url.origin,
    /** What the backend does, and what goes wrong on its connections. */
    behave: (next: BackendBehaviour, faults: readonly Fault[] = []) => {
      behaviour = next;
      relay.arm(faults);
    },
  };
}

/** Sends requests twice, and compares what the proxy holds after the second time with the first: code is compiled then. */
async function expectNothingKept(
  proxy: Awaited<ReturnType<typeof startProxyAndFaults>>['proxy'],
  send: () => Promise<void>,
) {
  await send();
  const before = await settled(proxy, undefined);
  await send();
  const after = await settled(proxy, before);
  expect(proxy.ended()).toBeUndefined();
  expect(excess(before, after)).toEqual([]);
  expect(await proxy.isHealthy()).toBe(true);
}

const chat = { model: 'm', messages: [{ role: 'user', content: 'hello' }] };

/** Milliseconds that clients of a failing backend wait for an end. */
const patience = 1500;

/** Makes a request on every API, as an official client too, and waits for whatever comes. */
async function requestEverything(origin: string): Promise<void> {
  const requests = [
    ['/v1/responses', hello, {}],
    ['/v1/responses', { ...hello, stream: false }, {}],
    ['/v1/chat/completions', chat, {}],
    ['/v1/chat/completions', { ...chat, stream: true }, {}],
    ['/v1/responses/compact', hello, {}],
    ['/backend-api/codex/responses', hello, official],
    ['/backend-api/codex/responses', hello, { ...tunnelled, version: '0.1.0' }],
    ['/backend-api/wham/usage', hello, official],
  ] as const;
  const signal = () => AbortSignal.timeout(patience);
  await Promise.all([
    ...requests.map(async ([path, body, headers]) => {
      const options = { method: 'POST', headers, body: JSON.stringify(body), signal: signal() };
      await fetch(`${origin}${path}`, options)
        .then((response) => response.text(), String)
        .catch(String);
    }),
    ...[{}, official, hinted, tunnelled].map(async (headers) => {
      const socket = await openWebSocket(`${origin}/v1/responses`, headers).catch(() => undefined);
      if (socket === undefined) return;
      socket.on('error', () => {});
      socket.send(JSON.stringify({ type: 'response.create', ...hello }));
      await Promise.race([receiveResponse(socket).catch(() => []), delay(patience)]);
      socket.terminate();
    }),
  ]);
}

/** Sends bytes over a new connection, and ends it as soon as the proxy does, or after a while. */
async function sendBytes(origin: string, bytes: string | Buffer, wait = 100): Promise<void> {
  const socket = connect(Number(new URL(origin).port), '127.0.0.1');
  socket.on('error', () => {}).resume();
  socket.write(bytes);
  await Promise.race([once(socket, 'close').catch(() => {}), delay(wait)]);
  socket.resetAndDestroy();
}

const start = (path: string, headers: string) =>
  `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${headers}\r\n\r\n`;
const upgrade =
  'GET /v1/responses HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n';

const tunnelledUpgrade = `${upgrade}${Object.entries(tunnelled)
  .map(([name, value]) => `${name}: ${value}\r\n`)
  .join('')}Sec-WebSocket-Extensions: permessage-deflate\r\n`;

/** What clients send that is not a request, or not all of one. */
const hostileBytes: readonly (string | Buffer)[] = [
  '',
  '\r\n\r\n',
  'this is not HTTP\r\n\r\n',
  Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00]),
  'GET /healthz HTTP/1.1\r\n',
  start('/v1/responses', 'Content-Length: 1000'),
  `${start('/v1/responses', 'Content-Length: 1000')}{"model":`,
  start('/v1/responses', 'Content-Length: 99999999'),
  `${start('/v1/responses', 'Transfer-Encoding: chunked')}ffffffff\r\n`,
  `${start('/v1/responses', 'Transfer-Encoding: chunked')}zz\r\n`,
  start('/backend-api/wham/usage', 'Content-Length: 1000'),
  start('/v1/responses', Array.from({ length: 300 }, (_, n) => `X-${n}: x`).join('\r\n')),
  start('/v1/responses', `X-Long: ${'x'.repeat(400_000)}`),
  Buffer.concat([
    Buffer.from(start('/v1/responses', 'Content-Encoding: zstd\r\nContent-Length: 100')),
    Buffer.alloc(100, 7),
  ]),
  `${upgrade}\r\n`,
  `${upgrade}Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n`,
  // Malformed frames, part of a frame, and one that announces too much.
  ...[upgrade, tunnelledUpgrade].flatMap((head) =>
    ['8f80', '0102', '81fe1000', '81ff7fffffffffffffff', '8880', '8a80', 'c180', 'c1ff00000000ffffffff'].map(
      (frame) => Buffer.concat([Buffer.from(`${head}\r\n`), Buffer.from(frame, 'hex'), Buffer.alloc(8)]),
    ),
  ),
];

it('keeps nothing of hostile clients', async () => {
  const { proxy, origin } = await startProxyAndFaults();
  await expectNothingKept(proxy, async () => {
    await sendHostileTexts(origin);
    for (const name of [
      'user-agent',
      'x-codex-turn-metadata',
      'session-id',
      'thread-id',
      'x-codex-window-id',
    ]) {
      for (const length of [4000, 60_000, 240_000]) {
        await (
          await post(`${origin}/v1/responses`, hello, { ...official, [name]: '('.repeat(length) })
        ).text();
      }
    }
    await Promise.all(hostileBytes.map((bytes) => sendBytes(origin, bytes)));
    // More than is allowed after decompression.
    const bomb = zstdCompressSync(Buffer.alloc(64 * 1024 * 1024));
    const headers = { 'content-encoding': 'zstd' };
    await (await fetch(`${origin}/v1/responses`, { method: 'POST', headers, body: bomb })).text();
    // Clients that leave while the proxy works for them.
    const body = JSON.stringify({ ...hello, input: 'x'.repeat(200_000) });
    const request = `${start('/v1/responses', `Content-Length: ${body.length}`)}${body}`;
    await Promise.all(Array.from({ length: 100 }, (_, n) => sendBytes(origin, request, n % 20)));
    for (const head of [upgrade, tunnelledUpgrade]) {
      await Promise.all(Array.from({ length: 100 }, (_, n) => sendBytes(origin, `${head}\r\n`, n % 20)));
    }
  });
});

const chunk = Buffer.alloc(32 * 1024, 'x');

/**
 * Writes until the other side closes. Twice the most that the proxy reads is written after two thirds of a second. Then it goes on
 * slowly: clients to which the proxy passes on everything do not receive gigabytes.
 */
function writeEndlessly(stream: Writable): void {
  stream.on('error', () => {});
  let times = 0;
  const writing = setInterval(() => {
    times += 1;
    const isDue = times * chunk.length <= 2 * limits.bodyBytes || times % 10 === 0;
    if (stream.destroyed) clearInterval(writing);
    else if (isDue && !stream.writableNeedDrain) stream.write(chunk);
  }, 10);
}

const [created = '', ...others] = responseEvents('OK');

/** What the backend does wrong, over either transport. */
const behaviours: readonly BackendBehaviour[] = [
  ...statusLines.map((line): BackendBehaviour => {
    const raw = hostileResponse(line);
    return { upgrade: () => raw, post: (response) => void response.socket?.end(raw, 'latin1') };
  }),
  ...texts.map((text): BackendBehaviour => {
    const headers = { trailer: text, 'retry-after': text, 'x-codex-turn-state': text };
    const frame = { type: 'error', status: 400, error: { code: text, message: text }, headers };
    const state = JSON.stringify({ type: 'response.metadata', headers });
    return { message: (socket) => sendAll(socket, [state, created, JSON.stringify(frame)]) };
  }),
  // More than is read.
  { post: (response) => writeEndlessly(response) },
  {
    message: (socket) => sendAll(socket, [...others, ...others, created]),
    post: (response) => writeEndlessly(response.writeHead(403)),
  },
];

/** What goes wrong on every connection of the backend. */
const wireFaults = [
  ...[400, 401, 404, 429, 500, 503].flatMap((status) => [
    `error:${status}@message`,
    `status:${status}@request`,
  ]),
  ...['stall', 'half-open', 'reset', 'drop', 'tls-alert'].flatMap((kind) => [
    ...[`${kind}@request`, `${kind}@message`, `${kind}@response.output_item.added`],
  ]),
  ...['close:1011', 'binary', 'oversize:2000000', 'malformed', 'invalid-utf8', 'bad-deflate', 'masking'].map(
    (kind) => `${kind}@response.output_item.added`,
  ),
  ...['twice@response.completed', 'early@request', 'status:500@token'],
].map((text) => parseFault(`${text}:every`));

/** Whether a fault keeps an upgrade from the backend. */
const isAtUpgrade = ({ kind, place }: Fault) => place.at === 'request' && kind !== 'early';

/** How many proxies play the failures. Each waits for most of its time. */
const proxies = 2;

it('keeps nothing of a failing backend', async () => {
  const failures: readonly (readonly [BackendBehaviour, readonly Fault[]])[] = [
    ...behaviours.map((behaviour) => [behaviour, []] as const),
    ...wireFaults.map((fault) => [{}, [fault]] as const),
  ];
  const refuse = () => hostileResponse('426 Upgrade Required');
  const groups = Array.from({ length: proxies }, (_, group) =>
    failures.filter((_failure, index) => index % proxies === group),
  );
  await Promise.all(
    groups.map(async (group) => {
      const { proxy, origin, behave } = await startProxyAndFaults();
      await expectNothingKept(proxy, async () => {
        for (const [behaviour, faults] of group) {
          behave(behaviour, faults);
          await requestEverything(origin);
          // Then no turn came to use the websocket.
          if (behaviour.upgrade !== undefined || faults.some(isAtUpgrade)) continue;
          // Then nothing would go wrong over HTTP.
          if (behaviour.post === undefined && faults.length === 0) continue;
          // Over HTTP too, to which the upgrade of this session is refused.
          behave({ ...behaviour, upgrade: refuse }, faults);
          await requestEverything(origin);
        }
        behave({});
      });
    }),
  );
});

it('holds little for an idle tunnel', async () => {
  const backend = await startTestBackend({ message: (socket) => sendAll(socket, responseEvents('OK')) });
  const proxy = await startProxyApart(backend.url, { sessionIdle: 600_000, ping: 600_000 });
  const openTunnels = async (count: number) => {
    for (let n = 0; n < count; n += 1) {
      const socket = await openWebSocket(`${proxy.url.origin}/v1/responses`, tunnelled);
      onTestFinished(() => socket.terminate());
      socket.send(JSON.stringify({ type: 'response.create', ...hello }));
      await receiveResponse(socket);
    }
    return (await proxy.holdings()).memory;
  };
  // Code is compiled for the first ones.
  const before = await openTunnels(400);
  const after = await openTunnels(400);
  expect((after - before) / 400).toBeLessThan(7500);
});
