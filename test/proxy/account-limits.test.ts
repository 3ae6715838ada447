import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type IncomingMessage, request, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import { Accounts } from '../../src/proxy/sign-in/accounts.ts';
import { headerValue } from '../../src/wire/headers.ts';
import {
  hello,
  openWebSocket,
  post,
  proxyTo,
  type ReceivedRequest,
  receiveResponse,
  refusedUpgrade,
  refusedWith,
  responseEvents,
  sendAll,
  sentHeader,
  sse,
  startTestBackend,
  type TestBackend,
  tunnelled,
  user,
} from './setup.ts';
import { endpointAt, temporaryFolder, token } from './sign-in/endpoint.ts';

/** What the backend says about accounts whose limit is reached, by account. */
type Limits = Record<string, object>;

const usageLimit = (seconds: number) => ({
  type: 'usage_limit_reached',
  message: 'The usage limit has been reached',
  plan_type: 'pro',
  resets_at: 1_700_000_000,
  resets_in_seconds: seconds,
});

/** In which form a backend reports a limit. */
const forms = [
  'a refused upgrade',
  'a refused prewarm',
  'an error frame',
  'a failed response',
  'HTTP',
  'a failed response over HTTP',
] as const;
type Form = (typeof forms)[number];

const failed = (error: object) =>
  JSON.stringify({ type: 'response.failed', response: { id: 'resp_x', status: 'failed', error } });

