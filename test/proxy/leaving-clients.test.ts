import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished, vi } from 'vitest';
import { SseResponse } from '../../src/proxy/http/sse-response.ts';
import { fastRetries, hello, listen, post, proxyTo, refusedWith, startTestBackend } from './setup.ts';

/** A metric of the proxy. */
async function metric(proxy: string, name: string): Promise<number> {
  const text = await (await fetch(`${proxy}/metrics`)).text();
  return Number(new RegExp(`^codex_parity_proxy_${name} (\\d+)$`, 'm').exec(text)?.[1]);
}

it('ends a request whose client disconnects while the sign-in is renewed', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url, {
    signIn: async () => {
      await delay(200);
      return { lane: 'chatgpt', websockets: true, accessToken: 'the-token', accountId: 'the-account' };
    },
  });
  for (const sent of ['12345', '1234567890']) {
    const socket = connect(Number(new URL(proxy).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.write(
      `POST /backend-api/wham/usage HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\n${sent}`,
    );
    await delay(50);
    expect(await metric(proxy, 'running_turns')).toBe(2);
    socket.destroy();
    // The request for the metric is one.
    await expect.poll(() => metric(proxy, 'running_turns'), { timeout: 2000 }).toBe(1);
  }
});

it('survives a client that resets its connection before the backend refuses its upgrade', async () => {
  const server = createServer();
  const upgrades: Duplex[] = [];
  server.on('upgrade', (_request, socket) => upgrades.push(socket.on('error', () => {})));
  onTestFinished(() => void server.close());
  const proxy = await proxyTo(new URL(`http://127.0.0.1:${await listen(server)}/backend-api/codex`));
  const client = connect(Number(new URL(proxy).port), '127.0.0.1');
  client.write(
    'GET /v1/responses HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: upgrade\r\nupgrade: websocket\r\n' +
      'sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\noriginator: codex_exec\r\n' +
      'x-codex-turn-metadata: {}\r\nsession-id: a\r\nx-codex-routing-hint: model=m\r\n\r\n',
  );
  await expect.poll(() => upgrades.length).toBe(1);
  client.resetAndDestroy();
  upgrades[0]?.end(refusedWith('403 Forbidden'));
  await expect.poll(() => metric(proxy, 'clients')).toBe(1);
  expect((await fetch(`${proxy}/healthz`)).status).toBe(200);
});

it('keeps no timer for a client that left before its stream began', async () => {
  const server = createServer();
  onTestFinished(() => void server.close());
  const socket = connect(await listen(server), '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
  const [, response]: ServerResponse[] = await once(server, 'request');
  if (response === undefined) throw new Error('there is no response');
  socket.destroy();
  await once(response, 'close');
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  new SseResponse(response, [], 10);
  await vi.advanceTimersByTimeAsync(10);
  expect(vi.getTimerCount()).toBe(0);
});

it('forgets an idle session after the time that the limits state', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url, { limits: { ...fastRetries, sessionIdle: 1000 } });
  await (await post(`${proxy}/v1/responses`, { ...hello, prompt_cache_key: 'one' })).text();
  expect(await metric(proxy, 'sessions')).toBe(1);
  await expect.poll(() => metric(proxy, 'sessions')).toBe(0);
  expect(backend.sockets.clients.size).toBe(0);
});
