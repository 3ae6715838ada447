import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { isLoopback, requireAccess } from '../../src/proxy/guard.ts';
import { upstreamUrl } from '../../src/proxy/http/upstream/send-upstream.ts';
import { routeOf } from '../../src/proxy/routes.ts';
import type { HeaderList } from '../../src/wire/headers.ts';
import { fastRetries, openWebSocket, post, proxyTo, refusedUpgrade, startTestBackend } from './setup.ts';

const hello = { model: 'm', input: 'hello' };
const local = { address: '127.0.0.1' };

/** Sends bytes that no client library would send. Returns the response. */
async function sendRaw(proxy: string, request: string): Promise<string> {
  const socket = connect(Number(new URL(proxy).port), '127.0.0.1');
  socket.on('error', () => {});
  socket.write(request);
  return text(socket);
}

it('refuses browser pages over HTTP and websocket', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url);
  const origin = { origin: 'https://evil.example' };
  expect((await refusedUpgrade(`${proxy}/v1/responses`, origin)).status).toBe(403);
  expect((await post(`${proxy}/v1/responses`, hello, origin)).status).toBe(403);
  const image = 'Host: 127.0.0.1\r\nSec-Fetch-Site: cross-site\r\nConnection: close\r\n';
  expect(await sendRaw(proxy, `GET /v1/models HTTP/1.1\r\n${image}\r\n`)).toContain(' 403 ');
  expect(backend.received).toEqual([]);
});

