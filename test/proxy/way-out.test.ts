import { createPrivateKey } from 'node:crypto';
import { createServer as createHttpsServer } from 'node:https';
import { connect, createServer, type Socket } from 'node:net';
import { expect, it, onTestFinished, vi } from 'vitest';
import { refreshTokens } from '../../src/proxy/sign-in/token-endpoint.ts';
import { createAuthority, createLeaf } from '../../src/tap/certificates.ts';
import { trust } from './secure-backend.ts';
import {
  fastRetries,
  hello,
  listen,
  openWebSocket,
  post,
  proxyTo,
  shape,
  startTestBackend,
} from './setup.ts';

const official = {
  originator: 'codex_exec',
  'x-codex-turn-metadata': '{}',
  'session-id': '01a20000-0000-7000-8000-000000000001',
};
const overHttp = () =>
  ({ lane: 'chatgpt', websockets: false, accessToken: 'the-token', accountId: 'the-account' }) as const;

/** A forward proxy whose tunnels all lead to one local port. Without a port, it does not respond. */
async function startForwardProxy(target: number | undefined) {
  const targets: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).once('close', () => sockets.delete(socket));
    socket.once('data', (head) => {
      targets.push(/^CONNECT (\S+)/.exec(String(head))?.[1] ?? String(head));
      if (target === undefined) return;
      const upstream = connect(target, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        socket.pipe(upstream).pipe(socket);
      });
      upstream.on('error', () => socket.destroy());
    });
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  return { url: `http://user:secret@127.0.0.1:${port}`, targets, sockets };
}

/** A TLS server that passes everything on to a plain local port. */
async function startTls(port: number, host: string, authority?: Awaited<ReturnType<typeof createAuthority>>) {
  const { certificate, key } = authority ?? (await createAuthority());
  const leaf = await createLeaf(host, certificate, createPrivateKey(key));
  const server = createHttpsServer({ cert: leaf.certificate, key: leaf.key });
  server.removeAllListeners('secureConnection');
  server.on('secureConnection', (socket) => {
    const upstream = connect(port, '127.0.0.1');
    upstream.on('error', () => socket.destroy());
    socket.on('error', () => upstream.destroy());
    socket.pipe(upstream).pipe(socket);
  });
  return listen(server);
}

function setProxy(environment: Record<string, string>): void {
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
}

async function trustedBackend() {
  const authority = await createAuthority();
  trust(authority.certificate);
  const backend = await startTestBackend();
  return { backend, port: await startTls(backend.port, 'backend.test', authority) };
}

it('reaches the backend and the token endpoint through HTTPS_PROXY', async () => {
  const { backend, port } = await trustedBackend();
  const forward = await startForwardProxy(port);
  // Other programs accept a proxy without a scheme, too.
  setProxy({ https_proxy: forward.url.replace('http://', ''), NO_PROXY: 'other.test' });
  const url = new URL('https://backend.test/backend-api/codex');
  expect((await post(`${await proxyTo(url)}/v1/responses`, hello)).status).toBe(200);
  expect((await post(`${await proxyTo(url, { signIn: overHttp })}/v1/responses`, hello)).status).toBe(200);
  const relay = await proxyTo(url);
  expect((await post(`${relay}/v1/responses`, hello, official)).status).toBe(200);
  await openWebSocket(`${relay}/v1/responses`, { ...official, 'x-codex-routing-hint': 'model=m' });
  await post(`${relay}/backend-api/wham/usage`, 'x');
  const endpoint = {
    url: new URL('https://backend.test/oauth/token'),
    originator: 'o',
    userAgent: 'u',
    form: shape.httpForm,
  };
  await refreshTokens(endpoint, 'r', 'scheduled');
  expect(backend.received.map(({ target }) => target)).toEqual([
    'GET /backend-api/codex/responses',
    'POST /backend-api/codex/responses',
    'POST /backend-api/codex/responses',
    'GET /backend-api/codex/responses',
    'POST /backend-api/wham/usage',
    'POST /oauth/token',
  ]);
  expect(forward.targets).toEqual(Array(6).fill('backend.test:443'));
});

it('does not use the proxy for hosts in NO_PROXY, nor for this machine', async () => {
  const backend = await startTestBackend();
  const forward = await startForwardProxy(undefined);
  setProxy({ HTTP_PROXY: forward.url, HTTPS_PROXY: forward.url, NO_PROXY: 'backend.invalid' });
  expect((await post(`${await proxyTo(backend.url)}/v1/responses`, hello)).status).toBe(200);
  const excluded = await proxyTo(new URL('https://backend.invalid/x'), { signIn: overHttp });
  expect((await post(`${excluded}/v1/responses`, hello)).status).toBe(502);
  expect(forward.targets).toEqual([]);
});

it('gives up on a forward proxy that does not respond, and does not reveal its password', async () => {
  const forward = await startForwardProxy(undefined);
  setProxy({ HTTPS_PROXY: forward.url });
  const limits = { retries: [0], connectTime: 100, firstByte: 100 };
  const url = new URL('https://backend.test/x');
  for (const options of [{}, { signIn: overHttp }]) {
    const response = await post(`${await proxyTo(url, { limits, ...options })}/v1/responses`, hello);
    expect(response.status).toBe(502);
    expect(await response.text()).not.toContain('secret');
  }
  await expect.poll(() => forward.sockets.size).toBe(0);
});

it.each(['socks5://user:secret@127.0.0.1:1', 'http://user:secret@', 'a b'])(
  'refuses to start with HTTPS_PROXY=%s',
  async (value) => {
    setProxy({ HTTPS_PROXY: value });
    const started = proxyTo(new URL('https://backend.test/x'));
    await expect(started).rejects.toMatchObject({
      code: 'usage',
      message: 'HTTPS_PROXY is not the URL of an HTTP proxy: use http://HOST:PORT',
    });
  },
);

it.each(['websocket', 'http'])('reports a bad certificate at once over %s', async (transport) => {
  const backend = await startTestBackend();
  const port = await startTls(backend.port, 'another.test');
  const url = new URL(`https://127.0.0.1:${port}/backend-api/codex`);
  const options = transport === 'http' ? { signIn: overHttp } : {};
  // Without a pause: a retry would take a minute.
  const limits = { ...fastRetries, retries: [0, 60_000, 60_000] };
  const proxy = await proxyTo(url, { limits, ...options });
  for (const headers of [{}, official]) {
    const response = await post(`${proxy}/v1/responses`, hello, headers);
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({
      error: { code: 'upstream_insecure', message: expect.stringContaining('certificate') },
    });
  }
});
