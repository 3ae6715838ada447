import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { zstdCompressSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { isLoopback, refuseStrangers, requireKey } from '../../src/proxy/guard.ts';
import { upstreamUrl } from '../../src/proxy/http/upstream/upstream-url.ts';
import { routeOf } from '../../src/proxy/routes.ts';
import { fastRetries, post, proxyTo, refusedUpgrade, startTestBackend } from './setup.ts';

const hello = { model: 'm', input: 'hello' };
const local = { address: '127.0.0.1' };

/** What a request that no client library would send is answered with. */
async function raw(proxy: string, request: string): Promise<string> {
  const socket = connect(Number(new URL(proxy).port), '127.0.0.1');
  socket.on('error', () => {});
  socket.write(request);
  return text(socket);
}

it('refuses pages in browsers, over HTTP and the websocket', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url);
  const origin = { origin: 'https://evil.example' };
  expect((await refusedUpgrade(`${proxy}/v1/responses`, origin)).status).toBe(403);
  expect((await post(`${proxy}/v1/responses`, hello, origin)).status).toBe(403);
  const image = 'Host: 127.0.0.1\r\nSec-Fetch-Site: cross-site\r\nConnection: close\r\n';
  expect(await raw(proxy, `GET /v1/models HTTP/1.1\r\n${image}\r\n`)).toContain(' 403 ');
  expect(backend.received).toEqual([]);
});

