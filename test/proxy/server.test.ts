import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, createServer as createTcpServer } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { lineLogger } from '../../src/proxy/log.ts';
import { startProxy } from '../../src/proxy/server.ts';
import { headerValue } from '../../src/wire/headers.ts';
import {
  listen,
  openWebSocket,
  proxyTo,
  receiveResponse,
  refusedUpgrade,
  shape,
  startTestBackend,
} from './setup.ts';

const session = '01a20000-0000-7000-8000-000000000001';
const official = {
  originator: 'codex_exec',
  'x-codex-turn-metadata': '{}',
  'session-id': session,
  'x-codex-routing-hint': 'model=m',
};
const request = '{"type":"response.create","model":"m","input":[]}';

it('sends events to an official client byte for byte, in order', async () => {
  const events = ['{"type":"a" , "n":1.0}', '{"type":"b","text":"\\u00e9"}', 'not json'];
  const { url } = await startTestBackend({
    message: (socket) => events.forEach((event) => void socket.send(event)),
  });
  const client = await openWebSocket(`${await proxyTo(url)}/v1/responses`, official);
  const received: string[] = [];
  client.on('message', (data) => received.push(String(data)));
  client.send(request);
  await expect.poll(() => received).toEqual(events);
});

it('gives a client that names no session an id of its own', async () => {
  const { url, received } = await startTestBackend();
  const client = await openWebSocket(`${await proxyTo(url)}/v1/responses`);
  client.send(request);
  await receiveResponse(client);
  const own = headerValue(received[0]?.headers ?? [], 'session-id');
  expect(own).toMatch(/^[0-9a-f-]{36}$/);
  expect(JSON.parse(received[0]?.messages[0] ?? '')).toMatchObject({
    prompt_cache_key: own,
    client_metadata: { session_id: own },
  });
  expect(headerValue(received[0]?.headers ?? [], 'x-codex-routing-hint')).toBe('model=m');
});

it('takes the session from the body if the handshake has none', async () => {
  const { url, received } = await startTestBackend();
  const client = await openWebSocket(`${await proxyTo(url)}/v1/responses`);
  client.send(`{"type":"response.create","model":"m","input":[],"prompt_cache_key":"${session}"}`);
  await receiveResponse(client);
  expect(headerValue(received[0]?.headers ?? [], 'session-id')).toBe(session);
});

it("refuses an official client's upgrade with the backend's refusal", async () => {
  const { url, received } = await startTestBackend({
    upgrade: () => 'HTTP/1.1 426 Upgrade Required\r\ncontent-length: 4\r\nx-reason: test\r\n\r\nlate',
  });
  const refused = await refusedUpgrade(`${await proxyTo(url)}/v1/responses`, official);
  expect(refused).toEqual({ status: 426, body: 'late' });
  expect(received).toHaveLength(1);
});

it('refuses the next upgrade of a session after the backend has refused websockets for it', async () => {
  const { url, received } = await startTestBackend({
    upgrade: () => 'HTTP/1.1 426 Upgrade Required\r\ncontent-length: 0\r\n\r\n',
  });
  const origin = await proxyTo(url);
  const { 'x-codex-routing-hint': _, ...unhinted } = official;
  const client = await openWebSocket(`${origin}/v1/responses`, unhinted);
  client.send(request);
  await once(client, 'close');
  const second = await refusedUpgrade(`${origin}/v1/responses`, unhinted);
  expect(second.status).toBe(426);
  expect(received).toHaveLength(1);
  await openWebSocket(`${origin}/v1/responses`, { ...unhinted, 'session-id': 'another' });
});

it.each([1011, 1000])('forwards a close of the backend with code %i', async (code) => {
  const { url } = await startTestBackend({ message: (socket) => socket.close(code, 'overloaded') });
  const client = await openWebSocket(`${await proxyTo(url)}/v1/responses`, official);
  client.send(request);
  const [received, reason] = await once(client, 'close');
  expect([received, String(reason)]).toEqual([code, 'overloaded']);
});

