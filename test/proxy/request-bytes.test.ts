import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request as requestHttp } from 'node:http';
import { connect } from 'node:net';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { WebSocket } from 'ws';
import {
  fastRetries,
  hello,
  openWebSocket,
  post,
  proxyTo,
  receiveResponse,
  responseEvents,
  sendAll,
  startTestBackend,
} from './setup.ts';

const official = { originator: 'codex_exec', 'x-codex-turn-metadata': '{}', 'session-id': 'a' };
const large = { ...hello, input: 'x'.repeat(60_000) };
const create = JSON.stringify({ type: 'response.create', ...large });

/** A proxy whose requests may have 100 KB together, and a backend that responds to none with `wait` in it until `go`. */
async function startProxyWithBackend() {
  const held: (() => void)[] = [];
  const backend = await startTestBackend({
    message: (socket, { input }) => {
      const respond = () => sendAll(socket, responseEvents('OK'));
      if (JSON.stringify(input).includes('wait')) held.push(respond);
      else respond();
    },
  });
  const proxy = await proxyTo(backend.url, { limits: { ...fastRetries, requestBytes: 100_000 } });
  return {
    backend,
    proxy,
    url: `${proxy}/v1/responses`,
    /** Begins a large request, and returns a function that ends it. */
    begin: async () => {
      const response = post(`${proxy}/v1/responses`, { ...large, input: `wait ${large.input}` });
      await expect.poll(() => held.length).toBe(1);
      return async () => {
        held[0]?.();
        return (await response).text();
      };
    },
    bytes: async () => {
      const metrics = await (await fetch(`${proxy}/metrics`)).text();
      return Number(/^codex_parity_proxy_request_bytes (\d+)$/m.exec(metrics)?.[1]);
    },
  };
}

it('refuses a large request with 503 while another one is served, and serves it after that', async () => {
  const { url, begin, bytes } = await startProxyWithBackend();
  const finish = await begin();
  const refused = await post(url, large);
  expect(refused.status).toBe(503);
  expect(refused.headers.get('retry-after')).toBe('2');
  expect(await refused.text()).toContain('too_many_bytes');
  expect((await post(url, hello)).status).toBe(200);
  expect(await finish()).toContain('response.completed');
  await expect.poll(bytes).toBe(0);
  expect((await post(url, large)).status).toBe(200);
});

it('serves one request that is larger than the limit for all', async () => {
  const { url } = await startProxyWithBackend();
  expect((await post(url, { ...large, input: 'x'.repeat(500_000) })).status).toBe(200);
});

// The last two are decompressed in the background.
it.each([
  ['gzip', gzipSync(JSON.stringify(large))],
  ['zstd', zstdCompressSync(JSON.stringify(large))],
  ['zstd', zstdCompressSync(`{"model":"m","input":"${randomBytes(150_000).toString('hex')}"}`)],
  ['gzip', gzipSync(`{"model":"m","input":"${'x'.repeat(1_000_000)}"}`)],
])('counts what %s is decompressed to', async (encoding, body) => {
  const { url, begin, backend } = await startProxyWithBackend();
  const finish = await begin();
  const send = () => fetch(url, { method: 'POST', headers: { 'content-encoding': encoding }, body });
  expect((await send()).status).toBe(503);
  await finish();
  expect((await send()).status).toBe(200);
  expect(backend.turns()).toHaveLength(2);
});

it.each([{}, { 'content-encoding': 'zstd' }])(
  'forwards a large request of an official client unchanged while another one is served, with headers %o',
  async (encoding) => {
    const { url, begin, backend } = await startProxyWithBackend();
    const finish = await begin();
    const text = JSON.stringify({ ...large, input: [], instructions: large.input });
    const body = 'content-encoding' in encoding ? zstdCompressSync(text) : text;
    const response = await fetch(url, { method: 'POST', headers: { ...official, ...encoding }, body });
    expect(await response.text()).toContain('response.completed');
    expect(backend.received.at(-1)?.messages).toEqual([text]);
    await finish();
  },
);

it('counts a body while it is read, until its client leaves', async () => {
  const { url, bytes } = await startProxyWithBackend();
  const upload = requestHttp(url, { method: 'POST', headers: { 'content-length': '1000000' } });
  upload.on('error', () => {});
  upload.write('x'.repeat(60_000));
  await expect.poll(bytes).toBe(60_000);
  expect((await post(url, large)).status).toBe(503);
  upload.destroy();
  await expect.poll(bytes).toBe(0);
  expect((await post(url, large)).status).toBe(200);
});

it('counts a message of a websocket while it is read, until its client leaves', async () => {
  const { url, bytes } = await startProxyWithBackend();
  const { port } = new URL(url);
  const socket = connect(Number(port), '127.0.0.1');
  socket.write(
    'GET /v1/responses HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: upgrade\r\nupgrade: websocket\r\n' +
      'sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  await once(socket, 'data');
  // A masked text message of 1 MB, of which 60 KB arrive.
  socket.write(Buffer.from('81ff00000000000f424000000000', 'hex'));
  socket.write('x'.repeat(60_000));
  await expect.poll(bytes).toBeGreaterThan(60_000);
  expect((await post(url, large)).status).toBe(503);
  socket.destroy();
  await expect.poll(bytes).toBe(0);
});

it.each([{}, official])(
  'closes a websocket with 1013 after an error when its message is too large at present, with headers %o',
  async (headers) => {
    const { url, begin, backend } = await startProxyWithBackend();
    const finish = await begin();
    const client = await openWebSocket(url, headers);
    const messages: string[] = [];
    client.on('message', (data) => messages.push(String(data)));
    const closed = once(client, 'close');
    client.send(create);
    expect((await closed)[0]).toBe(1013);
    expect(JSON.parse(messages[0] ?? '{}')).toMatchObject({
      type: 'error',
      status: 503,
      error: { code: 'too_many_bytes' },
      headers: { 'retry-after': '2' },
    });
    expect(await finish()).toContain('response.completed');
    expect(backend.turns()).toHaveLength(1);
  },
);

it.each([{}, { ...official, 'x-codex-routing-hint': 'model=m' }, official])(
  'forgets the bytes of a message that was served while the websocket stays open, with headers %o',
  async (headers) => {
    const { url, bytes } = await startProxyWithBackend();
    const client = await openWebSocket(url, headers);
    for (let n = 0; n < 3; n += 1) {
      const response = receiveResponse(client);
      client.send(create);
      expect((await response).at(-1)).toContain('response.completed');
      await expect.poll(bytes).toBe(0);
    }
    expect(client.readyState).toBe(WebSocket.OPEN);
  },
);
