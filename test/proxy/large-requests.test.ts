import { once } from 'node:events';
import { type ClientRequest, createServer, type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import {
  fastRetries,
  hello,
  listen,
  openWebSocket,
  post,
  proxyTo,
  readEvents,
  receiveResponse,
  refusedUpgrade,
  refusedWith,
  responseEvents,
  sendAll,
  sse,
  startTestBackend,
  type TestBackend,
  tunnelled,
  user,
} from './setup.ts';

const mebibyte = 1024 * 1024;
const picture = 'x'.repeat(17 * mebibyte);

const official = (thread = '01a20000-0000-7000-8000-000000000001') => ({
  'session-id': '01a20000-0000-7000-8000-000000000001',
  'thread-id': thread,
  originator: 'codex_exec',
  'x-codex-turn-metadata': '{}',
  'x-codex-routing-hint': 'model=m',
});

/** A small limit of the websocket. */
const limits = { ...fastRetries, messageBytes: 50_000 };
const large = 'x'.repeat(60_000);

const create = (input: string, more = {}) =>
  JSON.stringify({ type: 'response.create', model: 'm', input: [user(input)], ...more });

const transports = ({ received }: TestBackend) => received.map(({ transport }) => transport);

it.each([
  ['responses', 'input'],
  ['chat/completions', 'messages'],
])(
  'sends a request with 17 MiB of pictures to %s over HTTP at once, and the next one over the websocket',
  async (path, member) => {
    const backend = await startTestBackend();
    const proxy = await proxyTo(backend.url);
    const message = { role: 'user', content: picture };
    const response = await post(`${proxy}/v1/${path}`, { model: 'm', [member]: [message] });
    expect(response.status).toBe(200);
    expect(JSON.stringify(await response.json())).toContain('OK');
    expect(transports(backend)).toEqual(['http']);
    expect(JSON.stringify(backend.turns()[0]?.input).length).toBeGreaterThan(picture.length);
    await (await post(`${proxy}/v1/responses`, hello)).text();
    expect(transports(backend)).toEqual(['http', 'websocket']);
  },
);

it('sends a large request of a websocket over HTTP, and a small one that continues from it over the websocket', async () => {
  const backend = await startTestBackend();
  const client = await openWebSocket(`${await proxyTo(backend.url, { limits })}/v1/responses`);
  for (const input of ['a', large, 'b']) {
    const response = receiveResponse(client);
    client.send(create(input));
    expect((await response).at(-1)).toContain('response.completed');
  }
  expect(transports(backend)).toEqual(['websocket', 'http']);
  expect(backend.received[0]?.messages).toHaveLength(3);
});

it('sends a small request over the websocket that continues from a large conversation', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url, { limits });
  let previous: string | undefined;
  for (const input of ['x'.repeat(30_000), 'y'.repeat(30_000)]) {
    const request = { model: 'm', input, previous_response_id: previous, prompt_cache_key: 'k' };
    const response = (await (await post(`${proxy}/v1/responses`, request)).json()) as { id: string };
    previous = response.id;
  }
  expect(transports(backend)).toEqual(['websocket']);
  // A new connection needs the whole conversation.
  for (const socket of backend.sockets.clients) socket.terminate();
  await expect.poll(() => backend.sockets.clients.size).toBe(0);
  const request = { model: 'm', input: 'z', previous_response_id: previous, prompt_cache_key: 'k' };
  expect((await post(`${proxy}/v1/responses`, request)).status).toBe(200);
  expect(transports(backend)).toEqual(['websocket', 'http']);
  expect(backend.turns().at(-1)?.input).toHaveLength(5);
});

it('uses HTTP at once when the backend closes the websocket because a request is too big', async () => {
  const backend = await startTestBackend({ message: (socket) => socket.close(1009) });
  const proxy = await proxyTo(backend.url);
  expect(await (await post(`${proxy}/v1/responses`, hello)).text()).toContain('response.completed');
  expect(transports(backend)).toEqual(['websocket', 'http']);
});

