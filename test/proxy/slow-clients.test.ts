import type { ServerResponse } from 'node:http';
import { expect, it } from 'vitest';
import { WebSocket } from 'ws';
import {
  fastRetries,
  metric,
  openWebSocket,
  post,
  proxyTo,
  readEvents,
  receiveResponse,
  refusedWith,
  responseEvents,
  sendAll,
  sse,
  startTestBackend,
  tunnelled,
} from './setup.ts';

const hello = {
  type: 'response.create',
  model: 'm',
  stream: true,
  input: [{ role: 'user', content: 'hello' }],
};
const official = {
  'session-id': '01a20000-0000-7000-8000-000000000001',
  originator: 'codex_exec',
  'x-codex-turn-metadata': '{}',
  'x-codex-routing-hint': 'model=m',
};

/** Bytes of each event. */
const large = 1024 * 1024;
const delta = 'x'.repeat(large);
const [created = '', , , , completed = ''] = responseEvents('OK');
const events = [
  created,
  ...Array.from({ length: 32 }, (_, n) =>
    JSON.stringify({ type: 'response.output_text.delta', sequence_number: n, delta }),
  ),
  completed,
];

/** A backend that sends more than socket buffers hold. `unsent` returns the bytes that it has not sent yet. */
async function startLargeResponses() {
  let sender: WebSocket | undefined;
  const backend = await startTestBackend({
    message: (socket) => {
      sender = socket;
      sendAll(socket, events);
    },
  });
  return {
    url: backend.url,
    unsent: () => sender?.bufferedAmount ?? 0,
    isClosed: () => sender?.readyState === WebSocket.CLOSED,
  };
}

/** Waits until the backend sends no more. Returns the bytes that the proxy does not read. */
async function unreadBytes(unsent: () => number): Promise<number> {
  await expect.poll(unsent).toBeGreaterThan(0);
  let before = -1;
  for (let unchanged = 0; unchanged < 4; unchanged = unsent() === before ? unchanged + 1 : 0) {
    before = unsent();
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  return unsent();
}

it.each([
  ['an official client', official],
  ['an official client that is tunnelled', tunnelled],
  ['a program', {}],
])('pauses the backend while %s does not read its websocket, and loses nothing', async (_, headers) => {
  const backend = await startLargeResponses();
  const socket = await openWebSocket(`${await proxyTo(backend.url)}/v1/responses`, headers);
  const response = receiveResponse(socket);
  response.catch(() => {});
  socket.send(JSON.stringify(hello));
  socket.pause();
  expect(await unreadBytes(backend.unsent)).toBeGreaterThan(16 * large);
  socket.resume();
  expect(await response).toEqual(events);
});

it('pauses the backend while a client does not read its stream, and loses nothing', async () => {
  const backend = await startLargeResponses();
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  expect(await unreadBytes(backend.unsent)).toBeGreaterThan(16 * large);
  expect(await readEvents(response)).toEqual(events);
});

it('cuts a response over HTTP off when its client stops reading for the idle time, and does not blame the backend', async () => {
  let sender: ServerResponse | undefined;
  const backend = await startTestBackend({
    upgrade: () => refusedWith('426 Upgrade Required'),
    post: (response) => {
      sender = response;
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (const event of events) response.write(sse(event));
    },
  });
  const proxy = await proxyTo(backend.url, { limits: { ...fastRetries, idle: 2000 } });
  const response = await post(`${proxy}/v1/responses`, hello);
  await expect.poll(() => metric(proxy, 'turns_total')).toBe(1);
  expect(sender?.destroyed).toBe(true);
  expect(JSON.parse((await readEvents(response)).at(-1) ?? '')).toMatchObject({
    type: 'error',
    error: { code: 'upstream_lost', message: 'the response was cut off: the client stopped reading' },
  });
  expect(backend.turns()).toHaveLength(1);
});

it('cuts a response off when its client stops reading for the idle time', async () => {
  const backend = await startLargeResponses();
  const proxy = await proxyTo(backend.url, { limits: { ...fastRetries, idle: 2000 } });
  const socket = await openWebSocket(`${proxy}/v1/responses`);
  const response = receiveResponse(socket);
  socket.send(JSON.stringify(hello));
  socket.pause();
  await expect.poll(backend.isClosed).toBe(true);
  socket.resume();
  expect((await response).at(-1)).toContain('the response was cut off: the client stopped reading');
});
