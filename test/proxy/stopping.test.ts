import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { lineLogger } from '../../src/proxy/log.ts';
import { startProxy } from '../../src/proxy/server.ts';
import { decodeSse } from '../../src/wire/sse.ts';
import {
  hello,
  openWebSocket,
  post,
  receiveResponse,
  responseEvents,
  sendAll,
  shape,
  sse,
  startTestBackend,
  tunnelled,
} from './setup.ts';

const official = {
  originator: 'codex_exec',
  'x-codex-turn-metadata': '{}',
  'session-id': '01a20000-0000-7000-8000-000000000001',
  'x-codex-routing-hint': 'model=m',
};
const messages = [{ role: 'user', content: 'hello' }];

/** A proxy in front of a backend that sends `sent` events of a response, and no more. */
async function startHanging(sent: number) {
  let turns = 0;
  const backend = await startTestBackend({
    message: (socket) => {
      sendAll(socket, responseEvents('OK').slice(0, sent));
      turns += 1;
    },
    post: (response) => {
      turns += 1;
      if (sent === 0) return;
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(responseEvents('OK').slice(0, sent).map(sse).join('').slice(0, -3));
    },
  });
  const proxy = await startProxy({
    shape,
    signIn: () => ({ lane: 'chatgpt', websockets: true, accessToken: 'the-token', accountId: 'the-account' }),
    upstream: backend.url,
    port: 0,
    log: lineLogger(() => {}),
  });
  const hangs = async () => {
    await expect.poll(() => turns).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 50));
  };
  return { origin: `http://127.0.0.1:${proxy.port}`, hangs, stop: () => proxy.close({ grace: 50 }) };
}

it.each([
  { client: 'a stream', path: 'responses', body: hello },
  { client: 'a whole response', path: 'responses', body: { ...hello, stream: false } },
  { client: 'chunks', path: 'chat/completions', body: { model: 'm', messages, stream: true } },
  { client: 'a whole chat', path: 'chat/completions', body: { model: 'm', messages } },
  { client: 'an official client', path: 'responses', body: hello, headers: official },
  {
    client: 'an official client that is tunnelled',
    path: 'responses',
    body: hello,
    headers: { ...tunnelled, version: '0.1.0' },
  },
])('responds with 503 to a turn that the end of grace cuts before it began: $client', async (one) => {
  const { origin, hangs, stop } = await startHanging(0);
  const response = post(`${origin}/v1/${one.path}`, one.body, one.headers);
  await hangs();
  await stop();
  expect((await response).status).toBe(503);
  expect(await (await response).json()).toMatchObject({ error: { code: 'stopping' } });
});

it.each([
  { client: 'a stream', path: 'responses', body: hello },
  { client: 'chunks', path: 'chat/completions', body: { model: 'm', messages, stream: true } },
  { client: 'an official client', path: 'responses', body: hello, headers: official },
  {
    client: 'an official client that is tunnelled',
    path: 'responses',
    body: hello,
    headers: { ...tunnelled, version: '0.1.0' },
  },
])('ends a stream that the end of grace cuts with an error: $client', async ({ path, body, headers }) => {
  const { origin, hangs, stop } = await startHanging(3);
  const response = await post(`${origin}/v1/${path}`, body, headers);
  await hangs();
  await stop();
  const text = await response.text();
  expect(text).toContain('OK');
  expect(decodeSse(text).at(-1)?.data).toContain('"code":"stopping"');
});

it.each([
  { client: 'an official client', headers: official },
  { client: 'an official client that is tunnelled', headers: tunnelled },
  { client: 'another client', headers: {} },
])('ends a websocket whose turn the end of grace cuts with an error: $client', async ({ headers }) => {
  const { origin, hangs, stop } = await startHanging(3);
  const socket = await openWebSocket(`${origin}/v1/responses`, headers);
  const received = receiveResponse(socket);
  socket.send(JSON.stringify({ type: 'response.create', ...hello }));
  await hangs();
  await stop();
  expect(JSON.parse((await received).at(-1) ?? '')).toMatchObject({
    type: 'error',
    status: 503,
    error: { code: 'stopping' },
  });
});

const websockets = [
  { client: 'an official client', headers: official },
  { client: 'an official client that is tunnelled', headers: tunnelled },
  { client: 'another client', headers: {} },
];

/** A proxy whose backend responds when `finish` is called. */
async function startHeld() {
  const held: (() => void)[] = [];
  const backend = await startTestBackend({
    message: (socket) => void held.push(() => sendAll(socket, responseEvents('OK'))),
  });
  const proxy = await startProxy({
    shape,
    signIn: () => ({ lane: 'chatgpt', websockets: true, accessToken: 'the-token', accountId: 'the-account' }),
    upstream: backend.url,
    port: 0,
    log: lineLogger(() => {}),
  });
  onTestFinished(() => proxy.close());
  return {
    origin: `http://127.0.0.1:${proxy.port}`,
    proxy,
    held,
    finish: () => held.forEach((send) => void send()),
  };
}

it.each(websockets)(
  'ends an idle websocket at once, and a busy one after its turn: $client',
  async ({ headers }) => {
    const { origin, proxy, held, finish } = await startHeld();
    const open = () => openWebSocket(`${origin}/v1/responses`, headers);
    const [idle, busy] = [await open(), await open()];
    const [idleClosed, busyClosed] = [once(idle, 'close'), once(busy, 'close')];
    const response = receiveResponse(busy);
    busy.send(JSON.stringify({ type: 'response.create', ...hello }));
    await expect.poll(() => held.length).toBe(1);
    const stopped = proxy.close({ grace: 60_000 });
    expect((await idleClosed)[0]).toBe(1012);
    expect(busy.readyState).toBe(busy.OPEN);
    finish();
    expect((await response).join()).toContain('response.completed');
    expect((await busyClosed)[0]).toBe(1012);
    await stopped;
  },
);

it('is not ready while it drains, but serves as before', async () => {
  const { origin, proxy, held, finish } = await startHeld();
  expect((await fetch(`${origin}/readyz`)).status).toBe(200);
  const stopped = proxy.close({ grace: 60_000, drain: 60_000 });
  const readiness = await fetch(`${origin}/readyz`);
  expect(readiness.status).toBe(503);
  expect(await readiness.json()).toMatchObject({ error: { code: 'stopping' } });
  const response = post(`${origin}/v1/responses`, hello);
  await expect.poll(() => held.length).toBe(1);
  finish();
  expect(await (await response).text()).toContain('response.completed');
  // A second call ends it.
  await proxy.close();
  await stopped;
});

it('ends a kept connection with its response once it stops', async () => {
  const { origin, proxy, held, finish } = await startHeld();
  const turn = post(`${origin}/v1/responses`, hello);
  await expect.poll(() => held.length).toBe(1);
  const client = connect(Number(new URL(origin).port), '127.0.0.1');
  onTestFinished(() => void client.destroy());
  await once(client, 'connect');
  client.write('GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n');
  expect(String((await once(client, 'data'))[0])).toMatch(/^connection: keep-alive\r$/im);
  // A request that has begun keeps the connection open.
  client.write('GET /readyz HTTP/1.1\r\n');
  await new Promise((resolve) => setTimeout(resolve, 50));
  const stopped = proxy.close({ grace: 60_000 });
  client.write('host: localhost\r\n\r\n');
  const [response] = await Promise.all([once(client, 'data'), once(client, 'end')]);
  expect(String(response[0])).toMatch(/^HTTP\/1\.1 503[\s\S]*^connection: close\r$/im);
  finish();
  expect(await (await turn).text()).toContain('response.completed');
  await stopped;
});
