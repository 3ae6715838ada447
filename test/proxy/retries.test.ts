import { expect, it } from 'vitest';
import type { ProxyOptions } from '../../src/proxy/server.ts';
import {
  errorFrame,
  fastRetries,
  hello,
  noResponse,
  post,
  proxyTo,
  readEvents,
  recordLogs,
  refusedWith,
  responseEvents,
  sendAll,
  sentHeader,
  sse,
  startTestBackend,
  user,
} from './setup.ts';

it('retries on a new connection without a prewarm when one breaks before it responds', async () => {
  let turns = 0;
  const backend = await startTestBackend({
    message: (socket) => {
      turns += 1;
      if (turns === 1) socket.terminate();
      else sendAll(socket, responseEvents('OK'));
    },
  });
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  expect(await response.text()).toContain('response.completed');
  expect(backend.received.map(({ messages }) => messages.length)).toEqual([2, 1]);
  expect(backend.turns()[1]).not.toHaveProperty('previous_response_id');
});

it('retries on a new connection after websocket_connection_limit_reached', async () => {
  let turns = 0;
  const limit =
    '{"type":"error","status":400,"error":{"type":"invalid_request_error","code":"websocket_connection_limit_reached","message":"x"}}';
  const backend = await startTestBackend({
    message: (socket) => {
      turns += 1;
      sendAll(socket, turns === 1 ? [limit] : responseEvents('OK'));
    },
  });
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  const text = await response.text();
  expect(text).toContain('response.completed');
  expect(text).not.toContain('websocket_connection_limit_reached');
  expect(backend.received).toHaveLength(2);
});

it.each([401, 409, 500, 503, 529])(
  'retries on a new connection without a prewarm after an error frame of %d',
  async (status) => {
    let turns = 0;
    const backend = await startTestBackend({
      message: (socket) => {
        turns += 1;
        sendAll(socket, turns === 1 ? [errorFrame(status, 'x')] : responseEvents('OK'));
      },
    });
    const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
    expect(await readEvents(response)).toHaveLength(responseEvents('OK').length);
    expect(backend.received.map(({ messages }) => messages.length)).toEqual([2, 1]);
    expect(backend.turns()[1]).not.toHaveProperty('previous_response_id');
  },
);

it.each([
  [400, 'invalid_value'],
  [403, 'forbidden'],
  [404, 'model_not_found'],
  [422, 'x'],
  [429, 'rate_limit_exceeded'],
  [503, 'server_is_overloaded'],
])('does not retry after an error frame of %d with %s', async (status, code) => {
  const backend = await startTestBackend({
    message: (socket) => sendAll(socket, [errorFrame(status, code)]),
  });
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  expect(response.status).toBe(status);
  expect(await response.json()).toMatchObject({ error: { code, message: 'this went wrong' } });
  expect(backend.received).toHaveLength(1);
});

it('reports an error frame that stays, and does not take the websocket for failed', async () => {
  let fails = true;
  const backend = await startTestBackend({
    message: (socket) => sendAll(socket, fails ? [errorFrame(500, 'server_error')] : responseEvents('OK')),
  });
  const proxy = await proxyTo(backend.url);
  const response = await post(`${proxy}/v1/responses`, hello);
  expect([response.status, await response.json()]).toMatchObject([500, { error: { code: 'server_error' } }]);
  expect(backend.received.map(({ transport }) => transport)).toEqual(Array(4).fill('websocket'));
  fails = false;
  expect(await (await post(`${proxy}/v1/responses`, hello)).text()).toContain('response.completed');
  expect(backend.received.at(-1)?.transport).toBe('websocket');
});

it('changes to HTTP after six connections were lost, and tries the websocket again in the next conversation', async () => {
  let fails = true;
  const backend = await startTestBackend({
    message: (socket) => (fails ? socket.terminate() : sendAll(socket, responseEvents('OK'))),
  });
  const proxy = await proxyTo(backend.url);
  const transports = () => backend.received.map(({ transport }) => transport);
  expect(await (await post(`${proxy}/v1/responses`, hello)).text()).toContain('response.completed');
  expect(transports()).toEqual([...Array(6).fill('websocket'), 'http']);
  fails = false;
  const goesOn = [user('hello'), { type: 'message', role: 'assistant', content: [] }, user('more')];
  await (await post(`${proxy}/v1/responses`, { ...hello, input: goesOn })).text();
  expect(transports().at(-1)).toBe('http');
  await (await post(`${proxy}/v1/responses`, hello)).text();
  expect(transports().at(-1)).toBe('websocket');
});

