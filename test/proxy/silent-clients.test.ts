import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
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
  tunnelled,
} from './setup.ts';

const official = {
  originator: 'codex_exec',
  'x-codex-turn-metadata': '{}',
  'session-id': '01a20000-0000-7000-8000-000000000001',
  'x-codex-routing-hint': 'model=m',
};

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Opens a TCP connection that sends nothing. Resolves when it is open. */
async function connectSilently(proxy: string) {
  const socket = connect(Number(new URL(proxy).port), '127.0.0.1');
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

it.each([
  { client: 'an official client', headers: official },
  { client: 'an official client that is tunnelled', headers: tunnelled },
  { client: 'another client', headers: {} },
])('disconnects $client that no longer responds to pings', async ({ headers }) => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url, { limits: { ...fastRetries, ping: 40 } });
  const socket = new WebSocket(`${proxy.replace('http', 'ws')}/v1/responses`, { headers, autoPong: false });
  await once(socket, 'open');
  expect((await once(socket, 'close'))[0]).toBe(1006);
  await expect.poll(() => backend.sockets.clients.size).toBe(0);
});

it.each([
  { client: 'of a program', headers: {} },
  { client: 'that is tunnelled', headers: tunnelled },
])(
  'keeps a silent websocket $client while pings are responded to, and closes it when it is idle for long',
  async ({ headers }) => {
    const backend = await startTestBackend();
    const limits = { ...fastRetries, ping: 40, sessionIdle: 800 };
    const socket = await openWebSocket(`${await proxyTo(backend.url, { limits })}/v1/responses`, headers);
    const closed = once(socket, 'close');
    await pause(500);
    const response = receiveResponse(socket);
    socket.send(JSON.stringify({ type: 'response.create', ...hello }));
    expect((await response).at(-1)).toContain('response.completed');
    const used = Date.now();
    expect((await closed)[0]).toBe(1001);
    expect(Date.now() - used).toBeGreaterThan(700);
  },
);

it.each([
  { client: 'an official client', headers: official },
  { client: 'an official client that is tunnelled', headers: tunnelled },
  { client: 'another client', headers: {} },
])('keeps the websocket of $client while the backend takes its time', async ({ headers }) => {
  const [created = '', ...rest] = responseEvents('OK');
  const backend = await startTestBackend({
    message: (socket) => {
      socket.send(created);
      setTimeout(() => sendAll(socket, rest), 600);
    },
  });
  const limits = { ...fastRetries, ping: 40, sessionIdle: 120 };
  const socket = await openWebSocket(`${await proxyTo(backend.url, { limits })}/v1/responses`, headers);
  const response = receiveResponse(socket);
  socket.send(JSON.stringify({ type: 'response.create', ...hello }));
  expect((await response).at(-1)).toContain('response.completed');
});

it('responds with 503 to connections beyond the limit, and keeps /healthz reachable', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url, { limits: { ...fastRetries, connections: 2 } });
  const held = [await connectSilently(proxy), await connectSilently(proxy)];
  const refused = await post(`${proxy}/v1/responses`, hello);
  expect(refused.status).toBe(503);
  expect(await refused.json()).toMatchObject({ error: { code: 'too_many_connections' } });
  for (let n = 0; n < 100; n += 1) await connectSilently(proxy);
  expect((await fetch(`${proxy}/healthz`)).status).toBe(200);
  expect(held.map(({ destroyed }) => destroyed)).toEqual([false, false]);
  for (const socket of held) socket.destroy();
  await expect.poll(async () => (await post(`${proxy}/v1/responses`, hello)).status).toBe(200);
});
