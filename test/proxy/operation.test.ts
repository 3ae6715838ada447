import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, it } from 'vitest';
import { ParityError } from '../../src/errors.ts';
import { lineLogger } from '../../src/proxy/log.ts';
import { startProxy } from '../../src/proxy/server.ts';
import { headerValue } from '../../src/wire/headers.ts';
import {
  fastRetries,
  hello,
  openWebSocket,
  post,
  proxyTo,
  receiveResponse,
  recordLogs,
  responseEvents,
  sendAll,
  sentHeader,
  shape,
  startTestBackend,
  tunnelled,
} from './setup.ts';

const session = '01a20000-0000-7000-8000-000000000001';
const official = {
  originator: 'codex_exec',
  'x-codex-turn-metadata': '{}',
  'session-id': session,
  'x-codex-routing-hint': 'model=m',
};

async function startStoppable(url: URL) {
  return startProxy({
    shape,
    signIn: () => ({ lane: 'chatgpt', websockets: true, accessToken: 'the-token', accountId: 'the-account' }),
    upstream: url,
    port: 0,
    log: lineLogger(() => {}),
  });
}

it('finishes a running turn before it stops, and accepts no other', async () => {
  const held: (() => void)[] = [];
  const backend = await startTestBackend({
    message: (socket) => void held.push(() => sendAll(socket, responseEvents('OK'))),
  });
  const proxy = await startStoppable(backend.url);
  const origin = `http://127.0.0.1:${proxy.port}`;
  const running = post(`${origin}/v1/responses`, hello);
  await expect.poll(() => held.length).toBe(1);
  const stopped = proxy.close({ grace: 5000 });
  await expect(fetch(`${origin}/healthz`)).rejects.toThrow();
  for (const go of held) go();
  expect(await (await running).text()).toContain('response.completed');
  await stopped;
});

it('stops when the client of the last running turn disconnects at its end', async () => {
  const held: (() => void)[] = [];
  const backend = await startTestBackend({
    message: (socket) => void held.push(() => sendAll(socket, responseEvents('OK'))),
  });
  const proxy = await startStoppable(backend.url);
  const client = connect(proxy.port, '127.0.0.1');
  const body = JSON.stringify(hello);
  client.write(
    `POST /v1/responses HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  await expect.poll(() => held.length).toBe(1);
  const stopped = proxy.close({ grace: 5000 });
  for (const go of held) go();
  client.resume();
  await once(client, 'close');
  await stopped;
});

it.each([
  { client: 'an official client', headers: official, deflate: false },
  { client: 'a tunnelled client', headers: tunnelled, deflate: false },
  { client: 'a tunnelled client that compresses', headers: tunnelled, deflate: true },
])('finishes the running turn of $client before it stops', async ({ headers, deflate }) => {
  const held: (() => void)[] = [];
  const backend = await startTestBackend({
    message: (socket) => void held.push(() => sendAll(socket, responseEvents('OK'))),
    deflate,
  });
  const proxy = await startStoppable(backend.url);
  const client = await openWebSocket(`http://127.0.0.1:${proxy.port}/v1/responses`, headers);
  client.send('{"type":"response.create","model":"m","input":[]}');
  await expect.poll(() => held.length).toBe(1);
  const [answered, closed] = [receiveResponse(client), once(client, 'close')];
  const begun = Date.now();
  const stopped = proxy.close({ grace: 5000 });
  for (const go of held) go();
  expect((await answered).at(-1)).toContain('response.completed');
  await closed;
  await stopped;
  expect(Date.now() - begun).toBeLessThan(4000);
});

it('stops when the grace time is over', async () => {
  const backend = await startTestBackend({ message: () => {} });
  const proxy = await startStoppable(backend.url);
  const running = post(`http://127.0.0.1:${proxy.port}/v1/responses`, hello);
  await expect.poll(() => backend.turns().length).toBe(1);
  await proxy.close({ grace: 50 });
  expect((await running).status).toBe(503);
});

it('stops at once when no turn runs, even with clients connected', async () => {
  const backend = await startTestBackend();
  const proxy = await startStoppable(backend.url);
  const client = await openWebSocket(`http://127.0.0.1:${proxy.port}/v1/responses`);
  const left = once(client, 'close');
  const begun = Date.now();
  await proxy.close({ grace: 60_000 });
  await left;
  expect(Date.now() - begun).toBeLessThan(5000);
});

it('serves metrics in the format of Prometheus', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url);
  await (await post(`${proxy}/v1/responses`, hello)).text();
  await post(`${proxy}/v1/responses`, { ...hello, service_tier: 'turbo' });
  const text = await (await fetch(`${proxy}/metrics`)).text();
  expect(text).toContain('# TYPE codex_parity_proxy_turns_total counter\n');
  expect(text).toContain('codex_parity_proxy_turns_total{ending="response.completed"} 1\n');
  expect(text).toContain('codex_parity_proxy_refusals_total{code="invalid_value"} 1\n');
  expect(text).toContain('codex_parity_proxy_upstream_connections_total{transport="websocket"} 1\n');
  expect(text).toContain('codex_parity_proxy_sessions 1\n');
});