it('does not count a failed prewarm as an attempt', async () => {
  let prewarms = 0;
  const backend = await startTestBackend({
    prewarm: (socket) => {
      prewarms += 1;
      socket.terminate();
    },
    message: (socket) => socket.terminate(),
  });
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  expect(await response.text()).toContain('response.completed');
  expect(prewarms).toBe(1);
  expect(backend.turns()).toHaveLength(7);
});

type FailedPost = number | { readonly status: number; readonly code?: string; readonly retryAfter?: string };

/** A backend that refuses upgrades, and whose first POSTs fail like this. Status 0 is no response. */
const overHttp = (failures: readonly FailedPost[], upgrade = '426 Upgrade Required') => {
  const left = [...failures];
  return startTestBackend({
    upgrade: () => refusedWith(upgrade),
    post: (response) => {
      const failure = left.shift() ?? 200;
      const {
        status,
        code = 'x',
        retryAfter = undefined,
      } = typeof failure === 'number' ? { status: failure } : failure;
      if (status === 0) {
        response.destroy();
        return;
      }
      const isError = status !== 200;
      response.writeHead(status, {
        'content-type': isError ? 'application/json' : 'text/event-stream',
        ...(retryAfter === undefined ? {} : { 'retry-after': retryAfter }),
      });
      response.end(isError ? `{"error":{"code":"${code}"}}` : responseEvents('OK').map(sse).join(''));
    },
  });
};

const limitReached = { status: 429, code: 'usage_limit_reached', retryAfter: '17' };

it('retries over HTTP when an error response never ends', async () => {
  let posts = 0;
  const backend = await startTestBackend({
    upgrade: () => refusedWith('426 Upgrade Required'),
    post: (response) => {
      posts += 1;
      if (posts === 2) {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.end(responseEvents('OK').map(sse).join(''));
        return;
      }
      response.writeHead(500, { 'content-type': 'application/json' });
      response.write('{"error":');
    },
  });
  const proxy = await proxyTo(backend.url, { limits: { ...fastRetries, idle: 100 } });
  const response = await post(`${proxy}/v1/responses`, hello);
  expect(await readEvents(response)).toHaveLength(responseEvents('OK').length);
  expect(posts).toBe(2);
});

it.each([401, 408, 409, 425, 500, 502, 503, 504, 529])('retries over HTTP after %d', async (status) => {
  const backend = await overHttp([status]);
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  expect(await readEvents(response)).toHaveLength(responseEvents('OK').length);
  expect(backend.received.map(({ transport }) => transport)).toEqual(['websocket', 'http', 'http']);
});

it.each([undefined, 'application/json', 'Text/Event-Stream'])(
  'reads the events of a response with the content type %s',
  async (type) => {
    const backend = await startTestBackend({
      upgrade: () => refusedWith('426 Upgrade Required'),
      post: (response) => {
        response.writeHead(200, type === undefined ? {} : { 'content-type': type });
        response.end(responseEvents('Hello').map(sse).join(''));
      },
    });
    const proxy = await proxyTo(backend.url);
    const whole = await post(`${proxy}/v1/responses`, { ...hello, stream: false });
    expect(await whole.json()).toMatchObject({ output: [{ content: [{ text: 'Hello' }] }] });
    const chat = { model: 'm', messages: [{ role: 'user', content: 'hello' }] };
    expect(await (await post(`${proxy}/v1/chat/completions`, chat)).json()).toMatchObject({
      choices: [{ message: { content: 'Hello' } }],
    });
    expect(backend.turns()).toHaveLength(2);
  },
);

