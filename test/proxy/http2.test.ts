import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Agent, createServer, request as requestHttp } from 'node:http';
import { createServer as createHttp2Server, type Http2ServerResponse } from 'node:http2';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { createServer as createTlsServer } from 'node:tls';
import { zstdCompressSync } from 'node:zlib';
import { expect, it, onTestFinished, vi } from 'vitest';
import { bundledGoldens } from '../../src/golden/select.ts';
import { loadShape, Shape } from '../../src/proxy/shape/shape.ts';
import { refreshTokens } from '../../src/proxy/sign-in/token-endpoint.ts';
import { startInterceptingTap } from '../../src/tap/intercept.ts';
import { headerValue } from '../../src/wire/headers.ts';
import { committedGolden } from '../golden/committed-goldens.ts';
import { closing, listening, observing, temporaryAuthority } from '../tap/local.ts';
import { startSecureBackend, trust, trustedCertificate } from './secure-backend.ts';
import { hello, post, proxyTo, readEvents, responseEvents, shape, sse, tunnelled } from './setup.ts';

const official = {
  originator: 'codex_exec',
  'x-codex-turn-metadata': '{}',
  'session-id': '01a20000-0000-7000-8000-000000000001',
};
const signIn = () =>
  ({ lane: 'chatgpt', websockets: false, accessToken: 'the-token', accountId: 'the-account' }) as const;

const shapes = new Map<string, Promise<Shape>>();
function shapeOf(codex: string): Promise<Shape> {
  const loaded = shapes.get(codex) ?? loadShape([bundledGoldens], codex);
  shapes.set(codex, loaded);
  return loaded;
}

const events = responseEvents('OK').map(sse).join('');

function respond(response: Http2ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.end(events);
}

const lastEvent = async (response: Response) => (await readEvents(response)).at(-1);

it.each([
  { codex: '0.171.0', chosen: 'h2', offered: ['h2', 'http/1.1'], version: '2.0' },
  { codex: '0.171.0', chosen: 'http/1.1', offered: ['h2', 'http/1.1'], version: '1.1' },
  { codex: '0.128.0', chosen: 'h2', offered: undefined, version: '1.1' },
])(
  'posts over HTTP/$version with the shape of $codex if the backend chooses $chosen',
  async ({ codex, chosen, offered, version }) => {
    const backend = await startSecureBackend({ request: respond }, { chosen });
    const proxy = await proxyTo(backend.url, { signIn, shape: await shapeOf(codex) });
    for (const headers of [{}, official, { ...official, version: codex }]) {
      const response = await post(`${proxy}/v1/responses`, hello, headers);
      expect(await lastEvent(response)).toContain('response.completed');
    }
    await (await post(`${proxy}/backend-api/wham/usage`, 'x')).text();
    await (await fetch(`${proxy}/v1/models`)).text();
    expect(backend.received.map(({ target }) => target)).toEqual([
      ...Array(3).fill('POST /backend-api/codex/responses'),
      'POST /backend-api/wham/usage',
      `GET /backend-api/codex/models?client_version=${codex}`,
    ]);
    expect(backend.received.map((request) => request.version)).toEqual(Array(5).fill(version));
    expect(backend.offered).toEqual(offered === undefined ? [] : Array(5).fill(offered));
  },
);

it('uses HTTP/1.1 with a backend that knows no ALPN', async () => {
  const server = createServer((_request, response) => void response.end(events));
  const tls = createTlsServer(await trustedCertificate(), (socket) => {
    socket.on('error', () => {});
    server.emit('connection', socket);
  });
  const url = new URL(`https://localhost:${await listening(tls)}/backend-api/codex`);
  const response = await post(`${await proxyTo(url, { signIn })}/v1/responses`, hello);
  expect(await lastEvent(response)).toContain('response.completed');
});

it('sends what the golden has, and as it has it', async () => {
  const server = createHttp2Server((_request, response) => respond(response));
  const port = await listening(server);
  const upstream = { kind: 'fixed', host: '127.0.0.1', port, tls: false, http2: true } as const;
  const authority = await temporaryAuthority();
  trust(authority.certificate);
  const { observe, observed, until } = observing();
  const tap = closing(await startInterceptingTap({ authority, upstream, observe }));
  vi.stubEnv('HTTPS_PROXY', tap.url);
  onTestFinished(() => void vi.unstubAllEnvs());
  const codex = '0.171.0';
  const newest = await shapeOf(codex);
  const proxy = await proxyTo(new URL('https://chatgpt.com/backend-api/codex'), { signIn, shape: newest });
  // What cannot be compressed takes several frames.
  const input = randomBytes(50_000).toString('base64');
  expect(
    await lastEvent(await post(`${proxy}/v1/responses`, { ...hello, input, model: 'gpt-6.2-sol' })),
  ).toContain('completed');
  await until('end');
  const golden = committedGolden(join(bundledGoldens, codex, 'chatgpt', 'http2-fallback.golden.jsonl'));
  const expected = golden.exchanges.find(({ request }) => request.method === 'POST');
  const request = observed.find((event) => event.type === 'request');
  expect(request?.head.http2).toEqual({ ...expected?.request.http2, authority: 'chatgpt.com' });
  expect(request?.head.headers.map(([name]) => name)).toEqual(
    expected?.request.headers.map(([name]) => name),
  );
  const body = observed.find((event) => event.type === 'body' && event.from === 'client');
  expect(body).toMatchObject({ largestFrame: 16_384, complete: true });
  expect(body).not.toHaveProperty('endsEmpty');
  expect(
    observed.filter(({ type }) => type === 'connection' || type === 'goaway' || type === 'end'),
  ).toMatchObject([
    { type: 'connection', tls: { offered: ['h2', 'http/1.1'], chosen: 'h2' } },
    { type: 'goaway', from: 'client', code: 'NO_ERROR' },
    { type: 'end', by: 'client' },
  ]);
});