const asOther = (thread?: string) => ({ ...tunnelled, 'thread-id': thread ?? tunnelled['thread-id'] });
const refuse = (socket: WebSocket) => socket.close(1009);

it.each([
  { client: 'an official client', case: 'the client sends', input: large, headersOf: official },
  {
    client: 'an official client',
    case: 'the backend refuses',
    message: refuse,
    input: 'hello',
    headersOf: official,
  },
  { client: 'a tunnelled client', case: 'the client sends', input: large, headersOf: asOther },
  {
    client: 'a tunnelled client',
    case: 'the client compresses and sends a part of',
    deflate: true,
    isPart: true,
    input: large,
    headersOf: asOther,
  },
  {
    client: 'a tunnelled client',
    case: 'the client compresses and the backend refuses',
    message: refuse,
    deflate: true,
    input: large,
    headersOf: asOther,
  },
  {
    client: 'a tunnelled client',
    case: 'the backend refuses',
    message: refuse,
    input: 'hello',
    headersOf: asOther,
  },
])(
  'tells $client to use HTTP after a message that is too big: $case it',
  async ({ message, input, deflate = false, isPart = false, headersOf }) => {
    const backend = await startTestBackend({ deflate, ...(message === undefined ? {} : { message }) });
    const url = `${await proxyTo(backend.url, { limits })}/v1/responses`;
    const client = await openWebSocket(url, headersOf());
    client.send(create(input), { fin: !isPart });
    expect((await once(client, 'close'))[0]).toBe(1009);
    expect(backend.turns()).toHaveLength(message === undefined ? 0 : 1);
    expect((await refusedUpgrade(url, headersOf())).status).toBe(426);
    const response = await post(url, JSON.parse(create(large, { stream: true })), headersOf());
    expect(await response.text()).toContain('response.completed');
    // The client remembers it; when the session is resumed, its history may be shorter.
    (await openWebSocket(url, headersOf())).close();
    // Another thread of the session has another history.
    const other = await openWebSocket(url, headersOf('01a20000-0000-7000-8000-000000000002'));
    other.close();
  },
);

it('leaves a large message that was passed on to the backend, which gets it once', async () => {
  const backend = await startTestBackend({ deflate: true });
  const url = `${await proxyTo(backend.url, { limits })}/v1/responses`;
  const client = await openWebSocket(url, tunnelled);
  for (const turns of [1, 2]) {
    const response = receiveResponse(client);
    client.send(create(large));
    expect((await response).at(-1)).toContain('response.completed');
    expect(backend.turns()).toHaveLength(turns);
  }
  (await openWebSocket(url, tunnelled)).close();
});

it('tells an official client to use HTTP after a message that is too big to be read', async () => {
  const backend = await startTestBackend();
  const small = { ...fastRetries, bodyBytes: 20_000 };
  const url = `${await proxyTo(backend.url, { limits: small })}/v1/responses`;
  const client = await openWebSocket(url, official());
  client.send(create(large));
  expect((await once(client, 'close'))[0]).toBe(1009);
  expect((await refusedUpgrade(url, official())).status).toBe(426);
});

it('closes the websocket of a program with 1009 after a message that is too big to be read', async () => {
  const proxy = await proxyTo((await startTestBackend()).url, {
    limits: { ...fastRetries, bodyBytes: 20_000 },
  });
  const client = await openWebSocket(`${proxy}/v1/responses`);
  client.send(create('x'.repeat(10 * mebibyte)));
  expect((await once(client, 'close'))[0]).toBe(1009);
});

it('tells an official client without a routing hint to use HTTP, too', async () => {
  const backend = await startTestBackend();
  const url = `${await proxyTo(backend.url, { limits })}/v1/responses`;
  const { 'x-codex-routing-hint': _, ...headers } = official();
  const client = await openWebSocket(url, headers);
  client.send(create(large));
  expect((await once(client, 'close'))[0]).toBe(1009);
  expect(backend.turns()).toEqual([]);
  expect((await refusedUpgrade(url, headers)).status).toBe(426);
});

