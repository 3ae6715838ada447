import { expect, it } from 'vitest';
import { isUuid7 } from '../../src/wire/ids.ts';
import {
  fastRetries,
  hello,
  post,
  proxyTo,
  refusedWith,
  responseEvents,
  sendAll,
  sentHeader,
  sse,
  startTestBackend,
  user,
} from './setup.ts';

const session = '01a20000-0000-7000-8000-000000000001';

it('keeps a connection for the next turn of the same session only', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url);
  for (const key of ['a', 'a', 'b']) {
    await (await post(`${proxy}/v1/responses`, { ...hello, prompt_cache_key: key })).text();
  }
  expect(backend.received.map(({ messages }) => messages.length)).toEqual([3, 2]);
  expect(backend.turns().map((body) => body.prompt_cache_key)).toEqual(['a', 'a', 'b']);
});

it('runs two turns of a session in parallel, and keeps a connection for each', async () => {
  const waiting: (() => void)[] = [];
  const backend = await startTestBackend({
    message: (socket) => {
      waiting.push(() => sendAll(socket, responseEvents('OK')));
      if (waiting.length === 2) for (const go of waiting.splice(0)) go();
    },
  });
  const proxy = await proxyTo(backend.url);
  const both = () =>
    [1, 2].map(async () => {
      return (await post(`${proxy}/v1/responses`, { ...hello, prompt_cache_key: 'a' })).text();
    });
  const texts = [...(await Promise.all(both())), ...(await Promise.all(both()))];
  expect(texts.every((text) => text.includes('response.completed'))).toBe(true);
  expect(backend.received).toHaveLength(2);
});

it.each([
  ['authorization', { authorization: 'Bearer a' }, { authorization: 'Bearer b' }],
  ['x-api-key', { 'x-api-key': 'a' }, { 'x-api-key': 'b' }],
  ['api-key', { 'api-key': 'a' }, { 'api-key': 'b' }],
  [
    'one of two headers',
    { authorization: 'Bearer any', 'x-api-key': 'a' },
    { authorization: 'Bearer any', 'x-api-key': 'b' },
  ],
])('shares no session between clients with different keys in %s', async (_, first, second) => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url);
  for (const headers of [first, second, first]) {
    await (await post(`${proxy}/v1/responses`, { ...hello, prompt_cache_key: 'a' }, headers)).text();
  }
  expect(backend.received).toHaveLength(2);
});

it.each([
  ['prompt_cache_key', { prompt_cache_key: 'mine' }, {}, 'mine'],
  ['the header session-id', {}, { 'session-id': 'mine' }, 'mine'],
  ['the header session_id', {}, { session_id: 'mine' }, 'mine'],
  ['the header conversation_id', {}, { conversation_id: 'mine' }, 'mine'],
  ['client_metadata', { client_metadata: { session_id: 'mine' } }, {}, 'mine'],
  ['conversation', { conversation: { id: 'mine' } }, {}, 'mine'],
  ['prompt_cache_key before a header', { prompt_cache_key: 'mine' }, { 'session-id': 'other' }, 'mine'],
  ['prompt_cache_key beside a thread', { prompt_cache_key: 'mine' }, { 'thread-id': 'other' }, 'mine'],
] as const)('sends the session from %s at every place', async (_, body, headers, expected) => {
  const backend = await startTestBackend();
  await (await post(`${await proxyTo(backend.url)}/v1/responses`, { ...hello, ...body }, headers)).text();
  const [turn] = backend.turns();
  const metadata = JSON.parse(turn?.client_metadata['x-codex-turn-metadata'] ?? '');
  expect({
    header: sentHeader(backend, 0, 'session-id'),
    request: sentHeader(backend, 0, 'x-client-request-id'),
    window: sentHeader(backend, 0, 'x-codex-window-id'),
    cache: turn?.prompt_cache_key,
    session: turn?.client_metadata.session_id,
    windowInBody: turn?.client_metadata['x-codex-window-id'],
    metadata: metadata.session_id,
    conversation: sentHeader(backend, 0, 'conversation_id'),
  }).toEqual({
    header: expected,
    request: expected,
    window: `${expected}:0`,
    cache: expected,
    session: expected,
    windowInBody: `${expected}:0`,
    metadata: expected,
    conversation: undefined,
  });
});

