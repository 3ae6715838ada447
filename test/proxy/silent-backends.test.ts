import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import {
  errorFrame,
  fastRetries,
  hello,
  listen,
  openWebSocket,
  post,
  proxyTo,
  refusedWith,
  responseEvents,
  sendAll,
  sse,
  startTestBackend,
} from './setup.ts';

const limits = { ...fastRetries, ping: 20 };
const chat = { model: 'm', stream: true, messages: [{ role: 'user', content: 'hello' }] };

const surfaces = [
  ['responses', hello],
  ['chat/completions', chat],
] as const;

it.each(surfaces)('sends comments while the backend is silent, to a stream of %s', async (path, request) => {
  const backend = await startTestBackend({
    message: (socket) => void setTimeout(() => sendAll(socket, responseEvents('OK')), 150),
  });
  const response = await post(`${await proxyTo(backend.url, { limits })}/v1/${path}`, request);
  const text = await response.text();
  expect(text.match(/^: silence$/gm)?.length).toBeGreaterThan(2);
  expect(text).toMatch(/response\.completed|\[DONE\]/);
});

it.each(surfaces)(
  'reports an error after a silence in the stream of %s, and retries before',
  async (path, request) => {
    let turns = 0;
    const backend = await startTestBackend({
      message: (socket) => {
        turns += 1;
        setTimeout(() => sendAll(socket, [errorFrame(turns === 1 ? 500 : 404, 'x')]), 100);
      },
    });
    const response = await post(`${await proxyTo(backend.url, { limits })}/v1/${path}`, request);
    expect(response.status).toBe(200);
    expect(await response.text()).toContain('this went wrong');
    expect(turns).toBe(2);
  },
);

it.each([
  { when: 'before a response', begins: false },
  { when: 'within a response', begins: true },
])('tries a websocket that falls silent $when once more, and then reports it', async ({ begins }) => {
  const backend = await startTestBackend({
    message: (socket) => sendAll(socket, begins ? responseEvents('OK').slice(0, 1) : []),
  });
  const proxy = await proxyTo(backend.url, { limits: { ...fastRetries, firstByte: 100, idle: 100 } });
  const response = await post(`${proxy}/v1/responses`, { ...hello, stream: false });
  expect(await response.json()).toMatchObject({ error: { code: 'upstream_silent' } });
  expect(response.status).toBe(502);
  expect(backend.turns()).toHaveLength(2);
});

it('reports a response over HTTP that falls silent', async () => {
  const backend = await startTestBackend({
    upgrade: () => refusedWith('426 Upgrade Required'),
    post: (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(responseEvents('OK').slice(0, 1).map(sse).join(''));
    },
  });
  const proxy = await proxyTo(backend.url, { limits: { ...fastRetries, idle: 100 } });
  const response = await post(`${proxy}/v1/responses`, { ...hello, stream: false });
  expect(await response.json()).toMatchObject({ error: { code: 'upstream_silent' } });
  expect(backend.turns()).toHaveLength(1);
});

const long = { ...hello, input: randomBytes(6e6).toString('base64') };
/** The backend takes longer in all, but less until it has read the request, and less after it. */
const someTime = { limits: { ...fastRetries, firstByte: 2000 } };
const [beforeReading, afterReading] = [1200, 1400];

it('gives the backend its time after a long request was sent over the websocket', async () => {
  const backend = await startTestBackend({
    prewarm: (socket) => {
      sendAll(socket, responseEvents('', 'resp_warm'));
      socket.pause();
      setTimeout(() => socket.resume(), beforeReading);
    },
    message: (socket) => void setTimeout(() => sendAll(socket, responseEvents('OK')), afterReading),
  });
  const response = await post(`${await proxyTo(backend.url, someTime)}/v1/responses`, long);
  expect(await response.text()).toContain('response.completed');
  expect(backend.turns()).toHaveLength(1);
});

it('gives the backend its time after a long request was sent over HTTP', async () => {
  let requests = 0;
  const backend = createServer(async (request, response) => {
    requests += 1;
    await delay(beforeReading);
    request.resume();
    await once(request, 'end');
    await delay(afterReading);
    response.end(responseEvents('OK').map(sse).join(''));
  });
  const overHttp = {
    lane: 'chatgpt',
    websockets: false,
    accessToken: 'token',
    accountId: 'account',
  } as const;
  const upstream = new URL(`http://127.0.0.1:${await listen(backend)}/backend-api/codex`);
  onTestFinished(() => void backend.close());
  const proxy = await proxyTo(upstream, { ...someTime, signIn: () => overHttp });
  const response = await post(`${proxy}/v1/responses`, long);
  expect(await response.text()).toContain('response.completed');
  expect(requests).toBe(1);
});

it('passes pings of the backend on to an official client', async () => {
  const backend = await startTestBackend({ message: (socket) => socket.ping('are you there') });
  const client = await openWebSocket(`${await proxyTo(backend.url)}/v1/responses`, {
    originator: 'codex_exec',
    'x-codex-turn-metadata': '{}',
    'session-id': '01a20000-0000-7000-8000-000000000001',
    'x-codex-routing-hint': 'model=m',
  });
  const pinged = once(client, 'ping');
  client.send('{"type":"response.create","model":"m","input":[]}');
  expect(String((await pinged)[0])).toBe('are you there');
});