it('streams a body that does not fit into the windows of the backend', async () => {
  const backend = await startSecureBackend({ request: respond }, { settings: { initialWindowSize: 1024 } });
  const proxy = await proxyTo(backend.url, { signIn });
  const body = randomBytes(3_000_000);
  const response = await fetch(`${proxy}/backend-api/wham/tasks`, { method: 'POST', body });
  expect(await response.text()).toBe(events);
  expect(backend.received[0]?.body.equals(body)).toBe(true);
});

it('renews tokens over HTTP/2', async () => {
  const backend = await startSecureBackend({
    request: (response) => void response.end('{"access_token":"new"}'),
  });
  const url = new URL('/oauth/token', backend.url);
  const endpoint = { url, originator: 'o', userAgent: 'u', form: shape.httpForm };
  expect(await refreshTokens(endpoint, 'r', 'scheduled')).toMatchObject({ outcome: 'renewed' });
  expect(backend.received).toMatchObject([{ version: '2.0', target: 'POST /oauth/token' }]);
});

it('posts again after 401, and then with a renewed sign-in', async () => {
  const backend = await startSecureBackend({
    request: (response, count) => {
      if (count > 2) return respond(response);
      response.writeHead(401);
      response.end('{}');
    },
  });
  let accessToken = 'the-token';
  const renew = async () => {
    accessToken = 'renewed';
    return { ...signIn(), accessToken };
  };
  const proxy = await proxyTo(backend.url, { signIn: () => ({ ...signIn(), accessToken }), renew });
  expect(await lastEvent(await post(`${proxy}/v1/responses`, hello))).toContain('completed');
  const tokens = backend.received.map(({ headers }) => headerValue(headers, 'authorization'));
  expect(tokens).toEqual(['Bearer the-token', 'Bearer the-token', 'Bearer renewed']);
});

it('reads a response that is compressed', async () => {
  const backend = await startSecureBackend({
    request: (response) => {
      response.writeHead(200, { 'content-encoding': 'zstd', 'content-type': 'text/event-stream' });
      response.end(zstdCompressSync(events));
    },
  });
  const proxy = await proxyTo(backend.url, { signIn });
  expect(await lastEvent(await post(`${proxy}/v1/responses`, hello))).toContain('completed');
});

it('keeps a connection for each one of an official client, and ends it with that', async () => {
  const backend = await startSecureBackend({ request: respond });
  const proxy = new URL(`${await proxyTo(backend.url, { signIn })}/backend-api/codex/responses`);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  for (let n = 0; n < 3; n += 1) {
    const request = requestHttp(proxy, {
      method: 'POST',
      agent,
      headers: { ...tunnelled, version: '0.200.0' },
    });
    request.end('{"model":"m"}');
    const [response] = await once(request, 'response');
    expect(await text(response)).toBe(events);
  }
  expect(backend.received.map(({ body }) => String(body))).toEqual(Array(3).fill('{"model":"m"}'));
  expect(backend.connections).toEqual({ accepted: 1, open: 1 });
  agent.destroy();
  await expect.poll(() => backend.connections.open).toBe(0);
});

it('sends a header that a client sends twice', async () => {
  const backend = await startSecureBackend({ request: respond });
  const proxy = new URL(`${await proxyTo(backend.url, { signIn })}/backend-api/codex/responses`);
  const headers = [
    ['host', proxy.host],
    ...Object.entries({ ...tunnelled, version: '0.200.0' }),
    ['Content-Type', 'a'],
    ['content-type', 'b'],
  ];
  const request = requestHttp(proxy, { method: 'POST', headers: headers.flat() }).end('{"model":"m"}');
  const [response] = await once(request, 'response');
  expect(await text(response)).toBe(events);
  const sent = backend.received[0]?.headers.filter(([name]) => name === 'content-type');
  expect(sent).toEqual([
    ['content-type', 'a'],
    ['content-type', 'b'],
  ]);
});

it('does not offer HTTP/2 without a golden that shows how the client uses it', async () => {
  const read = (scenario: string) =>
    committedGolden(join(bundledGoldens, '0.171.0', 'chatgpt', `${scenario}.golden.jsonl`));
  const [golden, http] = [read('default'), read('http-fallback')];
  expect(new Shape(golden, { http }).httpForm).toEqual({ alpn: ['http/1.1'], http2: undefined });
  const { httpForm } = new Shape(golden, { http, http2: read('http2-fallback') });
  expect(httpForm.alpn).toEqual(['h2', 'http/1.1']);
});