it('derives one session for all turns of a conversation without a name', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url);
  const turns = [
    [user('hello')],
    [user('hello'), { type: 'message', role: 'assistant', content: [] }, user('more')],
    [user('another conversation')],
  ];
  for (const input of turns) await (await post(`${proxy}/v1/responses`, { ...hello, input })).text();
  const [first, second, third] = backend.turns().map((body) => body.prompt_cache_key);
  expect(second).toBe(first);
  expect(third).not.toBe(first);
  expect(isUuid7(first ?? '')).toBe(true);
});

it('tells conversations apart by instructions, system prompt and first message', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url);
  const bot = (role: string) => [
    { role: 'system', content: role },
    { role: 'user', content: 'Hi' },
  ];
  for (const role of ['cook', 'poet', 'cook']) {
    await (await post(`${proxy}/v1/chat/completions`, { model: 'm', messages: bot(role) })).text();
    await (await post(`${proxy}/v1/responses`, { ...hello, input: bot(`a ${role}`) })).text();
    await (await post(`${proxy}/v1/responses`, { ...hello, instructions: role })).text();
  }
  expect(new Set(backend.turns().map((body) => body.prompt_cache_key)).size).toBe(6);
  // Each connection has a prewarm and the turns of its session.
  expect(backend.received.map(({ messages }) => messages.length)).toEqual([3, 3, 3, 2, 2, 2]);
});

it("gives a conversation's id the time of its first request", async () => {
  const backend = await startTestBackend();
  const before = Date.now();
  await (await post(`${await proxyTo(backend.url)}/v1/responses`, hello)).text();
  const id = backend.turns()[0]?.prompt_cache_key ?? '';
  const time = Number.parseInt(id.replace('-', '').slice(0, 12), 16);
  expect(time).toBeGreaterThanOrEqual(before);
  expect(time).toBeLessThanOrEqual(Date.now());
});

it.each([
  ['a character that no header may contain', 'a\nb ☃'],
  ['more than 64 characters', 'x'.repeat(65)],
])('replaces an id with %s, the same in all turns', async (_, prompt_cache_key) => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url);
  for (let n = 0; n < 2; n += 1)
    await (await post(`${proxy}/v1/responses`, { ...hello, prompt_cache_key })).text();
  const [first, second] = backend.turns().map((body) => body.prompt_cache_key);
  expect(isUuid7(first ?? '')).toBe(true);
  expect(second).toBe(first);
});

it('sends new turn ids and times in each turn, and the same installation id', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url);
  for (let n = 0; n < 2; n += 1) await (await post(`${proxy}/v1/responses`, hello)).text();
  const [first, second] = backend.turns().map(({ client_metadata: metadata }) => {
    const { turn_started_at_unix_ms: started, context_window_id: window } = JSON.parse(
      metadata['x-codex-turn-metadata'] ?? '',
    );
    return {
      turn: metadata.turn_id,
      started,
      window,
      installation: metadata['x-codex-installation-id'],
      stamp: metadata['x-codex-ws-stream-request-start-ms'],
    };
  });
  expect(second?.installation).toBe(first?.installation);
  expect(second?.window).toBe(first?.window);
  expect(second?.turn).not.toBe(first?.turn);
  expect(second?.started).toBeGreaterThan(first?.started);
  expect(Number(second?.stamp)).toBeGreaterThan(Number(first?.stamp));
});

it('sends the same turn metadata in handshake and request of a retry', async () => {
  let turns = 0;
  const backend = await startTestBackend({
    message: (socket) => {
      turns += 1;
      if (turns === 1) socket.terminate();
      else sendAll(socket, responseEvents('OK'));
    },
  });
  await (await post(`${await proxyTo(backend.url)}/v1/responses`, hello)).text();
  const metadata = backend
    .turns()
    .map((body) => JSON.parse(body.client_metadata['x-codex-turn-metadata'] ?? ''));
  expect(metadata[1]).toEqual(metadata[0]);
  expect(JSON.parse(sentHeader(backend, 0, 'x-codex-turn-metadata') ?? '')).toMatchObject({
    request_kind: 'prewarm',
  });
  expect(JSON.parse(sentHeader(backend, 1, 'x-codex-turn-metadata') ?? '')).toEqual(metadata[0]);
});

it('continues the turn when the request ends with a tool output', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url);
  const output = { type: 'function_call_output', call_id: 'c', output: 'x' };
  for (const input of [[user('a')], [user('a'), output], [user('a'), output, user('b')]]) {
    await (await post(`${proxy}/v1/responses`, { ...hello, input })).text();
  }
  const [first, second, third] = backend.turns().map((body) => body.client_metadata.turn_id);
  expect(second).toBe(first);
  expect(third).not.toBe(first);
});

