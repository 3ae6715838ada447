import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Duplex } from 'node:stream';
import { expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import {
  fastRetries,
  hello,
  listen,
  openWebSocket,
  post,
  proxyTo,
  receiveResponse,
  responseEvents,
  sendAll,
  startTestBackend,
} from './setup.ts';

const create = (text: string) => JSON.stringify({ type: 'response.create', ...hello, input: text });

/** Runs turns that name only the previous response. Returns the session of each, as the backend received it. */
async function sessionsFor(previous: readonly string[], limit: number): Promise<string[]> {
  const sessions: string[] = [];
  const backend = await startTestBackend({
    message: (socket, body) => {
      sessions.push(body.prompt_cache_key);
      sendAll(socket, responseEvents('OK', `resp_${sessions.length}`));
    },
  });
  const proxy = await proxyTo(backend.url, { limits: { ...fastRetries, sessions: limit } });
  for (const id of previous) {
    await (await post(`${proxy}/v1/responses`, { ...hello, previous_response_id: id })).text();
  }
  return sessions;
}

it('finds a session by its last response, and forgets the sessions that were used longest ago', async () => {
  // The responses are resp_1, resp_2, …: the third turn continues the first session.
  const sessions = await sessionsFor(['resp_a', 'resp_b', 'resp_1', 'resp_c', 'resp_3', 'resp_2'], 2);
  expect(sessions[2]).toBe(sessions[0]);
  expect(sessions[4]).toBe(sessions[0]);
  expect(sessions[5]).not.toBe(sessions[1]);
});

it('does not forget a running session when there are too many', async () => {
  const held: (() => void)[] = [];
  const backend = await startTestBackend({
    message: (socket, { input }) => {
      const go = () => sendAll(socket, responseEvents('OK', `resp_of_${JSON.stringify(input).length}`));
      if (JSON.stringify(input).includes('wait')) held.push(go);
      else go();
    },
  });
  const proxy = await proxyTo(backend.url, { limits: { ...fastRetries, sessions: 1 } });
  const request = { ...hello, previous_response_id: 'resp_a' };
  const first = await (await post(`${proxy}/v1/responses`, { ...request, stream: false })).json();
  const { id } = first as { id: string };
  const running = post(`${proxy}/v1/responses`, { ...hello, previous_response_id: id, input: 'wait' });
  await expect.poll(() => held.length).toBe(1);
  for (const previous of ['resp_b', 'resp_c']) {
    const next = { ...hello, previous_response_id: previous, input: `${previous}${previous}` };
    await (await post(`${proxy}/v1/responses`, next)).text();
  }
  for (const go of held) go();
  expect(await (await running).text()).toContain('response.completed');
  expect(backend.received).toHaveLength(3);
});

const manyMembers = Object.fromEntries(Array.from({ length: 1001 }, (_, n) => [`m${n}`, true]));

it.each(['responses', 'responses/compact', 'chat/completions'])(
  'refuses a request to %s with more than 1000 members',
  async (path) => {
    const backend = await startTestBackend();
    const response = await post(`${await proxyTo(backend.url)}/v1/${path}`, { ...hello, ...manyMembers });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain('up to 1000 members');
    expect(backend.received).toEqual([]);
  },
);

it('refuses such a request over the websocket, too', async () => {
  const client = await openWebSocket(`${await proxyTo((await startTestBackend()).url)}/v1/responses`);
  const response = receiveResponse(client);
  client.send(JSON.stringify({ type: 'response.create', ...hello, ...manyMembers }));
  expect((await response).join()).toContain('up to 1000 members');
});

it('forwards a request of an official client with more than 1000 members unchanged', async () => {
  const backend = await startTestBackend();
  const headers = { originator: 'codex_exec', 'x-codex-turn-metadata': '{}', 'session-id': 'a' };
  const text = JSON.stringify({ ...hello, ...manyMembers });
  await (await post(`${await proxyTo(backend.url)}/v1/responses`, text, headers)).text();
  expect(backend.received[0]?.messages).toEqual([text]);
});

/** A backend that does not respond, and a client's websocket with one turn running. */
async function startTurn(limits = {}) {
  const waiting: WebSocket[] = [];
  const backend = await startTestBackend({ message: (socket) => void waiting.push(socket) });
  const client = await openWebSocket(
    `${await proxyTo(backend.url, { limits: { ...fastRetries, ...limits } })}/v1/responses`,
  );
  client.send(create('first'));
  await expect.poll(() => waiting.length).toBe(1);
  return { backend, client, waiting };
}

it('runs queued requests in order', async () => {
  const { client, waiting, backend } = await startTurn();
  const texts = ['a', 'b', 'c'];
  for (const text of texts) client.send(create(text));
  for (let n = 1; n <= 4; n += 1) {
    await expect.poll(() => waiting.length).toBe(n);
    const response = receiveResponse(client);
    for (const socket of waiting.slice(-1)) sendAll(socket, responseEvents('OK'));
    await response;
  }
  const inputs = backend.turns().map(({ input }) => /"text":"(\w+)"/.exec(JSON.stringify(input))?.[1]);
  expect(inputs).toEqual(['first', ...texts]);
});

it.each([
  { much: 'requests', limits: {}, count: 17, length: 1 },
  { much: 'bytes', limits: { bodyBytes: 10_000 }, count: 2, length: 6000 },
])('disconnects a client that queues too many $much while a turn runs', async ({ limits, count, length }) => {
  const { client, backend } = await startTurn(limits);
  const response = receiveResponse(client);
  const closed = once(client, 'close');
  for (let n = 0; n < count; n += 1) client.send(create('x'.repeat(length)));
  expect(JSON.parse((await response).at(-1) ?? '')).toMatchObject({
    status: 429,
    error: { code: 'too_many_requests' },
  });
  expect((await closed)[0]).toBe(1008);
  await expect.poll(() => backend.sockets.clients.size).toBe(0);
  expect(backend.turns()).toHaveLength(1);
});

it('cancels queued requests when their client disconnects', async () => {
  const { client, backend } = await startTurn();
  for (let n = 0; n < 16; n += 1) client.send(create('x'));
  client.close();
  await expect.poll(() => backend.sockets.clients.size).toBe(0);
  expect(backend.turns()).toHaveLength(1);
});

it('does not close an upstream connection as idle while one of two turns still runs', async () => {
  const held: (() => void)[] = [];
  const backend = await startTestBackend({
    message: (socket, { input }) => {
      if (JSON.stringify(input).includes('wait')) held.push(() => sendAll(socket, responseEvents('OK')));
      else sendAll(socket, responseEvents('OK'));
    },
  });
  const proxy = await proxyTo(backend.url, { limits: { ...fastRetries, connectionIdle: 50 } });
  const turn = (input: string) => post(`${proxy}/v1/responses`, { ...hello, input, prompt_cache_key: 'one' });
  await (await turn('a')).text();
  const running = turn('wait');
  await expect.poll(() => held.length).toBe(1);
  await (await turn('b')).text();
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(held).toHaveLength(1);
  for (const go of held) go();
  expect(await (await running).text()).toContain('response.completed');
  await expect.poll(() => backend.sockets.clients.size).toBe(0);
});

it('pauses an official client without a routing hint until the backend is connected', async () => {
  const opening: Duplex[] = [];
  const server = createServer();
  server.on('upgrade', (_request, socket: Duplex) => opening.push(socket));
  const port = await listen(server);
  const proxy = await proxyTo(new URL(`http://127.0.0.1:${port}/backend-api/codex`));
  const client = await openWebSocket(`${proxy}/v1/responses`, {
    'session-id': '01a20000-0000-7000-8000-000000000001',
    originator: 'codex_exec',
    'x-codex-turn-metadata': '{}',
  });
  client.send(create('hello'));
  await expect.poll(() => opening.length).toBe(1);
  for (let n = 0; n < 64; n += 1) client.send('x'.repeat(1024 * 1024));
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(client.bufferedAmount).toBeGreaterThan(32 * 1024 * 1024);
  opening[0]?.end('HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n');
  expect((await once(client, 'close'))[0]).toBe(1011);
});
