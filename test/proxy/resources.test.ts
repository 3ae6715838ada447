import { expect, it } from 'vitest';
import { errorFrame, post, proxyTo, startTestBackend } from './setup.ts';

const json = (status: number, body: unknown) => ({ status, body });
const notFound = (message: string) =>
  json(404, { error: { type: 'invalid_request_error', code: 'not_found', param: null, message } });

it.each([
  {
    request: 'GET /v1/chat/completions?limit=5',
    expected: json(200, { object: 'list', data: [], first_id: null, last_id: null, has_more: false }),
  },
  {
    request: 'GET /chat/completions/chatcmpl-1/',
    expected: notFound('the backend stores no completions: keep what the response contained'),
  },
  {
    request: 'GET /v1/chat/completions/chatcmpl-1/messages',
    expected: notFound('the backend stores no completions: keep what the response contained'),
  },
  {
    request: 'DELETE /v1/responses/resp_1',
    expected: notFound('the backend stores no responses: keep what the response contained'),
  },
  {
    request: 'POST /v1/responses/input_tokens',
    expected: notFound('the backend counts no tokens before a request'),
  },
])('serves what the backend stores of the API, which is nothing: $request', async ({ request, expected }) => {
  const backend = await startTestBackend();
  const [method = '', path] = request.split(' ');
  const response = await fetch(`${await proxyTo(backend.url)}${path}`, { method });
  expect(json(response.status, await response.json())).toEqual(expected);
  expect(backend.received).toEqual([]);
});

it.each([
  { request: 'DELETE /v1/chat/completions', allow: 'POST, GET' },
  { request: 'GET /v1/responses', allow: 'POST' },
  { request: 'DELETE /v1/models/gpt-6', allow: 'GET' },
])('refuses $request, and names the methods that are served', async ({ request, allow }) => {
  const backend = await startTestBackend();
  const [method = '', path] = request.split(' ');
  const response = await fetch(`${await proxyTo(backend.url)}${path}`, { method });
  expect([response.status, response.headers.get('allow')]).toEqual([405, allow]);
  expect(await response.json()).toMatchObject({ error: { code: 'bad_method' } });
  expect(backend.received).toEqual([]);
});

const chat = { model: 'm', messages: [{ role: 'user', content: 'hello' }] };

it('gives every response to a program an id of its own, also where it is an error', async () => {
  const proxy = await proxyTo((await startTestBackend()).url);
  const responses = [
    await post(`${proxy}/v1/chat/completions`, chat),
    await post(`${proxy}/v1/chat/completions`, { ...chat, stream: true }),
    await post(`${proxy}/v1/chat/completions`, {}),
    await post(`${proxy}/v1/responses`, { model: 'm', input: 'hello' }),
    await post(`${proxy}/v1/responses`, { model: 'm', input: 'hello', stream: true }),
    await fetch(`${proxy}/v1/unknown`),
  ];
  expect(responses.map(({ status }) => status)).toEqual([200, 200, 400, 200, 200, 404]);
  const ids = responses.map(({ headers }) => headers.get('x-request-id'));
  for (const id of ids) expect(id).toMatch(/^req_[0-9a-f]{32}$/);
  expect(new Set(ids).size).toBe(ids.length);
});

it("gives an error of the backend the backend's id", async () => {
  const frame = { ...JSON.parse(errorFrame(400, 'wrong')), headers: { 'x-request-id': 'of-the-backend' } };
  const backend = await startTestBackend({ message: (socket) => socket.send(JSON.stringify(frame)) });
  const response = await post(`${await proxyTo(backend.url)}/v1/chat/completions`, chat);
  expect([response.status, response.headers.get('x-request-id')]).toEqual([400, 'of-the-backend']);
});

it.each([false, true])('keeps the status that an error frame states, streamed: %s', async (stream) => {
  // The form of the API's documentation, with a status.
  const frame = {
    type: 'error',
    status: 404,
    code: 'model_not_found',
    message: 'no such model',
    param: 'model',
  };
  const backend = await startTestBackend({ message: (socket) => socket.send(JSON.stringify(frame)) });
  const proxy = await proxyTo(backend.url);
  for (const [path, body] of [
    ['/v1/chat/completions', { ...chat, stream }],
    ['/v1/responses', { model: 'm', input: 'hello', stream }],
  ] as const) {
    const response = await post(`${proxy}${path}`, body);
    expect(json(response.status, await response.json())).toEqual(
      json(404, {
        error: {
          type: 'invalid_request_error',
          code: 'model_not_found',
          message: 'no such model',
          param: 'model',
        },
      }),
    );
  }
});