it.each(['evil.example', 'evil.example:8320', '127.0.0.1.evil.example', ''])(
  'refuses the Host "%s"',
  async (host) => {
    const backend = await startTestBackend();
    const head = `GET /backend-api/wham/usage HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
    expect(await sendRaw(await proxyTo(backend.url), head)).toContain(' 403 ');
    expect(backend.received).toEqual([]);
  },
);

it.each(['127.0.0.1', '127.0.0.1:8320', 'localhost:8320', '[::1]:8320', 'LOCALHOST'])(
  'accepts the Host %s',
  (host) => {
    expect(() => requireAccess([['Host', host]], local)).not.toThrow();
  },
);

it('accepts its own address as Host if it does not listen on loopback', () => {
  const access = { address: '0.0.0.0' };
  expect(() => requireAccess([['Host', '192.0.2.1:8320']], access)).not.toThrow();
  expect(() => requireAccess([['Host', 'evil.example']], access)).toThrow('Host');
  expect(() => requireAccess([['Host', '192.0.2.1:8320']], local)).toThrow('Host');
});

describe('a proxy behind another name', () => {
  const foreign: readonly HeaderList[] = [
    [['Host', 'host.docker.internal:8320']],
    [
      ['Host', '127.0.0.1'],
      ['Origin', 'https://chat.example'],
    ],
    [
      ['Host', '127.0.0.1'],
      ['Sec-Fetch-Site', 'cross-site'],
    ],
  ];

  it('accepts a foreign Host or Origin from a client with the key only', () => {
    const access = { ...local, key: 'the-key-of-the-proxy' };
    for (const headers of foreign) {
      expect(() => requireAccess([...headers, ['x-api-key', access.key]], access)).not.toThrow();
      expect(() => requireAccess([...headers, ['x-api-key', 'another-key-of-16']], access)).toThrow(
        'API key',
      );
      expect(() => requireAccess(headers, access, true)).toThrow('--allow-host');
      // Without a key, what the client sends is no key.
      expect(() => requireAccess([...headers, ['x-api-key', access.key]], local)).toThrow('--allow-host');
    }
  });

  it('accepts the allowed names only, as Host and as Origin, with any port and in any capitalisation', () => {
    const access = { ...local, hosts: new Set(['host.docker.internal', 'fd00::2']) };
    const accepts = (host: string, origin?: string) => () =>
      requireAccess([['Host', host], ...(origin === undefined ? [] : [['origin', origin] as const])], access);
    expect(accepts('Host.Docker.Internal:8320')).not.toThrow();
    expect(accepts('[fd00::2]:8320')).not.toThrow();
    expect(accepts('localhost', 'http://host.docker.internal:3000')).not.toThrow();
    expect(accepts('host.docker.internal.evil.example')).toThrow('Host');
    for (const origin of [
      'https://evil.example',
      'null',
      'host.docker.internal',
      'app://host.docker.internal',
    ]) {
      expect(accepts('host.docker.internal', origin)).toThrow('browser pages');
    }
  });

  it('serves HTTP and websocket there', async () => {
    const backend = await startTestBackend();
    const key = 'the-key-of-the-proxy';
    const head =
      'GET /backend-api/wham/usage HTTP/1.1\r\nHost: host.docker.internal:8320\r\nConnection: close\r\n';
    const withKey = await proxyTo(backend.url, { key });
    const withName = await proxyTo(backend.url, { allowedHosts: ['Host.docker.internal'] });
    expect(await sendRaw(withKey, `${head}x-api-key: ${key}\r\n\r\n`)).toContain(' 200 ');
    expect(await sendRaw(withName, `${head}\r\n`)).toContain(' 200 ');
    expect(await sendRaw(withKey, `${head}\r\n`)).toContain(' 401 ');
    const headers = { origin: 'https://chat.example', host: 'host.docker.internal', 'x-api-key': key };
    await openWebSocket(`${withKey}/v1/responses`, headers);
    expect((await refusedUpgrade(`${withName}/v1/responses`, headers)).status).toBe(403);
  });
});

it('requires the key, in any of its headers', () => {
  const access = { ...local, key: 'the-key-of-the-proxy' };
  for (const header of [
    ['authorization', 'Bearer the-key-of-the-proxy'],
    ['Authorization', 'bearer the-key-of-the-proxy'],
    ['x-api-key', 'the-key-of-the-proxy'],
    ['api-key', 'the-key-of-the-proxy'],
  ] as const) {
    expect(() => requireAccess([header], access)).not.toThrow();
  }
  const host = ['Host', 'localhost'] as const;
  expect(() => requireAccess([host], access)).toThrow('API key');
  expect(() => requireAccess([host, ['authorization', 'Bearer the-key-of-the-prox']], access)).toThrow(
    'API key',
  );
  expect(() => requireAccess([host], local)).not.toThrow();
});

it('serves only /healthz without the key, and never sends the key upstream', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url, { key: 'the-key-of-the-proxy' });
  expect((await post(`${proxy}/v1/responses`, hello)).status).toBe(401);
  expect((await refusedUpgrade(`${proxy}/v1/responses`)).status).toBe(401);
  expect((await fetch(`${proxy}/metrics`)).status).toBe(401);
  expect((await fetch(`${proxy}/healthz`)).status).toBe(200);
  const keyHeader = { 'x-api-key': 'the-key-of-the-proxy' };
  expect((await post(`${proxy}/v1/responses`, hello, keyHeader)).status).toBe(200);
  expect((await fetch(`${proxy}/backend-api/wham/usage`, { headers: keyHeader })).status).toBe(200);
  expect(JSON.stringify(backend.received)).not.toContain('the-key-of-the-proxy');
});

it('recognises loopback addresses', () => {
  expect(['127.0.0.1', '127.9.9.9', '::1', 'localhost'].every(isLoopback)).toBe(true);
  expect(['0.0.0.0', '::', '192.0.2.1', '127.0.0.1.example'].some(isLoopback)).toBe(false);
});

it('refuses one header more than the limit', async () => {
  const proxy = await proxyTo((await startTestBackend()).url, { limits: { ...fastRetries, headers: 3 } });
  const head = 'GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\na: \r\n';
  expect(await sendRaw(proxy, `${head}\r\n`)).toContain(' 200 ');
  expect(await sendRaw(proxy, `${head}b: \r\n\r\n`)).toContain('more than 3 headers');
});

it('responds with 431 to too many headers', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url);
  for (const length of [101, 1001]) {
    const many = Array.from({ length }, (_, n) => `X-${n}: 1\r\n`).join('');
    const head = `GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n${many}\r\n`;
    const response = await sendRaw(proxy, head);
    expect(response).toContain(' 431 ');
    expect(JSON.parse(response.split('\r\n\r\n')[1] ?? '')).toMatchObject({
      error: { code: 'too_many_headers' },
    });
  }
});

it('responds to a broken chunked body with a JSON error', async () => {
  const proxy = await proxyTo((await startTestBackend()).url);
  const head = 'POST /v1/responses HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n';
  const response = await sendRaw(proxy, `${head}zz\r\n`);
  expect(response).toContain(' 400 ');
  expect(JSON.parse(response.split('\r\n\r\n')[1] ?? '')).toMatchObject({ error: { code: 'bad_request' } });
});

it('responds to an invalid request head with a JSON error', async () => {
  const proxy = await proxyTo((await startTestBackend()).url);
  const response = await sendRaw(proxy, 'GET / HTTP/1.1\r\nbroken\r\n\r\n');
  expect(response).toContain(' 400 ');
  expect(response).toContain('content-type: application/json');
  expect(JSON.parse(response.split('\r\n\r\n')[1] ?? '')).toMatchObject({ error: { code: 'bad_request' } });
});

it('refuses a body above the limit, before and after decompression', async () => {
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

it('reads bodies compressed with zstd', async () => {
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
])('refuses the body %s with code %s', async (body, code) => {
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
])('has no route for the target %s', (target) => {
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
])('sends %s upstream to %s', (target, url) => {
  expect(upstreamUrl(new URL('https://chatgpt.com/backend-api/codex'), target).href).toBe(url);
});