/** Starts a backend for which some accounts have reached their limit. `limits` may change. */
async function startLimited(form: Form, limits: Limits, deflate = false) {
  const limitOf = (request: ReceivedRequest | IncomingMessage): object | undefined => {
    const id = Array.isArray(request.headers)
      ? headerValue(request.headers, 'chatgpt-account-id')
      : (request.headers as Record<string, string>)['chatgpt-account-id'];
    return limits[id ?? ''];
  };
  const json = (error: object) => JSON.stringify({ error });
  return startTestBackend({
    deflate,
    upgrade: (_, request) => {
      if (form.endsWith('HTTP')) return refusedWith('426 Upgrade Required');
      const error = limitOf(request);
      if (error === undefined || form !== 'a refused upgrade') return undefined;
      const body = json(error);
      return `HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    },
    prewarm: (socket: WebSocket, request) => {
      const error = form === 'a refused prewarm' ? limitOf(request) : undefined;
      if (error === undefined) sendAll(socket, responseEvents('', 'resp_warm'));
      else socket.send(JSON.stringify({ type: 'error', status: 429, error }));
    },
    message: (socket: WebSocket, _, request) => {
      const error = limitOf(request);
      if (error === undefined) sendAll(socket, responseEvents('OK'));
      else if (form === 'a failed response') sendAll(socket, [failed(error)]);
      else socket.send(JSON.stringify({ type: 'error', status: 429, error }));
    },
    post: (response: ServerResponse, _, request) => {
      const error = limitOf(request);
      const events = error === undefined ? responseEvents('OK') : [failed(error)];
      if (error !== undefined && form === 'HTTP') {
        response.writeHead(429, { 'content-type': 'application/json' }).end(json(error));
      } else {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).end(events.map(sse).join(''));
      }
    },
  });
}

/** Starts a proxy with a folder of accounts. */
function proxyWith(backend: TestBackend, accounts: readonly string[]): Promise<string> {
  const folder = temporaryFolder();
  for (const name of accounts) {
    const file = { type: 'codex', access_token: token(3600, name), refresh_token: 'r', account_id: name };
    writeFileSync(join(folder, `${name}.json`), JSON.stringify(file));
  }
  const source = new Accounts(folder, endpointAt(1));
  return proxyTo(backend.url, {
    signIn: (session) => source.signIn(session),
    renew: (session, refused) => source.renew(session, refused),
    accounts: source,
  });
}

/** The accounts that requests for responses were made for, in order. Repetitions and prewarms count once. */
function accountsOf({ received }: TestBackend): string[] {
  const all = received.map(({ headers }) => headerValue(headers, 'chatgpt-account-id') ?? '');
  return all.filter((account, index) => account !== all[index - 1]);
}

const conversation = (input: string, key: string) => ({ model: 'm', input, prompt_cache_key: key });

it.each(forms)(
  'sends a request again for an account that can serve it, and keeps it for the next session: %s',
  async (form) => {
    const backend = await startLimited(form, { a: usageLimit(3600), b: usageLimit(60) });
    const proxy = await proxyWith(backend, ['a', 'b', 'c']);
    for (const key of ['1', '2', '3', '4']) {
      const response = await post(`${proxy}/v1/responses`, conversation('hello', key));
      expect(response.status).toBe(200);
    }
    const asked = accountsOf(backend);
    expect(asked.filter((account) => account !== 'c').sort()).toEqual(['a', 'b']);
    expect(asked.at(-1)).toBe('c');
  },
);

it.each(forms)('reports the soonest reset when no account can serve a request: %s', async (form) => {
  const limits = { a: usageLimit(60), b: usageLimit(3600), c: usageLimit(7200) };
  const backend = await startLimited(form, limits);
  const proxy = await proxyWith(backend, ['a', 'b', 'c']);
  for (const key of ['1', '2']) {
    const response = await post(`${proxy}/v1/responses`, conversation('hello', key));
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '60']);
    expect(await response.json()).toMatchObject({ error: { ...usageLimit(60), plan_type: 'pro' } });
  }
  // The first session asks the account that is reset first once more, the second one only that.
  const asked = accountsOf(backend);
  expect([asked.slice(0, 3).sort(), asked.slice(3)]).toEqual([['a', 'b', 'c'], ['a']]);
  const chat = { model: 'm', messages: [{ role: 'user', content: 'hello' }], stream: true };
  const streamed = await post(`${proxy}/v1/chat/completions`, chat);
  expect([streamed.status, streamed.headers.get('retry-after')]).toEqual([429, '60']);
});

it('states the reset in the error frame for a websocket, too', async () => {
  const backend = await startLimited('an error frame', { a: usageLimit(60), b: usageLimit(90) });
  const client = await openWebSocket(`${await proxyWith(backend, ['a', 'b'])}/v1/responses`);
  const response = receiveResponse(client);
  client.send(JSON.stringify({ type: 'response.create', model: 'm', input: 'hello' }));
  expect((await response).map((event) => JSON.parse(event))).toEqual([
    { type: 'error', status: 429, error: usageLimit(60), headers: { 'retry-after': '60' } },
  ]);
});

it.each([
  { type: 'usage_not_included', message: 'x' },
  { type: 'insufficient_quota', code: 'insufficient_quota', message: 'x' },
  { type: 'usage_limit_reached', message: 'x' },
])('uses another account after $type without a time', async (error) => {
  const backend = await startLimited('HTTP', { a: error });
  const proxy = await proxyWith(backend, ['a', 'b']);
  for (const key of ['1', '2', '3']) {
    expect((await post(`${proxy}/v1/responses`, conversation('hello', key))).status).toBe(200);
  }
  expect(accountsOf(backend)).toEqual(['a', 'b']);
});

it('uses another account when the workspace of one is closed', async () => {
  const backend = await startTestBackend({
    upgrade: (_, { headers }) => {
      const body = '{"detail":{"code":"deactivated_workspace"}}';
      if (headers['chatgpt-account-id'] !== 'a') return undefined;
      return `HTTP/1.1 402 Payment Required\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    },
  });
  const proxy = await proxyWith(backend, ['a', 'b']);
  expect((await post(`${proxy}/v1/responses`, conversation('hello', '1'))).status).toBe(200);
  expect(accountsOf(backend)).toEqual(['a', 'b']);
});

it('does not change the account after an error that is not about it', async () => {
  const backend = await startLimited('HTTP', { a: { code: 'rate_limit_exceeded', message: 'x' } });
  const proxy = await proxyWith(backend, ['a', 'b']);
  expect((await post(`${proxy}/v1/responses`, conversation('hello', '1'))).status).toBe(429);
  expect(accountsOf(backend)).toEqual(['a']);
});

/** Reasoning that only the account can read that it was made for. */
const reasoning = { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'gAAA' };
const answer = { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'OK' }] };