it.each(['evil.example', 'evil.example:8320', '127.0.0.1.evil.example', ''])(
  'refuses the Host "%s", which somebody else may have pointed here',
  async (host) => {
    const backend = await startTestBackend();
    const head = `GET /backend-api/wham/usage HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
    expect(await raw(await proxyTo(backend.url), head)).toContain(' 403 ');
    expect(backend.received).toEqual([]);
  },
);

it.each(['127.0.0.1', '127.0.0.1:8320', 'localhost:8320', '[::1]:8320', 'LOCALHOST'])(
  'lets in who asks for %s',
  (host) => {
    expect(() => refuseStrangers([['Host', host]], local, 100)).not.toThrow();
  },
);

it('lets in who asks for its address or this machine, where it listens elsewhere', () => {
  const door = { address: '0.0.0.0' };
  expect(() => refuseStrangers([['Host', '192.0.2.1:8320']], door, 100)).not.toThrow();
  expect(() => refuseStrangers([['Host', 'evil.example']], door, 100)).toThrow('Host');
  expect(() => refuseStrangers([['Host', '192.0.2.1:8320']], local, 100)).toThrow('Host');
});

it('asks for the key, in any of its headers', () => {
  const door = { ...local, key: 'the-key-of-the-proxy' };
  for (const shown of [
    ['authorization', 'Bearer the-key-of-the-proxy'],
    ['Authorization', 'bearer the-key-of-the-proxy'],
    ['x-api-key', 'the-key-of-the-proxy'],
  ] as const) {
    expect(() => requireKey([shown], door)).not.toThrow();
  }
  expect(() => requireKey([], door)).toThrow('API key');
  expect(() => requireKey([['authorization', 'Bearer the-key-of-the-prox']], door)).toThrow('API key');
  expect(() => requireKey([], local)).not.toThrow();
});

it('serves nobody without the key but who asks for its health, and sends the key nowhere', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url, { key: 'the-key-of-the-proxy' });
  expect((await post(`${proxy}/v1/responses`, hello)).status).toBe(401);
  expect((await refusedUpgrade(`${proxy}/v1/responses`)).status).toBe(401);
  expect((await fetch(`${proxy}/metrics`)).status).toBe(401);
  expect((await fetch(`${proxy}/healthz`)).status).toBe(200);
  const shown = { 'x-api-key': 'the-key-of-the-proxy' };
  expect((await post(`${proxy}/v1/responses`, hello, shown)).status).toBe(200);
  expect((await fetch(`${proxy}/backend-api/wham/usage`, { headers: shown })).status).toBe(200);
  expect(JSON.stringify(backend.received)).not.toContain('the-key-of-the-proxy');
});

it('knows which addresses only this machine can reach', () => {
  expect(['127.0.0.1', '127.9.9.9', '::1', 'localhost'].every(isLoopback)).toBe(true);
  expect(['0.0.0.0', '::', '192.0.2.1', '127.0.0.1.example'].some(isLoopback)).toBe(false);
});

it('counts headers, since node leaves out those it has no room for', () => {
  const host = ['Host', '127.0.0.1'] as const;
  expect(() => refuseStrangers([host, ['a', '']], local, 2)).not.toThrow();
  expect(() => refuseStrangers([host, ['a', ''], ['b', '']], local, 2)).toThrow('2 headers');
});

it('refuses more headers than it bears', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url);
  for (const length of [101, 1001]) {
    const many = Array.from({ length }, (_, n) => `X-${n}: 1\r\n`).join('');
    const head = `GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n${many}\r\n`;
    const answer = await raw(proxy, head);
    expect(answer).toContain(' 431 ');
    expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toMatchObject({
      error: { code: 'too_many_headers' },
    });
  }
});

it('answers a body that breaks in the form of its other errors', async () => {
  const proxy = await proxyTo((await startTestBackend()).url);
  const head = 'POST /v1/responses HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n';
  const answer = await raw(proxy, `${head}zz\r\n`);
  expect(answer).toContain(' 400 ');
  expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toMatchObject({ error: { code: 'bad_request' } });
});

it('answers what is no request in the form of its other errors', async () => {
  const proxy = await proxyTo((await startTestBackend()).url);
  const answer = await raw(proxy, 'GET / HTTP/1.1\r\nbroken\r\n\r\n');
  expect(answer).toContain(' 400 ');
  expect(answer).toContain('content-type: application/json');
  expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toMatchObject({ error: { code: 'bad_request' } });
});

it('refuses a body that is larger than it bears, packed or unpacked', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url, { limits: { ...fastRetries, bodyBytes: 1000 } });
  const large = JSON.stringify({ ...hello, input: 'x'.repeat(2000) });
  expect((await post(`${proxy}/v1/responses`, large)).status).toBe(413);
  const packed = await fetch(`${proxy}/v1/responses`, {
    method: 'POST',
    headers: { 'content-encoding': 'zstd' },
    body: zstdCompressSync(Buffer.from(large)),
  });
  expect(packed.status).toBe(413);
  expect(backend.received).toEqual([]);
});

it('reads bodies that are packed with zstd', async () => {
  const backend = await startTestBackend();
  const response = await fetch(`${await proxyTo(backend.url)}/v1/responses`, {
    method: 'POST',
    headers: { 'content-encoding': 'zstd' },
    body: zstdCompressSync(Buffer.from(JSON.stringify(hello))),
  });
  expect(response.status).toBe(200);
});

it.each([
  ['not json', 'invalid_json'],
  ['[]', 'invalid_json'],
  ['{"input":"x"}', 'missing_model'],
  ['{"model":"m","input":5}', 'invalid_input'],
])('refuses the body %s with a reason', async (body, code) => {
  const backend = await startTestBackend();
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, body);
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: { code } });
  expect(backend.received).toEqual([]);
});

it.each([
  'http://evil.example/v1/responses',
  '//evil.example/v1/responses',
  '/backend-api/../admin',
  '/backend-api/%2e%2e/admin',
  '/backend-api/codex/..',
  '/backend-api/a\\b',
  '/admin',
  '/',
  '*',
])('sends the target %s nowhere', (target) => {
  expect(() => routeOf(target)).toThrow();
});

it.each([
  ['/v1/responses', 'https://chatgpt.com/backend-api/codex/responses'],
  ['/backend-api/codex/responses/compact', 'https://chatgpt.com/backend-api/codex/responses/compact'],
  [
    '/backend-api/codex/models?client_version=1',
    'https://chatgpt.com/backend-api/codex/models?client_version=1',
  ],
  ['/backend-api/wham/usage', 'https://chatgpt.com/backend-api/wham/usage'],
])('has %s upstream at %s', (target, url) => {
  expect(upstreamUrl(new URL('https://chatgpt.com/backend-api/codex'), target).href).toBe(url);
});