it('repeats the first turn state that it received until the turn ends', async () => {
  const turnState = (value: string) =>
    `{"type":"response.metadata","headers":{"x-codex-turn-state":"${value}"}}`;
  let turns = 0;
  const backend = await startTestBackend({
    message: (socket) => {
      turns += 1;
      sendAll(socket, [turnState(`state-${turns}`), ...responseEvents('OK')]);
    },
  });
  const proxy = await proxyTo(backend.url);
  const output = { type: 'function_call_output', call_id: 'c', output: 'x' };
  for (const input of [
    [user('a')],
    [user('a'), output],
    [user('a'), output, output],
    [user('a'), user('b')],
  ]) {
    await (await post(`${proxy}/v1/responses`, { ...hello, input })).text();
  }
  const states = backend.turns().map((body) => body.client_metadata['x-codex-turn-state']);
  expect(states).toEqual([undefined, 'state-1', 'state-1', undefined]);
});

it('keeps the turn states of two parallel turns apart', async () => {
  const turnState = (value: string) =>
    `{"type":"response.metadata","headers":{"x-codex-turn-state":"${value}"}}`;
  const broken: (() => void)[] = [];
  const backend = await startTestBackend({
    message: (socket, { input }) => {
      const isFirst = JSON.stringify(input).includes('first');
      if (isFirst && broken.length === 0) {
        broken.push(() => socket.terminate());
        socket.send(turnState('state-1'));
      } else sendAll(socket, [turnState('state-2'), ...responseEvents('OK')]);
    },
  });
  const proxy = await proxyTo(backend.url);
  const turn = (input: string) =>
    post(`${proxy}/v1/responses`, { ...hello, input, stream: false, prompt_cache_key: 'one' });
  const first = turn('first');
  await expect.poll(() => broken.length).toBe(1);
  await (await turn('second')).text();
  for (const end of broken) end();
  await (await first).text();
  const retry = backend.turns().at(-1);
  expect(JSON.stringify(retry?.input)).toContain('first');
  expect(retry?.client_metadata['x-codex-turn-state']).toBe('state-1');
});

it('repeats a turn state from a header in a header', async () => {
  const backend = await startTestBackend({
    upgrade: () => refusedWith('426 Upgrade Required'),
    post: (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'x-codex-turn-state': 'state-1' });
      response.end(responseEvents('OK').map(sse).join(''));
    },
  });
  const proxy = await proxyTo(backend.url);
  const output = { type: 'function_call_output', call_id: 'c', output: 'x' };
  for (const input of [[user('a')], [user('a'), output], [user('a'), user('b')]]) {
    await (await post(`${proxy}/v1/responses`, { ...hello, input })).text();
  }
  expect([1, 2, 3].map((at) => sentHeader(backend, at, 'x-codex-turn-state'))).toEqual([
    undefined,
    'state-1',
    undefined,
  ]);
});

it('sends previous_response_id over the connection that has the response', async () => {
  const backend = await startTestBackend({
    message: (socket, { input }) => sendAll(socket, responseEvents('OK', `resp_${input.length}`)),
  });
  const proxy = await proxyTo(backend.url);
  await (await post(`${proxy}/v1/responses`, { ...hello, input: [user('one')] })).text();
  const next = {
    model: 'm',
    stream: true,
    previous_response_id: 'resp_1',
    input: [user('two'), user('three')],
  };
  await (await post(`${proxy}/v1/responses`, next)).text();
  expect(backend.received).toHaveLength(1);
  expect(backend.turns()[1]).toMatchObject({
    previous_response_id: 'resp_1',
    input: [user('two'), user('three')],
  });
});

it('sends the whole conversation if the connection with the previous response is lost', async () => {
  const backend = await startTestBackend({
    message: (socket) => sendAll(socket, responseEvents('OK', 'resp_1')),
  });
  const proxy = await proxyTo(backend.url);
  const named = { prompt_cache_key: session };
  await (await post(`${proxy}/v1/responses`, { ...hello, ...named, input: [user('one')] })).text();
  for (const socket of backend.sockets.clients) socket.terminate();
  await expect.poll(() => backend.sockets.clients.size).toBe(0);
  const next = { model: 'm', stream: true, ...named, previous_response_id: 'resp_1', input: [user('two')] };
  await (await post(`${proxy}/v1/responses`, next)).text();
  expect(backend.received).toHaveLength(2);
  const turn = backend.turns()[1];
  expect(turn).not.toHaveProperty('previous_response_id');
  expect(turn?.input).toMatchObject([user('one'), { type: 'message', role: 'assistant' }, user('two')]);
  expect(backend.received[1]?.messages).toHaveLength(1);
});