it.each([
  ['keeps', 'encrypted reasoning', [user('a'), reasoning, answer, user('b')], 429, ['a']],
  ['leaves', 'text only', [user('a'), answer, user('b')], 200, ['a', 'b']],
] as const)('%s the account of a running session with %s', async (_, __, input, status, accounts) => {
  const limits: Limits = {};
  const backend = await startLimited('an error frame', limits);
  const proxy = await proxyWith(backend, ['a', 'b']);
  await post(`${proxy}/v1/responses`, conversation('a', '1'));
  limits.a = usageLimit(60);
  const response = await post(`${proxy}/v1/responses`, { model: 'm', input, prompt_cache_key: '1' });
  expect(response.status).toBe(status);
  expect(accountsOf(backend)).toEqual(accounts);
  expect(response.headers.get('retry-after')).toBe(status === 429 ? '60' : null);
});

it('sends the whole conversation when a session that continues from a response changes its account', async () => {
  const limits: Limits = {};
  const backend = await startLimited('an error frame', limits);
  const proxy = await proxyWith(backend, ['a', 'b']);
  const first = (await (await post(`${proxy}/v1/responses`, conversation('a', '1'))).json()) as {
    id: string;
  };
  limits.a = usageLimit(60);
  const request = { ...conversation('b', '1'), previous_response_id: first.id };
  expect((await post(`${proxy}/v1/responses`, request)).status).toBe(200);
  expect(accountsOf(backend)).toEqual(['a', 'b']);
  expect(backend.turns().at(-1)?.input).toHaveLength(3);
  expect(backend.turns().at(-1)).not.toHaveProperty('previous_response_id');
});

it('reports a limit within a stream that has begun, and changes the account for the next request', async () => {
  const limits: Limits = { a: usageLimit(60) };
  const backend = await startTestBackend({
    message: (socket, _, { headers }) => {
      const error = limits[headerValue(headers, 'chatgpt-account-id') ?? ''];
      const [created = '', ...rest] = responseEvents('OK');
      sendAll(socket, [created, ...(error === undefined ? rest : [failed(error)])]);
    },
  });
  const proxy = await proxyWith(backend, ['a', 'b']);
  expect(await (await post(`${proxy}/v1/responses`, hello)).text()).toContain('usage_limit_reached');
  expect(await (await post(`${proxy}/v1/responses`, hello)).text()).toContain('response.completed');
  expect(accountsOf(backend)).toEqual(['a', 'b']);
});

const official = {
  'session-id': '01a20000-0000-7000-8000-000000000001',
  originator: 'codex_exec',
  'x-codex-turn-metadata': '{}',
  'x-codex-routing-hint': 'model=m',
};
const create = (more = {}) =>
  JSON.stringify({ type: 'response.create', model: 'm', input: [user('hello')], ...more });

it.each([
  { client: 'an official client', headers: official },
  { client: 'an official client that is tunnelled', headers: tunnelled },
])('makes the refused upgrade of $client for another account', async ({ headers }) => {
  const backend = await startLimited('a refused upgrade', { a: usageLimit(60) });
  const client = await openWebSocket(`${await proxyWith(backend, ['a', 'b'])}/v1/responses`, headers);
  client.send(create());
  expect((await receiveResponse(client)).at(-1)).toContain('response.completed');
  expect(accountsOf(backend)).toEqual(['a', 'b']);
});

it('refuses the upgrade of an official client with the soonest reset', async () => {
  const backend = await startLimited('a refused upgrade', { a: usageLimit(60), b: usageLimit(90) });
  const refusal = await refusedUpgrade(`${await proxyWith(backend, ['a', 'b'])}/v1/responses`, official);
  expect([refusal.status, JSON.parse(refusal.body)]).toEqual([429, { error: usageLimit(60) }]);
});

const officialClients = [
  { client: 'an official client', headers: official, deflate: false },
  { client: 'an official client that is tunnelled', headers: tunnelled, deflate: false },
  { client: 'an official client that is tunnelled and compresses', headers: tunnelled, deflate: true },
];