it('ends the connection after a close of the backend, as the official client does', async () => {
  const codes: number[] = [];
  const { url } = await startTestBackend({
    message: (socket) => {
      socket.once('close', (code) => codes.push(code));
      socket.close(1011);
    },
  });
  const client = await openWebSocket(`${await proxyTo(url)}/v1/responses`, official);
  client.send(request);
  await once(client, 'close');
  await expect.poll(() => codes).toEqual([1006]);
});

it('forwards response.interrupt unchanged', async () => {
  const { url, received } = await startTestBackend({ message: (socket) => socket.send('{}') });
  const client = await openWebSocket(`${await proxyTo(url)}/v1/responses`, official);
  const steering = '{"type":"response.interrupt", "response_id":"resp_1","mode":"discard_partial_items"}';
  client.send(steering);
  await once(client, 'message');
  expect(received[0]?.messages).toEqual([steering]);
});

it('counts a turn as running from its request to its last event, and does not count response.interrupt', async () => {
  const { url, sockets } = await startTestBackend({ message: (socket) => socket.send('{}') });
  const proxy = await proxyTo(url);
  // The request for the metrics counts as running too.
  const running = async () =>
    Number(/running_turns (\d+)/.exec(await (await fetch(`${proxy}/metrics`)).text())?.[1]) - 1;
  const client = await openWebSocket(`${proxy}/v1/responses`, official);
  client.send('{"type":"response.interrupt"}');
  await once(client, 'message');
  expect(await running()).toBe(0);
  client.send(request);
  await once(client, 'message');
  expect(await running()).toBe(1);
  for (const socket of sockets.clients) socket.send('{"type":"response.incomplete"}');
  await once(client, 'message');
  expect(await running()).toBe(0);
});

it('forwards a close without a code', async () => {
  const { url } = await startTestBackend({ message: (socket) => socket.close() });
  const client = await openWebSocket(`${await proxyTo(url)}/v1/responses`, official);
  client.send(request);
  expect((await once(client, 'close'))[0]).toBe(1005);
});

it("ends the client's connection without a close when the backend's is lost", async () => {
  const { url } = await startTestBackend({ message: (socket) => socket.terminate() });
  const client = await openWebSocket(`${await proxyTo(url)}/v1/responses`, official);
  client.send(request);
  const [code] = await once(client, 'close');
  expect(code).toBe(1006);
});

it('responds to other paths with 404', async () => {
  const { url } = await startTestBackend();
  const { status, body } = await refusedUpgrade(`${await proxyTo(url)}/v2/responses`);
  expect(status).toBe(404);
  expect(body).toContain('nothing is served at /v2/responses');
});

it('responds with 502 and without details when the backend cannot be reached', async () => {
  const server = createServer();
  const port = await listen(server);
  server.close();
  await once(server, 'close');
  const proxy = await proxyTo(new URL(`http://127.0.0.1:${port}`));
  const { status, body } = await refusedUpgrade(`${proxy}/v1/responses`, official);
  expect(status).toBe(502);
  expect(JSON.parse(body)).toMatchObject({ type: 'error', error: { code: 'upstream_unreachable' } });
  expect(body).not.toContain(String(port));
});

it('keeps running after a client sends an invalid websocket frame', async () => {
  const { url } = await startTestBackend();
  const proxy = await proxyTo(url);
  const { port, host } = new URL(proxy);
  const hostile = connect(Number(port), '127.0.0.1');
  hostile.on('error', () => {});
  const head = `Host: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n`;
  hostile.write(`GET /v1/responses HTTP/1.1\r\n${head}Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`);
  await once(hostile, 'data');
  hostile.write(Buffer.from('ffff00000000', 'hex'));
  await once(hostile.resume(), 'close');
  const client = await openWebSocket(`${proxy}/v1/responses`);
  client.send(request);
  expect((await receiveResponse(client)).at(-1)).toContain('response.completed');
});

