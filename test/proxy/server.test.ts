import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { readGolden } from '../../src/golden/file.ts';
import { listenLocally } from '../../src/listening.ts';
import { startProxy } from '../../src/proxy/server.ts';
import { Shape } from '../../src/proxy/shape.ts';

const golden = await readGolden(
  join(import.meta.dirname, '..', '..', 'traces', '0.169.0', 'chatgpt', 'default.golden.jsonl'),
);
const session = '01a20000-0000-7000-8000-000000000001';
const official = { 'session-id': session, 'x-codex-routing-hint': 'model=m' };

type Heard = { headers: string[]; messages: string[] };

/** A backend that notes what it hears and answers each message with `answer`. */
async function backend(answer: (socket: WebSocket, message: string) => void) {
  const heard: Heard = { headers: [], messages: [] };
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket, request) => {
    heard.headers.push(...request.rawHeaders);
    socket.on('message', (data) => {
      heard.messages.push(String(data));
      answer(socket, String(data));
    });
  });
  const port = await listenLocally(server);
  onTestFinished(() => {
    for (const socket of sockets.clients) socket.terminate();
    server.close();
  });
  return { port, heard };
}

async function proxyTo(port: number): Promise<string> {
  const proxy = await startProxy({
    shape: new Shape(golden, []),
    signIn: () => ({ accessToken: 'token', accountId: 'account' }),
    upstream: new URL(`http://127.0.0.1:${port}/backend-api/codex`),
    port: 0,
    log: () => {},
  });
  onTestFinished(proxy.close);
  return `ws://127.0.0.1:${proxy.port}`;
}

async function opened(url: string, headers: Record<string, string> = {}): Promise<WebSocket> {
  const socket = new WebSocket(url, { headers });
  onTestFinished(() => socket.terminate());
  await once(socket, 'open');
  return socket;
}

/** The status and body with which an upgrade is refused. */
function refusal(
  url: string,
  headers: Record<string, string> = {},
): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { headers });
    socket.once('open', () => reject(new Error('the upgrade was accepted')));
    socket.once('error', reject);
    socket.once('unexpected-response', (_request, response) => {
      let body = '';
      response.on('data', (chunk) => {
        body += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode, body }));
    });
  });
}

it('hands events down byte for byte, in order', async () => {
  const events = ['{"type":"a" , "n":1.0}', '{"type":"b","text":"\\u00e9"}', 'not json'];
  const { port } = await backend((socket) => {
    for (const event of events) socket.send(event);
  });
  const client = await opened(`${await proxyTo(port)}/v1/responses`, official);
  const received: string[] = [];
  client.on('message', (data) => received.push(String(data)));
  client.send('{"type":"response.create","model":"m","input":[]}');
  await expect.poll(() => received).toEqual(events);
});

it('serves a client that names no session, under an id of its own', async () => {
  const { port, heard } = await backend((socket) => socket.send('{}'));
  const client = await opened(`${await proxyTo(port)}/v1/responses`);
  client.send('{"type":"response.create","model":"m","input":[]}');
  await once(client, 'message');
  const own = heard.headers[heard.headers.indexOf('session-id') + 1];
  expect(own).toMatch(/^[0-9a-f-]{36}$/);
  expect(JSON.parse(heard.messages[0] ?? '')).toMatchObject({
    prompt_cache_key: own,
    client_metadata: { session_id: own },
  });
  expect(heard.headers[heard.headers.indexOf('x-codex-routing-hint') + 1]).toBe('model=m');
});

it('takes the session from the body where the handshake has none', async () => {
  const { port, heard } = await backend((socket) => socket.send('{}'));
  const client = await opened(`${await proxyTo(port)}/v1/responses`);
  client.send(`{"type":"response.create","model":"m","input":[],"prompt_cache_key":"${session}"}`);
  await once(client, 'message');
  expect(heard.headers[heard.headers.indexOf('session-id') + 1]).toBe(session);
});

it("refuses the client's upgrade as the backend refuses its own", async () => {
  const server = createServer().on('upgrade', (_request, socket) => {
    socket.end('HTTP/1.1 426 Upgrade Required\r\ncontent-length: 4\r\nx-reason: test\r\n\r\nlate');
  });
  const port = await listenLocally(server);
  onTestFinished(() => void server.close());
  expect(await refusal(`${await proxyTo(port)}/v1/responses`, official)).toEqual({
    status: 426,
    body: 'late',
  });
});