it.each([{}, { 'content-encoding': 'zstd' }])(
  'relays a POST of an official client with 17 MiB and headers %o',
  async (encoding) => {
    const backend = await startTestBackend();
    const text = create(picture, { stream: true, service_tier: 'priority' });
    const body = 'content-encoding' in encoding ? zstdCompressSync(text) : text;
    const response = await fetch(`${await proxyTo(backend.url)}/v1/responses`, {
      method: 'POST',
      headers: { ...official(), ...encoding },
      body,
    });
    expect(await response.text()).toContain('response.completed');
    const [turn] = backend.turns();
    expect(turn).toMatchObject({ service_tier: 'priority' });
    expect(turn).not.toHaveProperty('type');
  },
);

it.each([{}, { 'content-encoding': 'zstd' }])(
  'forwards a POST of an official client unchanged that is too large to be read, with headers %o',
  async (encoding) => {
    const backend = await startTestBackend();
    const proxy = await proxyTo(backend.url, { limits: { ...fastRetries, bodyBytes: 10_000 } });
    const text = create(large, { stream: true });
    const body = 'content-encoding' in encoding ? zstdCompressSync(text) : text;
    const response = await fetch(`${proxy}/backend-api/codex/responses`, {
      method: 'POST',
      headers: { ...official(), ...encoding },
      body,
    });
    expect(await response.text()).toContain('response.completed');
    expect(backend.received[0]?.messages).toEqual([text]);
    expect(backend.received[0]?.headers.flat()).toContain('Bearer the-token');
  },
);

it('forwards other requests of any length', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url, { limits: { ...fastRetries, bodyBytes: 10_000 } });
  const response = await fetch(`${proxy}/backend-api/files`, { method: 'POST', body: large });
  expect(response.status).toBe(200);
  expect(backend.received[0]?.messages).toEqual([large]);
});

it('relays a POST of an official client for as long as that waits', async () => {
  const backend = await startTestBackend({
    post: async (response) => {
      await delay(200);
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      await delay(200);
      response.end(responseEvents('OK').map(sse).join(''));
    },
  });
  const proxy = await proxyTo(backend.url, { limits: { ...fastRetries, firstByte: 50, idle: 50 } });
  const response = await post(`${proxy}/v1/responses`, { ...hello, input: [] }, official());
  expect(await response.text()).toContain('response.completed');
});

const longEvents = responseEvents('y'.repeat(20 * mebibyte));

it.each(['websocket', 'http'])('takes events of more than 16 MiB over %s', async (transport) => {
  const backend = await startTestBackend({
    upgrade: () => (transport === 'http' ? refusedWith('426 Upgrade Required') : undefined),
    message: (socket) => sendAll(socket, longEvents),
    post: (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(longEvents.map(sse).join(''));
    },
  });
  const proxy = await proxyTo(backend.url);
  expect(await readEvents(await post(`${proxy}/v1/responses`, hello))).toEqual(longEvents);
});

it('relays events of more than 16 MiB to an official client', async () => {
  const backend = await startTestBackend({ message: (socket) => sendAll(socket, longEvents) });
  const client = await openWebSocket(`${await proxyTo(backend.url)}/v1/responses`, official());
  client.send(create('hello'));
  expect(await receiveResponse(client)).toEqual(longEvents);
});

it.each([
  ['gzip', gzipSync],
  ['zstd', zstdCompressSync],
] as const)('reads responses over HTTP that are compressed with %s', async (encoding, compress) => {
  let posts = 0;
  const backend = await startTestBackend({
    upgrade: () => refusedWith('426 Upgrade Required'),
    post: (response) => {
      posts += 1;
      const isFirst = posts === 1;
      response.writeHead(isFirst ? 200 : 400, { 'content-encoding': encoding });
      response.end(compress(isFirst ? responseEvents('OK').map(sse).join('') : '{"error":{"code":"x"}}'));
    },
  });
  const proxy = await proxyTo(backend.url);
  expect(await readEvents(await post(`${proxy}/v1/responses`, hello))).toHaveLength(5);
  expect(await (await post(`${proxy}/v1/responses`, hello)).json()).toEqual({ error: { code: 'x' } });
});

