import { expect, it } from 'vitest';
import {
  errorFrame,
  hello,
  post,
  proxyTo,
  readEvents,
  refusedWith,
  responseEvents,
  sendAll,
  sse,
  startTestBackend,
} from './setup.ts';

it('ends a stream with an error when the response is cut off after it began', async () => {
  const backend = await startTestBackend({
    message: (socket) => socket.send(responseEvents('OK')[0] ?? '', () => socket.terminate()),
  });
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  const events = await readEvents(response);
  expect(JSON.parse(events.at(-1) ?? '')).toMatchObject({ type: 'error', error: { code: 'upstream_lost' } });
  expect(backend.received).toHaveLength(1);
});

/**
 * A backend whose first response breaks off after an item. The second is complete, and its last event has no output.
 */
const breakingOff = (transport: 'websocket' | 'http') => {
  const later = responseEvents('lost').map((event) =>
    event.replaceAll('"output_index":0', '"output_index":1'),
  );
  const broken = [rateLimits, ...later.slice(0, 4)];
  const whole = responseEvents('OK').map((event) => event.replace(/"output":\[\{.*\]/, '"output":[]'));
  let responses = 0;
  return startTestBackend({
    message: (socket) => {
      responses += 1;
      if (responses > 1) return sendAll(socket, whole);
      sendAll(socket, broken);
      socket.terminate();
    },
    ...(transport === 'websocket' ? {} : { upgrade: () => refusedWith('426 Upgrade Required') }),
    post: (response) => {
      responses += 1;
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end((responses > 1 ? whole : broken).map(sse).join(''));
    },
  });
};

const rateLimits = '{"type":"codex.rate_limits","rate_limits":{}}';

it.each(['websocket', 'http'] as const)(
  'retries over the %s when a whole response breaks off, and sends only the second',
  async (transport) => {
    const backend = await breakingOff(transport);
    const response = await post(`${await proxyTo(backend.url)}/v1/responses`, { ...hello, stream: false });
    const { output } = (await response.json()) as { output: readonly unknown[] };
    expect(JSON.stringify(output)).toContain('OK');
    expect(output).toHaveLength(1);
    expect(backend.turns()).toHaveLength(2);
  },
);

it.each(['websocket', 'http'] as const)(
  'retries over the %s when a whole chat completion breaks off',
  async (transport) => {
    const backend = await breakingOff(transport);
    const chat = { model: 'm', messages: [{ role: 'user', content: 'hello' }] };
    const response = await post(`${await proxyTo(backend.url)}/v1/chat/completions`, chat);
    expect(await response.json()).toMatchObject({ choices: [{ message: { content: 'OK' } }] });
  },
);

it('retries when a stream breaks off before the client has received anything', async () => {
  let responses = 0;
  const backend = await startTestBackend({
    message: (socket) => {
      responses += 1;
      if (responses > 1) return sendAll(socket, responseEvents('OK'));
      socket.send(rateLimits, () => socket.terminate());
    },
  });
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  expect(await readEvents(response)).toHaveLength(responseEvents('OK').length);
});

it('continues a conversation from the complete response, not from the one that broke off', async () => {
  const backend = await breakingOff('websocket');
  const proxy = await proxyTo(backend.url);
  const first = await (await post(`${proxy}/v1/responses`, { ...hello, stream: false })).json();
  const { id } = first as { id: string };
  for (const socket of backend.sockets.clients) socket.terminate();
  await expect.poll(() => backend.sockets.clients.size).toBe(0);
  await (await post(`${proxy}/v1/responses`, { ...hello, previous_response_id: id })).text();
  const input = JSON.stringify(backend.turns().at(-1)?.input);
  expect(input).toContain('OK');
  expect(input).not.toContain('lost');
});

it("sends the backend's status, error and headers when a response fails at once", async () => {
  const error = { type: 'usage_limit_reached', message: 'no more', resets_at: 1700000000, plan_type: 'pro' };
  const frame = {
    type: 'error',
    status: 429,
    error,
    headers: { 'retry-after': '17', 'x-codex-primary-used-percent': 100 },
  };
  const limits = '{"type":"codex.rate_limits","plan_type":"pro"}';
  const backend = await startTestBackend({
    message: (socket) => sendAll(socket, [limits, JSON.stringify(frame)]),
  });
  const proxy = await proxyTo(backend.url);
  for (const stream of [true, false]) {
    const response = await post(`${proxy}/v1/responses`, { ...hello, stream });
    expect(response.status).toBe(429);
    expect(response.headers.get('retry-after')).toBe('17');
    expect(response.headers.get('x-codex-primary-used-percent')).toBe('100');
    expect(await response.json()).toEqual({ error });
  }
});

it('sends a late error as the last event of a stream, and as the status of a whole response', async () => {
  const error = { type: 'usage_limit_reached', message: 'no more', resets_at: 1700000000 };
  const frame = JSON.stringify({ type: 'error', status: 429, error, headers: { 'retry-after': '17' } });
  const firstEvents = responseEvents('OK').slice(0, 3);
  const backend = await startTestBackend({ message: (socket) => sendAll(socket, [...firstEvents, frame]) });
  const proxy = await proxyTo(backend.url);
  expect(await readEvents(await post(`${proxy}/v1/responses`, hello))).toEqual([...firstEvents, frame]);
  const chat = { model: 'm', messages: [{ role: 'user', content: 'hello' }] };
  const chunks = await readEvents(await post(`${proxy}/v1/chat/completions`, { ...chat, stream: true }));
  expect(chunks.map((chunk) => JSON.parse(chunk).choices?.[0]?.delta.content ?? null)).toEqual([
    null,
    'OK',
    null,
  ]);
  expect(JSON.parse(chunks.at(-1) ?? '')).toEqual({ error });
  for (const [path, body] of [
    ['responses', { ...hello, stream: false }],
    ['chat/completions', chat],
  ] as const) {
    const response = await post(`${proxy}/v1/${path}`, body);
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '17']);
    expect(await response.json()).toEqual({ error });
  }
  expect(backend.turns()).toHaveLength(4);
});

it('sends the status of an error that is the only event of a stream over HTTP', async () => {
  const frame = errorFrame(500, 'server_error');
  const backend = await startTestBackend({
    upgrade: () => refusedWith('426 Upgrade Required'),
    post: (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(sse(frame));
    },
  });
  const proxy = await proxyTo(backend.url);
  const chat = { model: 'm', messages: [{ role: 'user', content: 'hello' }], stream: true };
  for (const [path, body] of [['responses', hello] as const, ['chat/completions', chat] as const]) {
    const response = await post(`${proxy}/v1/${path}`, body);
    expect(response.status).toBe(500);
    expect(await response.json()).toEqual({ error: JSON.parse(frame).error });
  }
});

it('sends chat clients an error with its status', async () => {
  const error = { type: 'usage_limit_reached', message: 'no more' };
  const backend = await startTestBackend({
    message: (socket) => sendAll(socket, [JSON.stringify({ type: 'error', status: 429, error })]),
  });
  const proxy = await proxyTo(backend.url);
  for (const stream of [true, false]) {
    const chat = { model: 'm', messages: [{ role: 'user', content: 'hello' }], stream };
    const response = await post(`${proxy}/v1/chat/completions`, chat);
    expect(response.status).toBe(429);
    expect(await response.json()).toEqual({ error });
  }
});
