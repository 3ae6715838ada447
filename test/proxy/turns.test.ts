import { expect, it } from 'vitest';
import { decodeSse } from '../../src/wire/sse.ts';
import {
  hello,
  openWebSocket,
  post,
  proxyTo,
  readEvents,
  receiveResponse,
  refusedWith,
  responseEvents,
  sendAll,
  sentHeader,
  sse,
  startTestBackend,
  user,
} from './setup.ts';

it('sends a POST over the websocket and streams the events unchanged', async () => {
  const events = responseEvents('Hi');
  const backend = await startTestBackend({ message: (socket) => sendAll(socket, events) });
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  expect(await response.text()).toBe(events.map(sse).join(''));
  expect(backend.received.map(({ transport }) => transport)).toEqual(['websocket']);
});

it('streams JSON with line breaks as one event', async () => {
  const [first = '', last = ''] = [responseEvents('Hi')[0], responseEvents('Hi').at(-1)];
  const backend = await startTestBackend({
    message: (socket) => sendAll(socket, [first.replace('{', '{\r\n'), last]),
  });
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  expect(decodeSse(await response.text()).map(({ data }) => JSON.parse(data))).toEqual([
    JSON.parse(first),
    JSON.parse(last),
  ]);
});

it('sends the whole response to a client that does not stream', async () => {
  const backend = await startTestBackend({
    message: (socket) => sendAll(socket, responseEvents('Hi', 'resp_1')),
  });
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, { ...hello, stream: false });
  expect(response.headers.get('content-type')).toBe('application/json');
  expect(await response.json()).toMatchObject({
    id: 'resp_1',
    status: 'completed',
    output: [{ type: 'message' }],
  });
});

it('fills an empty output with the items of earlier events', async () => {
  const events = responseEvents('Hi').map((event) =>
    event.replace(/("type":"response.completed".*"output":)\[.*\]/, '$1[]'),
  );
  const backend = await startTestBackend({ message: (socket) => sendAll(socket, events) });
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, { ...hello, stream: false });
  expect(await response.json()).toMatchObject({ output: [{ content: [{ text: 'Hi' }] }] });
});

it('sends all requests in the same shape, streamed or whole, from HTTP or websocket', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url);
  const request = { model: 'm', input: [user('hello')], instructions: 'Be brief.', service_tier: 'fast' };
  await (await post(`${proxy}/v1/responses`, { ...request, stream: true, prompt_cache_key: 'a' })).text();
  await (await post(`${proxy}/v1/responses`, { ...request, prompt_cache_key: 'b' })).text();
  const client = await openWebSocket(`${proxy}/v1/responses`);
  client.send(JSON.stringify({ type: 'response.create', ...request, prompt_cache_key: 'c' }));
  await receiveResponse(client);
  const [first, second, third] = backend.turns().map((body) => ({
    keys: Object.keys(body),
    metadata: Object.keys(body.client_metadata).sort(),
    rest: JSON.stringify({ ...body, prompt_cache_key: '', client_metadata: '', previous_response_id: '' }),
  }));
  expect(second).toEqual(first);
  expect(third).toEqual(first);
  expect(backend.received.map(({ headers }) => headers.map(([name]) => name).join())).toEqual(
    Array(3).fill(backend.received[0]?.headers.map(([name]) => name).join()),
  );
});

it('sends a prewarm first, as in the golden, and continues from it', async () => {
  const backend = await startTestBackend();
  await (await post(`${await proxyTo(backend.url)}/v1/responses`, hello)).text();
  const [prewarm, turn] = (backend.received[0]?.messages ?? []).map((message) => JSON.parse(message));
  expect(prewarm).toMatchObject({ generate: false, input: [], store: false, stream: true });
  expect(prewarm.client_metadata.turn_id).toBe('');
  expect(turn).toMatchObject({ previous_response_id: 'resp_warm', input: [user('hello')] });
  expect(turn).not.toHaveProperty('generate');
});

it("sends the request's model and effort in its turn metadata", async () => {
  const backend = await startTestBackend();
  const request = { ...hello, model: 'mine', reasoning: { effort: 'high' } };
  await (await post(`${await proxyTo(backend.url)}/v1/responses`, request)).text();
  const metadata = JSON.parse(backend.turns()[0]?.client_metadata['x-codex-turn-metadata'] ?? '');
  expect(metadata).toMatchObject({ model: 'mine', reasoning_effort: 'high' });
});

it.each([
  ['fast', 'priority', 'model=m;tier=priority'],
  ['priority', 'priority', 'model=m;tier=priority'],
  ['flex', 'flex', 'model=m;tier=flex'],
  ['default', undefined, 'model=m'],
  ['auto', undefined, 'model=m'],
  [null, undefined, 'model=m'],
])('sends the tier %s as %s, with its routing hint', async (tier, expected, hint) => {
  const backend = await startTestBackend();
  await (await post(`${await proxyTo(backend.url)}/v1/responses`, { ...hello, service_tier: tier })).text();
  expect(backend.turns()[0]?.service_tier).toBe(expected);
  expect(sentHeader(backend, 0, 'x-codex-routing-hint')).toBe(hint);
});