it('forwards messages that a client sends before the backend is connected', async () => {
  const { url, turns } = await startTestBackend();
  const client = await openWebSocket(`${await proxyTo(url)}/v1/responses`);
  for (const n of [1, 2, 3]) client.send(`{"type":"response.create","model":"m${n}","input":[]}`);
  await expect.poll(() => turns().map(({ model }) => model)).toEqual(['m1', 'm2', 'm3']);
});

it('sends an error event to a connected client when the backend cannot be reached', async () => {
  const client = await openWebSocket(`${await proxyTo(new URL('http://127.0.0.1:1'))}/v1/responses`);
  client.send(request);
  const [message, closed] = [once(client, 'message'), once(client, 'close')];
  expect(JSON.parse(String((await message)[0]))).toMatchObject({
    type: 'error',
    error: { code: 'upstream_unreachable' },
  });
  expect((await closed)[0]).toBe(1011);
});

it('stops while the backend has not responded yet', async () => {
  const silent = createTcpServer();
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const address = silent.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  onTestFinished(() => void silent.close());
  const proxy = await startProxy({
    shape,
    signIn: () => ({ lane: 'chatgpt', websockets: true, accessToken: 'token', accountId: 'account' }),
    upstream: new URL(`http://127.0.0.1:${port}`),
    port: 0,
    log: lineLogger(() => {}),
  });
  const client = new WebSocket(`ws://127.0.0.1:${proxy.port}/v1/responses`, { headers: official });
  client.on('error', () => {});
  const [connection] = await once(silent, 'connection');
  const ended = once(connection.resume(), 'close');
  await proxy.close();
  await ended;
});

it('refuses the upgrade of an official client with 426 if the sign-in forbids websockets', async () => {
  const { url, received } = await startTestBackend();
  const signIn = () => ({ lane: 'chatgpt', websockets: false, accessToken: 't', accountId: 'a' }) as const;
  const refused = await refusedUpgrade(`${await proxyTo(url, { signIn })}/v1/responses`, official);
  expect(refused.status).toBe(426);
  expect(received).toEqual([]);
});

it("keeps an official client's own name and version if the golden has another", async () => {
  const { url, received } = await startTestBackend();
  const own = {
    'user-agent': 'codex_vscode/0.171.0 (Mac OS 15) x',
    originator: 'codex_vscode',
    version: '0.171.0',
  };
  const client = await openWebSocket(`${await proxyTo(url)}/v1/responses`, { ...official, ...own });
  client.send(request);
  await receiveResponse(client);
  for (const [name, value] of Object.entries(own))
    expect(headerValue(received[0]?.headers ?? [], name)).toBe(value);
});

it('passes on a tier that it does not know for an official client', async () => {
  const { url, received } = await startTestBackend();
  const hinted = { ...official, 'x-codex-routing-hint': 'model=m;tier=a-newer-tier' };
  const client = await openWebSocket(`${await proxyTo(url)}/v1/responses`, hinted);
  client.send('{"type":"response.create","model":"m","input":[],"service_tier":"a-newer-tier"}');
  await receiveResponse(client);
  expect(JSON.parse(received[0]?.messages[0] ?? '')).toMatchObject({ service_tier: 'a-newer-tier' });
  expect(headerValue(received[0]?.headers ?? [], 'x-codex-routing-hint')).toBe('model=m;tier=a-newer-tier');
});

it.each([
  ['opencode', { originator: 'opencode', 'session-id': session }],
  ['pi', { originator: 'pi', 'session-id': session, conversation_id: session }],
  ['a program that calls itself Codex', { originator: 'codex_cli_rs', session_id: session }],
  [
    'a program with a header of Codex',
    { originator: 'mine', session_id: session, 'x-codex-turn-metadata': '{}' },
  ],
])('speaks for %s, which is no official client', async (_, headers) => {
  const { url, received } = await startTestBackend();
  const client = await openWebSocket(`${await proxyTo(url)}/v1/responses`, headers);
  client.send(request);
  await receiveResponse(client);
  expect(received[0]?.messages.map((text) => JSON.parse(text).generate)).toEqual([false, undefined]);
  expect(headerValue(received[0]?.headers ?? [], 'originator')).toBe('codex_exec');
});