it("forwards the backend's error if it does not know the conversation", async () => {
  const error =
    '{"type":"error","status":400,"error":{"type":"invalid_request_error","code":"previous_response_not_found","message":"not found"}}';
  const backend = await startTestBackend({ message: (socket) => sendAll(socket, [error]) });
  const next = { ...hello, previous_response_id: 'resp_unknown' };
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, next);
  expect(response.status).toBe(400);
  expect(await response.json()).toEqual({ error: JSON.parse(error).error });
  expect(backend.turns()).toMatchObject([{ previous_response_id: 'resp_unknown' }]);
});

it('closes an idle upstream connection, and opens another for the next turn', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url, { limits: { ...fastRetries, connectionIdle: 20 } });
  await (await post(`${proxy}/v1/responses`, hello)).text();
  await expect.poll(() => backend.sockets.clients.size).toBe(0);
  await (await post(`${proxy}/v1/responses`, hello)).text();
  expect(backend.received.map(({ messages }) => messages.length)).toEqual([2, 1]);
});

it('starts no turn on an old upstream connection', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url, { limits: { ...fastRetries, connectionAge: 0 } });
  for (let n = 0; n < 2; n += 1) await (await post(`${proxy}/v1/responses`, hello)).text();
  expect(backend.received.map(({ messages }) => messages.length)).toEqual([2, 1]);
});

it('replaces references to items of the session by the items, for the next request of a tool loop', async () => {
  const reasoning = { id: 'rs_1', type: 'reasoning', summary: [], encrypted_content: 'x' };
  const call = { id: 'fc_1', type: 'function_call', call_id: 'c', name: 'f', arguments: '{}' };
  const response = { id: 'resp_1', status: 'completed', output: [reasoning, call] };
  const backend = await startTestBackend({
    message: (socket) =>
      sendAll(
        socket,
        [
          { type: 'response.created', response },
          { type: 'response.output_item.done', output_index: 0, item: reasoning },
          { type: 'response.output_item.done', output_index: 1, item: call },
          { type: 'response.completed', response },
        ].map((event) => JSON.stringify(event)),
      ),
  });
  const proxy = await proxyTo(backend.url);
  const output = { type: 'function_call_output', call_id: 'c', output: 'sunny' };
  const reference = (id: string) => ({ type: 'item_reference', id });
  await (await post(`${proxy}/v1/responses`, { ...hello, input: [user('hello')] })).text();
  const next = [user('hello'), reference('rs_1'), reference('fc_1'), reference('unknown'), output];
  await (await post(`${proxy}/v1/responses`, { ...hello, input: next })).text();
  expect(backend.turns()[1]?.input).toEqual([user('hello'), reasoning, call, reference('unknown'), output]);
});

it.each([
  ['prompt_cache_key', { prompt_cache_key: 'named' }, {}],
  ['a session header', {}, { 'session-id': 'named' }],
])('continues a response under the name that %s gives', async (_, members, headers) => {
  const backend = await startTestBackend({
    message: (socket) => sendAll(socket, responseEvents('OK', 'resp_1')),
  });
  const proxy = await proxyTo(backend.url);
  await (await post(`${proxy}/v1/responses`, { ...hello, input: [user('one')] })).text();
  const next = { ...hello, input: [user('two')], previous_response_id: 'resp_1', ...members };
  await (await post(`${proxy}/v1/responses`, next, headers)).text();
  const last = backend.received.at(-1);
  expect(backend.turns()[1]?.prompt_cache_key).toBe('named');
  expect(last?.headers).toContainEqual(['session-id', 'named']);
  expect(backend.turns()[1]?.input).toMatchObject([user('one'), { role: 'assistant' }, user('two')]);
});

it('continues a named conversation, of which the client sends only what is new', async () => {
  let turns = 0;
  const backend = await startTestBackend({
    message: (socket) => {
      turns += 1;
      sendAll(socket, responseEvents('OK', `resp_${turns}`));
    },
  });
  const proxy = await proxyTo(backend.url);
  for (const text of ['one', 'two']) {
    const request = { ...hello, input: [user(text)], conversation: { id: 'conv_1' } };
    await (await post(`${proxy}/v1/responses`, request)).text();
  }
  expect(backend.turns()[1]).toMatchObject({ previous_response_id: 'resp_1', input: [user('two')] });
});