it('refuses an unknown tier without a request to the backend', async () => {
  const backend = await startTestBackend();
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, {
    ...hello,
    service_tier: 'turbo',
  });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: { param: 'service_tier' } });
  expect(backend.received).toEqual([]);
});

it('drops members that the backend refuses, and lists them in a header', async () => {
  const backend = await startTestBackend();
  const request = { ...hello, temperature: 0.2, max_output_tokens: 5, store: true, instructions: null };
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, request);
  expect(response.headers.get('x-codex-parity-dropped')).toBe('temperature, max_output_tokens, store');
  await response.text();
  const [turn] = backend.turns();
  expect(turn).toMatchObject({ store: false });
  expect(turn).not.toHaveProperty('temperature');
  expect(turn).not.toHaveProperty('max_output_tokens');
});

it('sends instructions, tools and input as the client spelled them', async () => {
  const backend = await startTestBackend();
  const content =
    '"instructions":"Be {{brief}}.","tools":[{"type":"function","name":"f","parameters":{"b":1,"a":1.50}}],"input":[{"role":"user","content":"\\u00e9"}]';
  const response = await post(
    `${await proxyTo(backend.url)}/v1/responses`,
    `{"model":"m","stream":true,${content}}`,
  );
  await response.text();
  const turn = backend.received[0]?.messages[1] ?? '';
  for (const part of content.split(/,(?="(?:tools|input)")/)) expect(turn).toContain(part);
});

it('removes white space between the tokens of a request', async () => {
  const backend = await startTestBackend();
  const text = JSON.stringify({ ...hello, input: [user('a b')] }, null, 2);
  await (await post(`${await proxyTo(backend.url)}/v1/responses`, text)).text();
  expect(backend.received[0]?.messages[1]).not.toMatch(/[\n]|": /);
  expect(backend.turns()[0]?.input).toEqual([user('a b')]);
});

it('sends the same turn metadata in the header and the body of a POST', async () => {
  const backend = await startTestBackend({ upgrade: () => refusedWith('426 Upgrade Required') });
  await (await post(`${await proxyTo(backend.url)}/v1/responses`, hello)).text();
  expect(sentHeader(backend, 1, 'x-codex-turn-metadata')).toBe(
    backend.turns()[0]?.client_metadata['x-codex-turn-metadata'],
  );
});

it('ends the upstream connection when the client disconnects within a response', async () => {
  const backend = await startTestBackend({ message: (socket) => socket.send(responseEvents('OK')[0] ?? '') });
  const leaving = new AbortController();
  const response = await fetch(`${await proxyTo(backend.url)}/v1/responses`, {
    method: 'POST',
    body: JSON.stringify(hello),
    signal: leaving.signal,
  });
  expect(response.status).toBe(200);
  expect(backend.sockets.clients.size).toBe(1);
  leaving.abort();
  await expect.poll(() => backend.sockets.clients.size).toBe(0);
});

it('serves chat completions, whole and in chunks', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url);
  const chat = { model: 'm', messages: [{ role: 'user', content: 'hello' }], temperature: 1 };
  const whole = await post(`${proxy}/v1/chat/completions`, chat);
  expect(whole.headers.get('x-codex-parity-dropped')).toBe('temperature');
  expect(await whole.json()).toMatchObject({
    object: 'chat.completion',
    choices: [{ message: { role: 'assistant', content: 'OK' }, finish_reason: 'stop' }],
  });
  const chunks = await readEvents(await post(`${proxy}/v1/chat/completions`, { ...chat, stream: true }));
  expect(chunks.at(-1)).toBe('[DONE]');
  const deltas = chunks.slice(0, -1).map((chunk) => JSON.parse(chunk).choices[0]?.delta.content ?? '');
  expect(deltas.join('')).toBe('OK');
});

const models = { models: [{ slug: 'gpt-5.4' }] };

it.each([
  ['/v1/models', 200, { object: 'list', data: [{ id: 'gpt-5.4' }] }],
  ['/models/', 200, { object: 'list', data: [{ id: 'gpt-5.4' }] }],
  ['/v1/models/gpt-5.4', 200, { id: 'gpt-5.4', object: 'model' }],
  ['/v1/models/gpt-0', 404, { error: { code: 'model_not_found', type: 'invalid_request_error' } }],
  ['/v1/responses/resp_1', 404, { error: { code: 'not_found', type: 'invalid_request_error' } }],
  ['/v1/responses/resp_1/input_items', 404, { error: { code: 'not_found' } }],
])('responds to GET %s with %d', async (path, status, body) => {
  const backend = await startTestBackend({ post: (response) => response.end(JSON.stringify(models)) });
  const response = await fetch(`${await proxyTo(backend.url)}${path}`);
  expect(response.status).toBe(status);
  expect(await response.json()).toMatchObject(body);
});

it.each(['/responses', '/v1/responses/', '/chat/completions', '/v1/chat/completions/'])(
  'serves POST %s',
  async (path) => {
    const backend = await startTestBackend();
    const request = path.includes('chat')
      ? { model: 'm', messages: [{ role: 'user', content: 'hello' }] }
      : hello;
    const response = await post(`${await proxyTo(backend.url)}${path}`, request);
    expect(response.status).toBe(200);
    expect(await response.text()).toContain('OK');
  },
);
