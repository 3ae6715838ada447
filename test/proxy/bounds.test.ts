import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Duplex } from 'node:stream';
import { expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import {
  fastRetries,
  listen,
  openWebSocket,
  post,
  proxyTo,
  receiveResponse,
  responseEvents,
  sendAll,
  startTestBackend,
} from './setup.ts';

const hello = { model: 'm', input: 'hello', stream: true };
const create = (text: string) => JSON.stringify({ type: 'response.create', ...hello, input: text });

/** Takes turns that name nothing but the response they go on from; gives the session of each, as it went upstream. */
async function sessionsOf(sessions: number, previous: readonly string[]): Promise<string[]> {
  const heard: string[] = [];
  const backend = await startTestBackend({
    message: (socket, body) => {
      heard.push(body.prompt_cache_key);
      sendAll(socket, responseEvents('OK', `resp_${heard.length}`));
    },
  });
  const proxy = await proxyTo(backend.url, { limits: { ...fastRetries, sessions } });
  for (const id of previous) {
    await (await post(`${proxy}/v1/responses`, { ...hello, previous_response_id: id })).text();
  }
  return heard;
}

it('finds a session again by its last response, and only the sessions that were used last', async () => {
  const [one, two, three] = ['resp_a', 'resp_b', 'resp_c'];
  // The answers are resp_1, resp_2, …: the fourth turn goes on with the first session.
  const sessions = await sessionsOf(2, [one, two, 'resp_1', three, 'resp_3', 'resp_2']);
  expect(sessions[2]).toBe(sessions[0]);
  expect(sessions[4]).toBe(sessions[0]);
  expect(sessions[5]).not.toBe(sessions[1]);
});

it('does not forget a session that is running, however many come', async () => {
  const held: (() => void)[] = [];
  const backend = await startTestBackend({
    message: (socket, { input }) => {
      const go = () => sendAll(socket, responseEvents('OK', `resp_of_${JSON.stringify(input).length}`));
      if (JSON.stringify(input).includes('wait')) held.push(go);
      else go();
    },
  });
  const proxy = await proxyTo(backend.url, { limits: { ...fastRetries, sessions: 1 } });
  const one = { ...hello, previous_response_id: 'resp_a' };
  const first = await (await post(`${proxy}/v1/responses`, { ...one, stream: false })).json();
  const { id } = first as { id: string };
  const running = post(`${proxy}/v1/responses`, { ...hello, previous_response_id: id, input: 'wait' });
  await expect.poll(() => held.length).toBe(1);
  for (const other of ['resp_b', 'resp_c']) {
    const next = { ...hello, previous_response_id: other, input: `${other}${other}` };
    await (await post(`${proxy}/v1/responses`, next)).text();
  }
  for (const go of held) go();
  expect(await (await running).text()).toContain('response.completed');
  expect(backend.received).toHaveLength(3);
});

/** A backend that answers nothing, and a program's websocket through the proxy to it with one turn running. */
async function waited(limits = {}) {
  const heard: WebSocket[] = [];
  const backend = await startTestBackend({ message: (socket) => void heard.push(socket) });
  const client = await openWebSocket(
    `${await proxyTo(backend.url, { limits: { ...fastRetries, ...limits } })}/v1/responses`,
  );
  client.send(create('first'));
  await expect.poll(() => heard.length).toBe(1);
  return { backend, client, heard };
}

it('answers requests that come while one runs, in their order', async () => {
  const { client, heard, backend } = await waited();
  const texts = ['a', 'b', 'c'];
  for (const text of texts) client.send(create(text));
  for (let n = 1; n <= 4; n += 1) {
    await expect.poll(() => heard.length).toBe(n);
    const answer = receiveResponse(client);
    for (const socket of heard.slice(-1)) sendAll(socket, responseEvents('OK'));
    await answer;
  }
  const said = backend.turns().map(({ input }) => /"text":"(\w+)"/.exec(JSON.stringify(input))?.[1]);
  expect(said).toEqual(['first', ...texts]);
});

it.each([
  { much: 'requests', limits: {}, count: 17, length: 1 },
  { much: 'bytes', limits: { bodyBytes: 10_000 }, count: 2, length: 6000 },
])('lets a client go that sends too many $much while a turn runs', async ({ limits, count, length }) => {
  const { client, backend } = await waited(limits);
  const answer = receiveResponse(client);
  const closed = once(client, 'close');
  for (let n = 0; n < count; n += 1) client.send(create('x'.repeat(length)));
  expect(JSON.parse((await answer).at(-1) ?? '')).toMatchObject({
    status: 429,
    error: { code: 'too_many_requests' },
  });
  expect((await closed)[0]).toBe(1008);
  await expect.poll(() => backend.sockets.clients.size).toBe(0);
  expect(backend.turns()).toHaveLength(1);
});

it('notices that a client leaves while its requests wait', async () => {
  const { client, backend } = await waited();
  for (let n = 0; n < 16; n += 1) client.send(create('x'));
  client.close();
  await expect.poll(() => backend.sockets.clients.size).toBe(0);
  expect(backend.turns()).toHaveLength(1);
});

it('does not take a connection for one that nobody uses while a turn runs on it beside another that has ended', async () => {
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

it('reads no more of an official client that gave no hint than its request, until the backend is there', async () => {
  const opening: Duplex[] = [];
  const server = createServer();
  server.on('upgrade', (_request, socket: Duplex) => opening.push(socket));
  const port = await listen(server);
  const proxy = await proxyTo(new URL(`http://127.0.0.1:${port}/backend-api/codex`));
  const client = await openWebSocket(`${proxy}/v1/responses`, {
    'session-id': '01a20000-0000-7000-8000-000000000001',
    originator: 'codex_exec',
  });
  client.send(create('hello'));
  await expect.poll(() => opening.length).toBe(1);
  for (let n = 0; n < 64; n += 1) client.send('x'.repeat(1024 * 1024));
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(client.bufferedAmount).toBeGreaterThan(32 * 1024 * 1024);
  opening[0]?.end('HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n');
  expect((await once(client, 'close'))[0]).toBe(1011);
});