it('retries over HTTP when a response is not a stream of events', async () => {
  let posts = 0;
  const backend = await startTestBackend({
    upgrade: () => refusedWith('426 Upgrade Required'),
    post: (response) => {
      posts += 1;
      const isStream = posts > 1;
      response.writeHead(200, { 'content-type': isStream ? 'text/event-stream' : 'application/json' });
      response.end(isStream ? responseEvents('OK').map(sse).join('') : '{}');
    },
  });
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  expect(await readEvents(response)).toHaveLength(responseEvents('OK').length);
});

it.each([
  ['403 Forbidden', 1],
  ['404 Not Found', 1],
  ['500 Internal Server Error', 4],
] as const)('forwards an error over HTTP after upgrades were refused with %s', async (upgrade, upgrades) => {
  const backend = await overHttp([limitReached], upgrade);
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  expect([response.status, response.headers.get('retry-after')]).toEqual([429, '17']);
  expect(backend.received.map(({ transport }) => transport)).toEqual([
    ...Array(upgrades).fill('websocket'),
    'http',
  ]);
});

const overloaded = { status: 503, code: 'server_is_overloaded' };

it.each<{ after: string; failures: FailedPost[]; posts: number }>([
  { after: '400', failures: [400], posts: 1 },
  { after: '429', failures: [429], posts: 1 },
  { after: 'a limit that is reached', failures: [limitReached], posts: 1 },
  { after: 'a plan without it', failures: [{ ...limitReached, code: 'usage_not_included' }], posts: 1 },
  { after: 'a quota that is used up', failures: [{ ...limitReached, code: 'insufficient_quota' }], posts: 1 },
  { after: '500 with a pause of an hour', failures: [{ status: 500, retryAfter: '3600' }], posts: 1 },
  { after: '500 and 429', failures: [500, 429], posts: 2 },
  { after: '404', failures: [404], posts: 1 },
  { after: '403', failures: [403], posts: 1 },
  { after: '422', failures: [422], posts: 1 },
  { after: '429 with a pause', failures: Array(4).fill({ status: 429, retryAfter: '0' }), posts: 4 },
  { after: '500 with a pause of six seconds', failures: [{ status: 500, retryAfter: '6' }], posts: 1 },
  { after: 'a model that is overloaded', failures: [overloaded], posts: 1 },
  { after: 'the same with a pause', failures: Array(4).fill({ ...overloaded, retryAfter: '0' }), posts: 4 },
  { after: '500', failures: Array(4).fill(500), posts: 4 },
  { after: '500 and 404', failures: [500, 500, 404], posts: 3 },
])('sends $posts POSTs after $after, and forwards the last response', async ({ failures, posts }) => {
  const backend = await overHttp(failures);
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  const last = failures.at(-1) ?? 0;
  expect(response.status).toBe(typeof last === 'number' ? last : last.status);
  expect(await response.json()).toMatchObject({ error: {} });
  expect(backend.turns()).toHaveLength(posts);
});

it('sends four POSTs when none receives a response', async () => {
  const backend = await overHttp(Array(4).fill(0));
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  expect([response.status, await response.json()]).toMatchObject([
    502,
    { error: { code: 'upstream_unreachable' } },
  ]);
  expect(backend.turns()).toHaveLength(4);
});

it.each([() => '1', () => new Date(Date.now() + 2000).toUTCString()])(
  'retries over HTTP after the pause in retry-after',
  async (retryAfter) => {
    const backend = await overHttp([{ status: 429, retryAfter: retryAfter() }]);
    const startedAt = Date.now();
    const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
    expect(await response.text()).toContain('response.completed');
    expect(Date.now() - startedAt).toBeGreaterThan(900);
  },
);

it('retries on a new connection after the pause in retry-after', async () => {
  let turns = 0;
  const frame = { type: 'error', status: 429, error: { code: 'x' }, headers: { 'retry-after': '1' } };
  const backend = await startTestBackend({
    message: (socket) => {
      turns += 1;
      sendAll(socket, turns === 1 ? [JSON.stringify(frame)] : responseEvents('OK'));
    },
  });
  const startedAt = Date.now();
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  expect(await readEvents(response)).toHaveLength(responseEvents('OK').length);
  expect(backend.received).toHaveLength(2);
  expect(Date.now() - startedAt).toBeGreaterThan(900);
});