it('logs no token and no text of a conversation when requests fail', async () => {
  const { log, lines } = recordLogs();
  let turns = 0;
  const backend = await startTestBackend({
    upgrade: (n) => (n === 1 ? 'HTTP/1.1 500 x\r\ncontent-length: 6\r\n\r\nsecret' : undefined),
    message: (socket) => {
      turns += 1;
      if (turns === 1) socket.terminate();
      else sendAll(socket, responseEvents('secret'));
    },
    post: (response) => response.destroy(),
  });
  const proxy = await proxyTo(backend.url, {
    log,
    signIn: () => ({
      lane: 'chatgpt',
      websockets: true,
      accessToken: 'secret-token',
      accountId: 'secret-account',
    }),
  });
  const headers = { authorization: 'Bearer secret-key' };
  const request = {
    ...hello,
    instructions: 'secret',
    input: 'secret',
    temperature: 1,
    prompt_cache_key: 'secret',
  };
  await (await post(`${proxy}/v1/responses`, request, headers)).text();
  await post(`${proxy}/v1/responses`, '{"secret', headers);
  const relayed = {
    ...headers,
    originator: 'codex_exec',
    'x-codex-turn-metadata': '{}',
    'session-id': session,
  };
  await post(`${proxy}/v1/responses`, request, relayed).catch(() => {});
  await fetch(`${proxy}/secret?token=secret`, { headers });
  expect(lines.length).toBeGreaterThan(2);
  expect(lines.join('\n')).not.toContain('secret');
});

it('responds with 502 when the backend disconnects instead of responding to a relayed POST', async () => {
  const backend = await startTestBackend({ post: (response) => response.destroy() });
  const proxy = await proxyTo(backend.url);
  const response = await post(`${proxy}/v1/responses`, hello, official);
  expect(response.status).toBe(502);
  expect((await fetch(`${proxy}/healthz`)).status).toBe(200);
});

it("relays an official client's POST as a POST in the golden's shape", async () => {
  const backend = await startTestBackend();
  const clientHeaders = {
    ...official,
    'x-codex-parent-thread-id': session,
    'user-agent': 'codex_vscode/0.169.0 (x) y',
  };
  const proxy = await proxyTo(backend.url);
  const response = await post(`${proxy}/v1/responses`, hello, {
    ...clientHeaders,
    originator: 'codex_vscode',
  });
  expect(await response.text()).toContain('response.completed');
  expect(await (await fetch(`${proxy}/metrics`)).text()).toContain(
    'codex_parity_proxy_upstream_connections_total{transport="http"} 1\n',
  );
  expect(backend.received.map(({ target }) => target)).toEqual(['POST /backend-api/codex/responses']);
  const [{ headers } = { headers: [] }] = backend.received;
  expect(headerValue(headers, 'originator')).toBe('codex_vscode');
  expect(headerValue(headers, 'authorization')).toBe('Bearer the-token');
  expect(headerValue(headers, 'x-openai-account-routing-override')).toBe('us');
  expect(headers.map(([name]) => name).slice(-2)).toEqual(['host', 'content-length']);
});

it("forwards the backend's response to an official client's POST unchanged", async () => {
  const backend = await startTestBackend({
    post: (response) => {
      response.writeHead(429, { 'retry-after': '3', 'X-Reason': 'y', 'content-type': 'application/json' });
      response.end('{"error": {"code":"usage_limit_reached"} }');
    },
  });
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello, official);
  expect([response.status, response.headers.get('retry-after'), response.headers.get('x-reason')]).toEqual([
    429,
    '3',
    'y',
  ]);
  expect(await response.text()).toBe('{"error": {"code":"usage_limit_reached"} }');
});