it('takes response heads of more than 16 KiB over both transports', async () => {
  const cookie = 'x'.repeat(50_000);
  const backend = await startTestBackend({
    upgrade: () => refusedWith(`426 Upgrade Required\r\nset-cookie: ${cookie}`),
    post: (response) => {
      response.writeHead(200, ['set-cookie', cookie]);
      response.end(responseEvents('OK').map(sse).join(''));
    },
  });
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  expect(await readEvents(response)).toHaveLength(5);
  expect(transports(backend)).toEqual(['websocket', 'http']);
});

/** Runs two turns of each session, each on a connection of its own. Returns the sizes of the second inputs. */
async function resumedInputs(
  sessions: readonly string[],
  historyBytes?: number,
): Promise<(number | undefined)[]> {
  const backend = await startTestBackend({
    message: (socket) => {
      sendAll(socket, responseEvents('OK'));
      socket.close();
    },
  });
  const bounds = historyBytes === undefined ? {} : { historyBytes };
  const proxy = await proxyTo(backend.url, { limits: { ...fastRetries, ...bounds } });
  const turn = async (key: string, input: string, previous?: string) => {
    const request = { model: 'm', input, prompt_cache_key: key, previous_response_id: previous };
    return ((await (await post(`${proxy}/v1/responses`, request)).json()) as { id: string }).id;
  };
  const ids: string[] = [];
  for (const key of sessions) ids.push(await turn(key, 'x'.repeat(2 * mebibyte)));
  for (const [index, key] of sessions.entries()) await turn(key, 'more', ids[index]);
  return backend
    .turns()
    .slice(sessions.length)
    .map(({ input }) => input.length);
}

it('continues a conversation of more than 1 MiB on another connection', async () => {
  expect(await resumedInputs(['a', 'b'])).toEqual([3, 3]);
});

it('forgets the conversations that were used longest ago when all are too long together', async () => {
  expect(await resumedInputs(['a', 'b', 'c'], 5 * mebibyte)).toEqual([1, 3, 3]);
});

/** Begins a POST of an official client that is forwarded as it comes. Returns it before its body is complete. */
function beginUpload(proxy: string): ClientRequest {
  const upload = request(`${proxy}/v1/responses`, {
    method: 'POST',
    headers: { ...official(), 'content-length': String(100 * mebibyte) },
  });
  upload.on('error', () => {});
  upload.write('x'.repeat(mebibyte));
  return upload;
}

it('ends a forwarded request when its client leaves', async () => {
  const uploads = new Set<Socket>();
  const server = createServer();
  server.on('connection', (socket) => {
    uploads.add(socket);
    socket.on('error', () => {}).once('close', () => uploads.delete(socket));
  });
  server.on('request', (message: IncomingMessage) => void message.resume());
  const proxy = await proxyTo(new URL(`http://127.0.0.1:${await listen(server)}/backend-api/codex`));
  const upload = beginUpload(proxy);
  await expect.poll(() => uploads.size).toBe(1);
  upload.destroy();
  await expect.poll(() => uploads.size).toBe(0);
  expect((await fetch(`${proxy}/healthz`)).status).toBe(200);
  server.close();
});

it.each(['refuses', 'cuts off'])('ends when the backend %s a request before it has read it', async (how) => {
  const server = createServer((message, response) => {
    if (how === 'cuts off') return response.destroy();
    message.resume();
    return response.writeHead(413).end('{"error":{"code":"large"}}');
  });
  const proxy = await proxyTo(new URL(`http://127.0.0.1:${await listen(server)}/backend-api/codex`));
  const upload = beginUpload(proxy);
  const [response] = (await once(upload, 'response')) as [IncomingMessage];
  expect(response.statusCode).toBe(how === 'refuses' ? 413 : 502);
  upload.destroy();
  expect((await fetch(`${proxy}/healthz`)).status).toBe(200);
  server.closeAllConnections();
  server.close();
});