it('renews a sign-in after two refused POSTs, and forwards 401 if it cannot be renewed', async () => {
  const backend = await overHttp([401, 401, 200, 401, 401]);
  let renewals = 0;
  const proxy = await proxyTo(backend.url, {
    signIn: () => ({ lane: 'chatgpt', websockets: true, accessToken: `token-${renewals}`, accountId: 'a' }),
    renew: async (_, refused) => {
      if (renewals > 0) throw new Error('cannot be renewed');
      renewals += 1;
      return refused;
    },
  });
  const response = await post(`${proxy}/v1/responses`, hello);
  expect(await response.text()).toContain('response.completed');
  expect([1, 2, 3].map((at) => sentHeader(backend, at, 'authorization'))).toEqual([
    'Bearer token-0',
    'Bearer token-0',
    'Bearer token-1',
  ]);
  expect((await post(`${proxy}/v1/responses`, hello)).status).toBe(401);
  expect(backend.turns()).toHaveLength(5);
});

it('renews a sign-in that is always refused once, and forwards 401 after three POSTs', async () => {
  const backend = await overHttp(Array(3).fill(401));
  let renewals = 0;
  const renew: ProxyOptions['renew'] = async (_, refused) => {
    renewals += 1;
    return refused;
  };
  expect((await post(`${await proxyTo(backend.url, { renew })}/v1/responses`, hello)).status).toBe(401);
  expect([backend.turns().length, renewals]).toEqual([3, 1]);
});

it('sends one POST with a refused API key', async () => {
  const backend = await overHttp([401]);
  const proxy = await proxyTo(backend.url, {
    signIn: () => ({ lane: 'api-key', websockets: true, accessToken: 'the-key' }),
  });
  expect((await post(`${proxy}/v1/responses`, hello)).status).toBe(401);
  expect(backend.turns()).toHaveLength(1);
});

it('counts and logs retries over HTTP', async () => {
  const { log, lines } = recordLogs();
  const backend = await overHttp([500, 503]);
  const proxy = await proxyTo(backend.url, { log });
  await (await post(`${proxy}/v1/responses`, hello)).text();
  expect(await (await fetch(`${proxy}/metrics`)).text()).toContain(
    'codex_parity_proxy_http_retries_total 2\n',
  );
  const retry = 'retrying over HTTP: the backend responded with';
  expect(lines).toEqual(expect.arrayContaining([`{} ${retry} 500`, `{} ${retry} 503`]));
});

it('retries over HTTP when a stream is cut off before its first event', async () => {
  let posts = 0;
  const backend = await startTestBackend({
    upgrade: () => refusedWith('426 Upgrade Required'),
    post: (response) => {
      posts += 1;
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
      if (posts === 1) response.destroy();
      else response.end(responseEvents('OK').map(sse).join(''));
    },
  });
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  expect(await readEvents(response)).toHaveLength(responseEvents('OK').length);
  expect(posts).toBe(2);
});

it('changes to HTTP for the rest of the session after 426', async () => {
  const backend = await startTestBackend({ upgrade: () => refusedWith('426 Upgrade Required') });
  const proxy = await proxyTo(backend.url);
  for (let n = 0; n < 2; n += 1) {
    const response = await post(`${proxy}/v1/responses`, hello);
    expect(await response.text()).toContain('response.completed');
  }
  expect(backend.received.map(({ transport }) => transport)).toEqual(['websocket', 'http', 'http']);
  const [body] = backend.turns();
  expect(body).not.toHaveProperty('type');
  expect(sentHeader(backend, 1, 'content-encoding')).toBe('zstd');
  expect(sentHeader(backend, 1, 'connection')).toBeUndefined();
});