it("cuts an official client's stream off when the backend's breaks off", async () => {
  const backend = await startTestBackend({
    post: (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('event: response.created\ndata: {"type":"response.created"}\n\n', () =>
        response.destroy(),
      );
    },
  });
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello, official);
  expect(response.status).toBe(200);
  await expect(response.text()).rejects.toThrow();
});

it('forwards other paths of the backend unchanged but for the sign-in', async () => {
  const backend = await startTestBackend({
    post: (response) => {
      response.writeHead(207, { 'X-Answer': 'yes' });
      response.end('body');
    },
  });
  const response = await fetch(`${await proxyTo(backend.url)}/backend-api/wham/usage?a=b`, {
    method: 'PUT',
    headers: { authorization: 'Bearer of-the-client', 'x-kept': 'kept' },
    body: 'a body',
  });
  expect([response.status, response.headers.get('x-answer'), await response.text()]).toEqual([
    207,
    'yes',
    'body',
  ]);
  const [request] = backend.received;
  expect([request?.target, request?.messages]).toEqual(['PUT /backend-api/wham/usage?a=b', ['a body']]);
  const sent = (name: string) => headerValue(request?.headers ?? [], name);
  expect(sent('authorization')).toBe('Bearer the-token');
  expect(sent('chatgpt-account-id')).toBe('the-account');
  expect(sent('x-kept')).toBe('kept');
  expect(sent('host')).toBe(backend.url.host);
});

it.each([
  { account: 'of a government agency', fedramp: { fedramp: true } as const, expected: 'true' },
  { account: 'of nobody special', fedramp: {}, expected: undefined },
])(
  'states in forwarded requests that its account is $account, not that of the client',
  async ({ fedramp, expected }) => {
    const backend = await startTestBackend();
    const proxy = await proxyTo(backend.url, {
      signIn: () => ({ lane: 'chatgpt', websockets: true, accessToken: 't', accountId: 'a', ...fedramp }),
    });
    for (const headers of [{}, { 'x-openai-fedramp': 'of-the-client' }]) {
      await fetch(`${proxy}/backend-api/wham/usage`, { headers });
    }
    expect(backend.received.map((_, at) => sentHeader(backend, at, 'x-openai-fedramp'))).toEqual([
      expected,
      expected,
    ]);
  },
);

it("lists models in OpenAI's form, and in the backend's form for the official client", async () => {
  const backend = await startTestBackend({
    post: (response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end('{"models":[{"slug":"gpt-5.4","x":1},{"slug":"gpt-6"}]}');
    },
  });
  const proxy = await proxyTo(backend.url);
  const listed = await (await fetch(`${proxy}/v1/models`)).json();
  expect(listed).toMatchObject({
    object: 'list',
    data: [{ id: 'gpt-5.4', object: 'model' }, { id: 'gpt-6' }],
  });
  const unchanged = await fetch(`${proxy}/v1/models?client_version=0.169.0`);
  expect(await unchanged.json()).toEqual({ models: [{ slug: 'gpt-5.4', x: 1 }, { slug: 'gpt-6' }] });
  expect(backend.received.map(({ target }) => target)).toEqual(
    Array(2).fill('GET /backend-api/codex/models?client_version=0.169.0'),
  );
});

it('responds with 502 when the backend does not respond in time', async () => {
  const backend = await startTestBackend({ message: () => {}, post: () => {} });
  const limits = { ...fastRetries, retries: [0], firstByte: 30 };
  const proxy = await proxyTo(backend.url, { limits });
  const response = await post(`${proxy}/v1/responses`, hello);
  expect(response.status).toBe(502);
});

it('responds with what to do about an unusable sign-in', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url, {
    signIn: () => Promise.reject(new ParityError('bad-sign-in', 'run "codex login"')),
  });
  for (const headers of [{}, official]) {
    const response = await post(`${proxy}/v1/responses`, hello, headers);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      error: { code: 'bad_sign_in', message: 'run "codex login"' },
    });
  }
  expect(backend.received).toEqual([]);
});

it('uses HTTP with a sign-in that does not allow websockets', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url, {
    signIn: () => ({
      lane: 'chatgpt',
      websockets: false,
      accessToken: 'the-token',
      accountId: 'the-account',
    }),
  });
  expect(await (await post(`${proxy}/v1/responses`, hello)).text()).toContain('response.completed');
  expect(backend.received.map(({ transport }) => transport)).toEqual(['http']);
});