it('passes a close of the backend on with its code', async () => {
  const { port } = await backend((socket) => socket.close(1011, 'overloaded'));
  const client = await opened(`${await proxyTo(port)}/v1/responses`, official);
  client.send('{"type":"response.create","model":"m","input":[]}');
  const [code, reason] = await once(client, 'close');
  expect([code, String(reason)]).toEqual([1011, 'overloaded']);
});

it('passes a lost backend connection on as a lost connection', async () => {
  const { port } = await backend((socket) => socket.terminate());
  const client = await opened(`${await proxyTo(port)}/v1/responses`, official);
  client.send('{"type":"response.create","model":"m","input":[]}');
  const [code] = await once(client, 'close');
  expect(code).toBe(1006);
});

it('refuses a browser page', async () => {
  const { port, heard } = await backend(() => {});
  const url = `${await proxyTo(port)}/v1/responses`;
  const { status } = await refusal(url, { ...official, origin: 'https://evil.example' });
  expect(status).toBe(403);
  expect(heard.headers).toEqual([]);
});

it('serves nothing at other paths', async () => {
  const { port } = await backend(() => {});
  const { status, body } = await refusal(`${await proxyTo(port)}/v2/responses`);
  expect(status).toBe(404);
  expect(body).toContain('nothing is served at /v2/responses');
});

it('answers 502 when the backend cannot be reached, without saying more than that', async () => {
  const server = createServer();
  const port = await listenLocally(server);
  server.close();
  await once(server, 'close');
  const { status, body } = await refusal(`${await proxyTo(port)}/v1/responses`, official);
  expect(status).toBe(502);
  expect(JSON.parse(body)).toMatchObject({ type: 'error', error: { code: 'upstream_unreachable' } });
});

it('outlives a client that sends what is no websocket frame', async () => {
  const { port } = await backend((socket) => socket.send('{}'));
  const url = await proxyTo(port);
  const hostile = connect(Number(new URL(url).port), '127.0.0.1');
  hostile.on('error', () => {});
  const head = 'Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n';
  hostile.write(`GET /v1/responses HTTP/1.1\r\n${head}Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`);
  await once(hostile, 'data');
  hostile.write(Buffer.from('ffff00000000', 'hex'));
  await once(hostile.resume(), 'close');
  const client = await opened(`${url}/v1/responses`);
  client.send('{"type":"response.create","model":"m","input":[]}');
  expect(String((await once(client, 'message'))[0])).toBe('{}');
});

it('passes on all that a client says before the backend is there', async () => {
  const { port, heard } = await backend((socket) => socket.send('{}'));
  const client = await opened(`${await proxyTo(port)}/v1/responses`);
  for (const n of [1, 2, 3]) client.send(`{"type":"response.create","model":"m","input":[],"n":${n}}`);
  await expect.poll(() => heard.messages.map((message) => JSON.parse(message).n)).toEqual([1, 2, 3]);
});

it('tells a client that is connected already in a message when the backend cannot be reached', async () => {
  const client = await opened(`${await proxyTo(1)}/v1/responses`);
  client.send('{"type":"response.create","model":"m","input":[]}');
  expect(JSON.parse(String((await once(client, 'message'))[0]))).toMatchObject({
    type: 'error',
    error: { code: 'upstream_unreachable' },
  });
  expect((await once(client, 'close'))[0]).toBe(1011);
});

it('closes while a backend has not answered yet', async () => {
  const silent = createTcpServer();
  const port = await listenLocally(silent);
  onTestFinished(() => void silent.close());
  const proxy = await startProxy({
    shape: new Shape(golden, []),
    signIn: () => ({ accessToken: 'token', accountId: 'account' }),
    upstream: new URL(`http://127.0.0.1:${port}`),
    port: 0,
    log: () => {},
  });
  const client = new WebSocket(`ws://127.0.0.1:${proxy.port}/v1/responses`, { headers: official });
  client.on('error', () => {});
  const [asked] = await once(silent, 'connection');
  const given = once(asked.resume(), 'close');
  await proxy.close();
  await given;
});