it.each([
  ['200 OK', 1],
  ['301 Moved Permanently', 1],
  ['402 Payment Required', 1],
  ['403 Forbidden', 1],
  ['403 Forbidden\r\nretry-after: 3600', 1],
  ['404 Not Found', 1],
  ['405 Method Not Allowed', 1],
  ['410 Gone', 1],
  ['431 Request Header Fields Too Large', 1],
  ['408 Request Timeout', 4],
  ['409 Conflict', 4],
  ['429 Too Many Requests\r\nretry-after: 0', 4],
  ['500 Internal Server Error', 4],
  ['529 Overloaded', 4],
] as const)('after an upgrade refused with %s, uses HTTP at attempt %d', async (status, upgrades) => {
  const backend = await startTestBackend({ upgrade: () => refusedWith(status) });
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  expect(await response.text()).toContain('response.completed');
  expect(backend.received.map(({ transport }) => transport)).toEqual([
    ...Array(upgrades).fill('websocket'),
    'http',
  ]);
});

it.each(['408 Request Timeout', '503 Service Unavailable', '500 Internal Server Error'])(
  'reports an upgrade refused with %s and a long pause at once',
  async (status) => {
    const backend = await startTestBackend({ upgrade: () => refusedWith(`${status}\r\nretry-after: 3600`) });
    const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
    expect([response.status, response.headers.get('retry-after')]).toEqual([
      Number(status.slice(0, 3)),
      '3600',
    ]);
    expect(backend.received).toHaveLength(1);
  },
);

it('uses HTTP at once when the backend does not respond to an upgrade, and the websocket in the next conversation', async () => {
  const backend = await startTestBackend({ upgrade: (count) => (count === 1 ? noResponse : undefined) });
  const proxy = await proxyTo(backend.url, { limits: { ...fastRetries, connectTime: 50 } });
  for (let n = 0; n < 2; n += 1) {
    const response = await post(`${proxy}/v1/responses`, hello);
    expect(await response.text()).toContain('response.completed');
  }
  expect(backend.received.map(({ transport }) => transport)).toEqual(['websocket', 'http', 'websocket']);
});

it('stays with the websocket when a later upgrade succeeds', async () => {
  const backend = await startTestBackend({
    upgrade: (n) => (n < 3 ? refusedWith('500 Internal Server Error') : undefined),
  });
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  expect(await response.text()).toContain('response.completed');
  expect(backend.received.map(({ transport }) => transport)).toEqual(Array(3).fill('websocket'));
});

it('forwards the refusal of an upgrade that is not retried', async () => {
  const refusal =
    'HTTP/1.1 429 Too Many Requests\r\nretry-after: 5\r\ncontent-type: application/json\r\ncontent-length: 40\r\n\r\n{"error":{"code":"usage_limit_reached"}}';
  const backend = await startTestBackend({ upgrade: () => refusal });
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  expect([response.status, response.headers.get('retry-after')]).toEqual([429, '5']);
  expect(await response.json()).toEqual({ error: { code: 'usage_limit_reached' } });
  expect(backend.received).toHaveLength(1);
});

it('renews a sign-in after two refused upgrades, and sends the prewarm on the third', async () => {
  const backend = await startTestBackend({
    upgrade: (n) => (n <= 2 ? refusedWith('401 Unauthorized') : undefined),
  });
  const renewed: string[] = [];
  let token = 'the-token';
  const proxy = await proxyTo(backend.url, {
    signIn: () => ({ lane: 'chatgpt', websockets: true, accessToken: token, accountId: 'the-account' }),
    renew: async (_, refused) => {
      renewed.push(refused.accessToken);
      token = 'another-token';
      return { ...refused, accessToken: token };
    },
  });
  const response = await post(`${proxy}/v1/responses`, hello);
  expect(await response.text()).toContain('response.completed');
  expect(renewed).toEqual(['the-token']);
  expect([0, 1, 2].map((at) => sentHeader(backend, at, 'authorization'))).toEqual([
    'Bearer the-token',
    'Bearer the-token',
    'Bearer another-token',
  ]);
  expect(backend.received[2]?.messages).toHaveLength(2);
});

it('forwards 401 after four refused upgrades', async () => {
  const backend = await startTestBackend({ upgrade: () => refusedWith('401 Unauthorized') });
  let renewals = 0;
  const renew = async () => {
    renewals += 1;
    throw new Error('not this time');
  };
  const response = await post(`${await proxyTo(backend.url, { renew })}/v1/responses`, hello);
  expect([response.status, await response.json()]).toEqual([401, {}]);
  expect([backend.received.length, renewals]).toEqual([4, 1]);
});