it.each(
  (['an error frame', 'a failed response'] as const).flatMap((form) =>
    officialClients.map((client) => ({ form, ...client })),
  ),
)(
  'passes $form on to $client, and uses another account for its next request, unless it was served',
  async ({ form, headers, deflate }) => {
    const limits: Limits = { a: usageLimit(60) };
    const backend = await startLimited(form, limits, deflate);
    const url = `${await proxyWith(backend, ['a', 'b'])}/v1/responses`;
    const first = await openWebSocket(url, headers);
    const closed = new Promise((resolve) => first.once('close', resolve));
    first.send(create({ generate: false }));
    await receiveResponse(first);
    first.send(create());
    expect((await receiveResponse(first)).at(-1)).toContain('usage_limit_reached');
    expect(await closed).toBe(1000);
    const second = await openWebSocket(url, headers);
    second.send(create());
    expect((await receiveResponse(second)).at(-1)).toContain('response.completed');
    Object.assign(limits, { a: undefined, b: usageLimit(60) });
    second.send(create());
    expect((await receiveResponse(second)).at(-1)).toContain('usage_limit_reached');
    second.close();
    const third = await openWebSocket(url, headers);
    third.send(create());
    expect((await receiveResponse(third)).at(-1)).toContain('usage_limit_reached');
    expect(accountsOf(backend)).toEqual(['a', 'b']);
  },
);

it.each([
  { client: 'an official client', headers: official },
  { client: 'an official client that is tunnelled', headers: { ...tunnelled, version: '0.1.0' } },
])('makes the POST of $client for another account, and passes the soonest reset on', async ({ headers }) => {
  const limits: Limits = { a: usageLimit(60) };
  const backend = await startLimited('HTTP', limits);
  const url = `${await proxyWith(backend, ['a', 'b'])}/v1/responses`;
  const request = { model: 'm', input: [user('hello')], stream: true };
  expect(await (await post(url, request, headers)).text()).toContain('response.completed');
  expect(accountsOf(backend)).toEqual(['a', 'b']);
  limits.b = usageLimit(90);
  // The session was served, so it stays.
  expect(await (await post(url, request, headers)).json()).toEqual({ error: usageLimit(90) });
  const other = { ...headers, 'session-id': '01a20000-0000-7000-8000-000000000002' };
  const refusal = await post(url, request, other);
  expect([refusal.status, await refusal.json()]).toEqual([429, { error: usageLimit(60) }]);
});

it('uses another account after a failed response over HTTP of an official client', async () => {
  const backend = await startLimited('a failed response over HTTP', { a: usageLimit(60) });
  const url = `${await proxyWith(backend, ['a', 'b'])}/v1/responses`;
  const request = { model: 'm', input: [user('hello')], stream: true };
  expect(await (await post(url, request, official)).text()).toContain('usage_limit_reached');
  expect(await (await post(url, request, official)).text()).toContain('response.completed');
  expect(sentHeader(backend, 1, 'chatgpt-account-id')).toBe('b');
});

it('watches compressed responses, and passes those on that cannot be decompressed', async () => {
  let posts = 0;
  const backend = await startTestBackend({
    post: (response, _, request) => {
      posts += 1;
      const events =
        request.headers['chatgpt-account-id'] === 'a' ? [failed(usageLimit(60))] : responseEvents('OK');
      response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' });
      response.end(posts === 1 ? 'not gzip' : gzipSync(events.map(sse).join('')));
    },
  });
  const url = `${await proxyWith(backend, ['a', 'b'])}/v1/responses`;
  const body = JSON.stringify({ model: 'm', input: [user('hello')], stream: true });
  const send = async () => {
    // Node's fetch would decompress the response.
    const sent = request(url, { method: 'POST', headers: official }).end(body);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    return buffer(response);
  };
  expect(String(await send())).toBe('not gzip');
  expect(String(gunzipSync(await send()))).toContain('usage_limit_reached');
  // The limit is read from a copy of the response, maybe after the client has the end of it.
  await expect.poll(async () => String(gunzipSync(await send()))).toContain('response.completed');
});

it("compacts a program's conversation with the account of its session", async () => {
  const backend = await startTestBackend();
  const proxy = await proxyWith(backend, ['a', 'b']);
  for (const path of ['responses', 'responses/compact', 'responses/compact']) {
    await (await post(`${proxy}/v1/${path}`, conversation('hello', '1'))).text();
  }
  expect(accountsOf(backend)).toEqual(['a']);
});

it('changes nothing about the error of a single sign-in', async () => {
  const backend = await startLimited('an error frame', { 'the-account': usageLimit(60) });
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  expect([response.status, response.headers.get('retry-after')]).toEqual([429, null]);
  expect(await response.json()).toEqual({ error: usageLimit(60) });
  expect(backend.turns()).toHaveLength(1);
});
