import { expect, it } from 'vitest';
import type { ProxyOptions } from '../../src/proxy/server.ts';
import { headerValue } from '../../src/wire/headers.ts';
import { isUuid7 } from '../../src/wire/ids.ts';
import { decodeSse } from '../../src/wire/sse.ts';
import {
  fastRetries,
  openWebSocket,
  post,
  proxyTo,
  readEvents,
  receiveResponse,
  recordLogs,
  responseEvents,
  sendAll,
  sse,
  startTestBackend,
  type TestBackend,
} from './setup.ts';

const session = '01a20000-0000-7000-8000-000000000001';
const user = (text: string) => ({ type: 'message', role: 'user', content: [{ type: 'input_text', text }] });
const hello = { model: 'm', input: 'hello', stream: true };

/** The headers of the nth upstream request. */
function sent({ received }: TestBackend, at: number, name: string): string | undefined {
  return headerValue(received[at]?.headers ?? [], name);
}

function refusedWith(status: string): string {
  return `HTTP/1.1 ${status}\r\ncontent-length: 2\r\ncontent-type: application/json\r\n\r\n{}`;
}

it('takes a POST to the websocket and streams its events as they were worded', async () => {
  const events = responseEvents('Hi');
  const backend = await startTestBackend({ message: (socket) => sendAll(socket, events) });
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  expect(await response.text()).toBe(events.map(sse).join(''));
  expect(backend.received.map(({ transport }) => transport)).toEqual(['websocket']);
});

it('streams JSON of several lines as one event', async () => {
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

it('gives the whole response at once to a client that does not stream', async () => {
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

it('gives the items that were told of where the last event lists none', async () => {
  const events = responseEvents('Hi').map((event) =>
    event.replace(/("type":"response.completed".*"output":)\[.*\]/, '$1[]'),
  );
  const backend = await startTestBackend({ message: (socket) => sendAll(socket, events) });
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, { ...hello, stream: false });
  expect(await response.json()).toMatchObject({ output: [{ content: [{ text: 'Hi' }] }] });
});

it('sends streamed and whole requests, of HTTP and of the websocket, in the same shape', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url);
  const request = { model: 'm', input: [user('hello')], instructions: 'Be brief.', service_tier: 'fast' };
  await (await post(`${proxy}/v1/responses`, { ...request, stream: true, prompt_cache_key: 'a' })).text();
  await (await post(`${proxy}/v1/responses`, { ...request, prompt_cache_key: 'b' })).text();
  const client = await openWebSocket(`${proxy}/v1/responses`);
  client.send(JSON.stringify({ type: 'response.create', ...request, prompt_cache_key: 'c' }));
  await receiveResponse(client);
  const [one, other, third] = backend.turns().map((body) => ({
    keys: Object.keys(body),
    metadata: Object.keys(body.client_metadata).sort(),
    rest: JSON.stringify({ ...body, prompt_cache_key: '', client_metadata: '', previous_response_id: '' }),
  }));
  expect(other).toEqual(one);
  expect(third).toEqual(one);
  expect(backend.received.map(({ headers }) => headers.map(([name]) => name).join())).toEqual(
    Array(3).fill(backend.received[0]?.headers.map(([name]) => name).join()),
  );
});

it('makes the prewarm first, as the golden shows, and goes on from it', async () => {
  const backend = await startTestBackend();
  await (await post(`${await proxyTo(backend.url)}/v1/responses`, hello)).text();
  const [prewarm, turn] = (backend.received[0]?.messages ?? []).map((message) => JSON.parse(message));
  expect(prewarm).toMatchObject({ generate: false, input: [], store: false, stream: true });
  expect(prewarm.client_metadata.turn_id).toBe('');
  expect(turn).toMatchObject({ previous_response_id: 'resp_warm', input: [user('hello')] });
  expect(turn).not.toHaveProperty('generate');
});

it('keeps its connection for the next turn of the session, and for no other session', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url);
  for (const key of ['a', 'a', 'b']) {
    await (await post(`${proxy}/v1/responses`, { ...hello, prompt_cache_key: key })).text();
  }
  expect(backend.received.map(({ messages }) => messages.length)).toEqual([3, 2]);
  expect(backend.turns().map((body) => body.prompt_cache_key)).toEqual(['a', 'a', 'b']);
});

it('does not let two turns of a session wait for each other, and keeps a connection for each', async () => {
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
  const answers = [...(await Promise.all(both())), ...(await Promise.all(both()))];
  expect(answers.every((text) => text.includes('response.completed'))).toBe(true);
  expect(backend.received).toHaveLength(2);
});

it('shares no session between clients that show different keys', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url);
  for (const key of ['Bearer one', 'Bearer other']) {
    const headers = { authorization: key };
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
] as const)('has the session from %s at every place', async (_, body, headers, expected) => {
  const backend = await startTestBackend();
  await (await post(`${await proxyTo(backend.url)}/v1/responses`, { ...hello, ...body }, headers)).text();
  const [turn] = backend.turns();
  const metadata = JSON.parse(turn?.client_metadata['x-codex-turn-metadata'] ?? '');
  expect({
    header: sent(backend, 0, 'session-id'),
    request: sent(backend, 0, 'x-client-request-id'),
    window: sent(backend, 0, 'x-codex-window-id'),
    cache: turn?.prompt_cache_key,
    session: turn?.client_metadata.session_id,
    windowInBody: turn?.client_metadata['x-codex-window-id'],
    metadata: metadata.session_id,
    conversation: sent(backend, 0, 'conversation_id'),
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

it('derives one session for all turns of a conversation that names none', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url);
  const turns = [
    [user('hello')],
    [user('hello'), { type: 'message', role: 'assistant', content: [] }, user('more')],
    [user('another conversation')],
  ];
  for (const input of turns) await (await post(`${proxy}/v1/responses`, { ...hello, input })).text();
  const [one, again, other] = backend.turns().map((body) => body.prompt_cache_key);
  expect(again).toBe(one);
  expect(other).not.toBe(one);
  expect(isUuid7(one ?? '')).toBe(true);
});

it('puts an id that no header may hold under one that it may', async () => {
  const backend = await startTestBackend();
  await (
    await post(`${await proxyTo(backend.url)}/v1/responses`, { ...hello, prompt_cache_key: 'a\nb ☃' })
  ).text();
  expect(isUuid7(sent(backend, 0, 'session-id') ?? '')).toBe(true);
});

it('has fresh turn ids and clocks in each turn, and the same installation', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url);
  for (let n = 0; n < 2; n += 1) await (await post(`${proxy}/v1/responses`, hello)).text();
  const [one, other] = backend.turns().map(({ client_metadata: said }) => {
    const { turn_started_at_unix_ms: started, context_window_id: window } = JSON.parse(
      said['x-codex-turn-metadata'] ?? '',
    );
    return {
      turn: said.turn_id,
      started,
      window,
      installation: said['x-codex-installation-id'],
      stamp: said['x-codex-ws-stream-request-start-ms'],
    };
  });
  expect(other?.installation).toBe(one?.installation);
  expect(other?.window).toBe(one?.window);
  expect(other?.turn).not.toBe(one?.turn);
  expect(other?.started).toBeGreaterThan(one?.started);
  expect(Number(other?.stamp)).toBeGreaterThan(Number(one?.stamp));
});

it('tells of the same turn, in handshake and request, when it tries again', async () => {
  let turns = 0;
  const backend = await startTestBackend({
    message: (socket) => {
      turns += 1;
      if (turns === 1) socket.terminate();
      else sendAll(socket, responseEvents('OK'));
    },
  });
  await (await post(`${await proxyTo(backend.url)}/v1/responses`, hello)).text();
  const told = backend.turns().map((body) => JSON.parse(body.client_metadata['x-codex-turn-metadata'] ?? ''));
  expect(told[1]).toEqual(told[0]);
  expect(JSON.parse(sent(backend, 0, 'x-codex-turn-metadata') ?? '')).toMatchObject({
    request_kind: 'prewarm',
  });
  expect(JSON.parse(sent(backend, 1, 'x-codex-turn-metadata') ?? '')).toEqual(told[0]);
});

it('goes on with the turn when a tool has given its output', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url);
  const output = { type: 'function_call_output', call_id: 'c', output: 'x' };
  for (const input of [[user('a')], [user('a'), output], [user('a'), output, user('b')]]) {
    await (await post(`${proxy}/v1/responses`, { ...hello, input })).text();
  }
  const [one, again, other] = backend.turns().map((body) => body.client_metadata.turn_id);
  expect(again).toBe(one);
  expect(other).not.toBe(one);
});

it('says the turn state again until the turn ends, the first value that it heard', async () => {
  const told = (value: string) => `{"type":"response.metadata","headers":{"x-codex-turn-state":"${value}"}}`;
  let turns = 0;
  const backend = await startTestBackend({
    message: (socket) => {
      turns += 1;
      sendAll(socket, [told(`state-${turns}`), ...responseEvents('OK')]);
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
  const said = backend.turns().map((body) => body.client_metadata['x-codex-turn-state']);
  expect(said).toEqual([undefined, 'state-1', 'state-1', undefined]);
});

it('keeps the turn states of two turns apart that run side by side', async () => {
  const told = (value: string) => `{"type":"response.metadata","headers":{"x-codex-turn-state":"${value}"}}`;
  const broken: (() => void)[] = [];
  const backend = await startTestBackend({
    message: (socket, { input }) => {
      const isFirst = JSON.stringify(input).includes('first');
      if (isFirst && broken.length === 0) {
        broken.push(() => socket.terminate());
        socket.send(told('state-1'));
      } else sendAll(socket, [told('state-2'), ...responseEvents('OK')]);
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
  const again = backend.turns().at(-1);
  expect(JSON.stringify(again?.input)).toContain('first');
  expect(again?.client_metadata['x-codex-turn-state']).toBe('state-1');
});

it('says the turn state again in a header where it heard it in one', async () => {
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
  expect([1, 2, 3].map((at) => sent(backend, at, 'x-codex-turn-state'))).toEqual([
    undefined,
    'state-1',
    undefined,
  ]);
});

it("says the request's own model and effort in its turn metadata", async () => {
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
])('sends the tier %s as %s, with its hint', async (tier, expected, hint) => {
  const backend = await startTestBackend();
  await (await post(`${await proxyTo(backend.url)}/v1/responses`, { ...hello, service_tier: tier })).text();
  expect(backend.turns()[0]?.service_tier).toBe(expected);
  expect(sent(backend, 0, 'x-codex-routing-hint')).toBe(hint);
});

it('refuses a tier that there is not, before the backend hears of it', async () => {
  const backend = await startTestBackend();
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, {
    ...hello,
    service_tier: 'turbo',
  });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: { param: 'service_tier' } });
  expect(backend.received).toEqual([]);
});

it('leaves out what the backend refuses, and says so', async () => {
  const backend = await startTestBackend();
  const request = { ...hello, temperature: 0.2, max_output_tokens: 5, store: true, instructions: null };
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, request);
  expect(response.headers.get('x-codex-parity-dropped')).toBe('temperature, max_output_tokens, store');
  await response.text();
  const [turn] = backend.turns();
  expect(turn).toMatchObject({ store: false });
  expect(turn).not.toHaveProperty('temperature');
  expect(turn).not.toHaveProperty('max_output_tokens');
  expect(turn).not.toHaveProperty('instructions');
});

it.each([null, '', undefined])('sends no instructions for %j', async (instructions) => {
  const backend = await startTestBackend();
  await (await post(`${await proxyTo(backend.url)}/v1/responses`, { ...hello, instructions })).text();
  expect(backend.received[0]?.messages.join()).not.toContain('instructions');
});

it("leaves the client's instructions, tools and input as they were spelled", async () => {
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

it('sends a request that was written with white space without it', async () => {
  const backend = await startTestBackend();
  const text = JSON.stringify({ ...hello, input: [user('a b')] }, null, 2);
  await (await post(`${await proxyTo(backend.url)}/v1/responses`, text)).text();
  expect(backend.received[0]?.messages[1]).not.toMatch(/[\n]|": /);
  expect(backend.turns()[0]?.input).toEqual([user('a b')]);
});

it('passes previous_response_id on over the connection that has the response', async () => {
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

it('sends all that was said where the connection with the previous response is lost', async () => {
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

it("passes the backend's error on where it does not know what was said", async () => {
  const error =
    '{"type":"error","status":400,"error":{"type":"invalid_request_error","code":"previous_response_not_found","message":"not found"}}';
  const backend = await startTestBackend({ message: (socket) => sendAll(socket, [error]) });
  const next = { ...hello, previous_response_id: 'resp_unknown' };
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, next);
  expect(response.status).toBe(400);
  expect(await response.json()).toEqual({ error: JSON.parse(error).error });
  expect(backend.turns()).toMatchObject([{ previous_response_id: 'resp_unknown' }]);
});

it('takes the turn to a new connection, without a prewarm, when one breaks before it answers', async () => {
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

it('takes the turn to a new connection when the old one has answered enough', async () => {
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

const errorOf = (status: number, code: string) =>
  JSON.stringify({ type: 'error', status, error: { type: 'x', code, message: 'this went wrong' } });

it.each([401, 403, 404, 500, 503, 529])(
  'takes the turn to a new connection, without a prewarm, after an error frame of %d',
  async (status) => {
    let turns = 0;
    const backend = await startTestBackend({
      message: (socket) => {
        turns += 1;
        sendAll(socket, turns === 1 ? [errorOf(status, 'x')] : responseEvents('OK'));
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
  [429, 'rate_limit_exceeded'],
  [503, 'server_is_overloaded'],
])('tells of an error frame of %d, %s, at once', async (status, code) => {
  const backend = await startTestBackend({ message: (socket) => sendAll(socket, [errorOf(status, code)]) });
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  expect(response.status).toBe(status);
  expect(await response.json()).toMatchObject({ error: { code, message: 'this went wrong' } });
  expect(backend.received).toHaveLength(1);
});

it('turns to HTTP when six connections have failed with a request', async () => {
  const backend = await startTestBackend({
    message: (socket) => sendAll(socket, [errorOf(500, 'server_error')]),
  });
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  expect(await response.text()).toContain('response.completed');
  expect(backend.received.map(({ transport }) => transport)).toEqual([...Array(6).fill('websocket'), 'http']);
  expect(backend.turns()).toHaveLength(7);
});

it('does not count a connection whose prewarm failed', async () => {
  let prewarms = 0;
  const backend = await startTestBackend({
    prewarm: (socket) => {
      prewarms += 1;
      socket.terminate();
    },
    message: (socket) => sendAll(socket, [errorOf(500, 'server_error')]),
  });
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  expect(await response.text()).toContain('response.completed');
  expect(prewarms).toBe(1);
  expect(backend.turns()).toHaveLength(7);
});

type Failure = number | { readonly status: number; readonly code?: string; readonly again?: string };

/** A backend that refuses upgrades, and whose first answers over HTTP are these failures; one of 0 is none. */
const overHttp = (failures: readonly Failure[], upgrade = '426 Upgrade Required') => {
  const left = [...failures];
  return startTestBackend({
    upgrade: () => refusedWith(upgrade),
    post: (response) => {
      const failure = left.shift() ?? 200;
      const {
        status,
        code = 'x',
        again = undefined,
      } = typeof failure === 'number' ? { status: failure } : failure;
      if (status === 0) {
        response.destroy();
        return;
      }
      const isError = status !== 200;
      response.writeHead(status, {
        'content-type': isError ? 'application/json' : 'text/event-stream',
        ...(again === undefined ? {} : { 'retry-after': again }),
      });
      response.end(isError ? `{"error":{"code":"${code}"}}` : responseEvents('OK').map(sse).join(''));
    },
  });
};

const limitReached = { status: 429, code: 'usage_limit_reached', again: '17' };

it('asks again over HTTP where an error breaks off, or is never told to its end', async () => {
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

it.each([401, 402, 403, 404, 408, 409, 422, 425, 500, 502, 503, 504, 529])(
  'asks again over HTTP after %d',
  async (status) => {
    const backend = await overHttp([status]);
    const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
    expect(await readEvents(response)).toHaveLength(responseEvents('OK').length);
    expect(backend.received.map(({ transport }) => transport)).toEqual(['websocket', 'http', 'http']);
  },
);

it('asks again over HTTP where an answer is no stream of events', async () => {
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

it.each(['403 Forbidden', '404 Not Found', '500 Internal Server Error'])(
  'tells of an error over HTTP where upgrades were refused with %s',
  async (upgrade) => {
    const backend = await overHttp([limitReached], upgrade);
    const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '17']);
    expect(backend.received.map(({ transport }) => transport)).toEqual([
      ...Array(7).fill('websocket'),
      'http',
    ]);
  },
);

const overloaded = { status: 503, code: 'server_is_overloaded' };

it.each<{ after: string; failures: Failure[]; asked: number }>([
  { after: '400', failures: [400], asked: 1 },
  { after: '429', failures: [429], asked: 1 },
  { after: 'a limit that is reached', failures: [limitReached], asked: 1 },
  { after: 'a plan without it', failures: [{ ...limitReached, code: 'usage_not_included' }], asked: 1 },
  { after: 'a quota that is used up', failures: [{ ...limitReached, code: 'insufficient_quota' }], asked: 1 },
  { after: '500 with a pause of an hour', failures: [{ status: 500, again: '3600' }], asked: 1 },
  { after: '500 and 429', failures: [500, 429], asked: 2 },
  { after: '404', failures: Array(6).fill(404), asked: 6 },
  { after: '429 with a pause', failures: Array(6).fill({ status: 429, again: '0' }), asked: 6 },
  { after: 'a model that is overloaded', failures: Array(5).fill(overloaded), asked: 5 },
  { after: 'the same with a pause', failures: Array(30).fill({ ...overloaded, again: '0' }), asked: 30 },
  { after: '500', failures: Array(30).fill(500), asked: 30 },
  {
    after: '500 and 404',
    failures: [...Array(4).fill(500), ...Array(5).fill(404), 500, 500, 404],
    asked: 12,
  },
])('asks $asked times over HTTP after $after, and tells of the last answer', async ({ failures, asked }) => {
  const backend = await overHttp(failures);
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  const last = failures.at(-1) ?? 0;
  expect(response.status).toBe(typeof last === 'number' ? last : last.status);
  expect(await response.json()).toMatchObject({ error: {} });
  expect(backend.turns()).toHaveLength(asked);
});

it('asks thirty times over HTTP where no answer comes', async () => {
  const backend = await overHttp(Array(30).fill(0));
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  expect([response.status, await response.json()]).toMatchObject([
    502,
    { error: { code: 'upstream_unreachable' } },
  ]);
  expect(backend.turns()).toHaveLength(30);
});

it.each([() => '1', () => new Date(Date.now() + 2000).toUTCString()])(
  'asks again over HTTP when the backend wants it to',
  async (again) => {
    const backend = await overHttp([{ status: 429, again: again() }]);
    const begun = Date.now();
    const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
    expect(await response.text()).toContain('response.completed');
    expect(Date.now() - begun).toBeGreaterThan(900);
  },
);

it('takes the turn to a new connection when the backend wants it to', async () => {
  let turns = 0;
  const frame = { type: 'error', status: 429, error: { code: 'x' }, headers: { 'retry-after': '1' } };
  const backend = await startTestBackend({
    message: (socket) => {
      turns += 1;
      sendAll(socket, turns === 1 ? [JSON.stringify(frame)] : responseEvents('OK'));
    },
  });
  const begun = Date.now();
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  expect(await readEvents(response)).toHaveLength(responseEvents('OK').length);
  expect(backend.received).toHaveLength(2);
  expect(Date.now() - begun).toBeGreaterThan(900);
});

it('renews a sign-in that two POSTs were refused with, and tells where it cannot be renewed', async () => {
  const backend = await overHttp([401, 401, 200, 401, 401]);
  let renewals = 0;
  const proxy = await proxyTo(backend.url, {
    signIn: () => ({ lane: 'chatgpt', websockets: true, accessToken: `token-${renewals}`, accountId: 'a' }),
    renew: async (_, refused) => {
      if (renewals > 0) throw new Error('not again');
      renewals += 1;
      return refused;
    },
  });
  const response = await post(`${proxy}/v1/responses`, hello);
  expect(await response.text()).toContain('response.completed');
  expect([1, 2, 3].map((at) => sent(backend, at, 'authorization'))).toEqual([
    'Bearer token-0',
    'Bearer token-0',
    'Bearer token-1',
  ]);
  expect((await post(`${proxy}/v1/responses`, hello)).status).toBe(401);
  expect(backend.turns()).toHaveLength(5);
});

it('renews a sign-in six times that is refused on and on, and tells of it after eighteen POSTs', async () => {
  const backend = await overHttp(Array(18).fill(401));
  let renewals = 0;
  const renew: ProxyOptions['renew'] = async (_, refused) => {
    renewals += 1;
    return refused;
  };
  expect((await post(`${await proxyTo(backend.url, { renew })}/v1/responses`, hello)).status).toBe(401);
  expect([backend.turns().length, renewals]).toEqual([18, 6]);
});

it('asks six times over HTTP with an API key that is refused', async () => {
  const backend = await overHttp(Array(6).fill(401));
  const proxy = await proxyTo(backend.url, {
    signIn: () => ({ lane: 'api-key', websockets: true, accessToken: 'the-key' }),
  });
  expect((await post(`${proxy}/v1/responses`, hello)).status).toBe(401);
  expect(backend.turns()).toHaveLength(6);
});

it('counts and logs what it asks again over HTTP', async () => {
  const { log, lines } = recordLogs();
  const backend = await overHttp([500, 404]);
  const proxy = await proxyTo(backend.url, { log });
  await (await post(`${proxy}/v1/responses`, hello)).text();
  expect(await (await fetch(`${proxy}/metrics`)).text()).toContain(
    'codex_parity_proxy_http_retries_total 2\n',
  );
  const retry = 'retrying over HTTP: the backend responded with';
  expect(lines).toEqual(expect.arrayContaining([`{} ${retry} 500`, `{} ${retry} 404`]));
});

it('tells the client of an answer that is cut off after it began', async () => {
  const backend = await startTestBackend({
    message: (socket) => socket.send(responseEvents('OK')[0] ?? '', () => socket.terminate()),
  });
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  const events = await readEvents(response);
  expect(JSON.parse(events.at(-1) ?? '')).toMatchObject({ type: 'error', error: { code: 'upstream_lost' } });
  expect(backend.received).toHaveLength(1);
});

/**
 * A backend whose first answer breaks off behind an item, over the websocket or over HTTP; the second is whole, and
 * tells of its item before the last event only.
 */
const breakingOff = (transport: 'websocket' | 'http') => {
  const later = responseEvents('lost').map((event) =>
    event.replaceAll('"output_index":0', '"output_index":1'),
  );
  const broken = [rateLimits, ...later.slice(0, 4)];
  const whole = responseEvents('OK').map((event) => event.replace(/"output":\[\{.*\]/, '"output":[]'));
  let answers = 0;
  return startTestBackend({
    message: (socket) => {
      answers += 1;
      if (answers > 1) return sendAll(socket, whole);
      sendAll(socket, broken);
      socket.terminate();
    },
    ...(transport === 'websocket' ? {} : { upgrade: () => refusedWith('426 Upgrade Required') }),
    post: (response) => {
      answers += 1;
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end((answers > 1 ? whole : broken).map(sse).join(''));
    },
  });
};
const rateLimits = '{"type":"codex.rate_limits","rate_limits":{}}';

it.each(['websocket', 'http'] as const)(
  'asks again over the %s where an answer breaks off that is wanted whole, and gives the second alone',
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
  'asks again over the %s where a chat answer breaks off that is wanted whole',
  async (transport) => {
    const backend = await breakingOff(transport);
    const chat = { model: 'm', messages: [{ role: 'user', content: 'hello' }] };
    const response = await post(`${await proxyTo(backend.url)}/v1/chat/completions`, chat);
    expect(await response.json()).toMatchObject({ choices: [{ message: { content: 'OK' } }] });
  },
);

it('asks again where a stream breaks off of which the client has heard nothing', async () => {
  let answers = 0;
  const backend = await startTestBackend({
    message: (socket) => {
      answers += 1;
      if (answers > 1) return sendAll(socket, responseEvents('OK'));
      socket.send(rateLimits, () => socket.terminate());
    },
  });
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  expect(await readEvents(response)).toHaveLength(responseEvents('OK').length);
});

it('goes on from the answer that came whole, not from the one before it that broke off', async () => {
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

it("has the backend's status, error and headers for an answer that fails at once", async () => {
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

it('has the error as the last event of a stream that had begun, and as the answer to who wants it whole', async () => {
  const error = { type: 'usage_limit_reached', message: 'no more', resets_at: 1700000000 };
  const frame = JSON.stringify({ type: 'error', status: 429, error, headers: { 'retry-after': '17' } });
  const begun = responseEvents('OK').slice(0, 3);
  const backend = await startTestBackend({ message: (socket) => sendAll(socket, [...begun, frame]) });
  const proxy = await proxyTo(backend.url);
  expect(await readEvents(await post(`${proxy}/v1/responses`, hello))).toEqual([...begun, frame]);
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

it('tells of an error that is the one event of a stream over HTTP', async () => {
  const frame = errorOf(500, 'server_error');
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

it('asks again over HTTP when a stream is cut off before it began', async () => {
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

it('turns to HTTP at once, and for the rest of the session, where the backend takes no websockets', async () => {
  const backend = await startTestBackend({ upgrade: () => refusedWith('426 Upgrade Required') });
  const proxy = await proxyTo(backend.url);
  for (let n = 0; n < 2; n += 1) {
    const response = await post(`${proxy}/v1/responses`, hello);
    expect(await response.text()).toContain('response.completed');
  }
  expect(backend.received.map(({ transport }) => transport)).toEqual(['websocket', 'http', 'http']);
  const [body] = backend.turns();
  expect(body).not.toHaveProperty('type');
  expect(sent(backend, 1, 'content-encoding')).toBe('zstd');
  expect(sent(backend, 1, 'connection')).toBeUndefined();
});

it.each([
  '402 Payment Required',
  '403 Forbidden',
  '404 Not Found',
  '408 Request Timeout',
  '429 Too Many Requests\r\nretry-after: 0',
  '500 Internal Server Error',
  '529 Overloaded',
])('turns to HTTP after seven upgrades that were refused with %s', async (status) => {
  const backend = await startTestBackend({ upgrade: () => refusedWith(status) });
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  expect(await response.text()).toContain('response.completed');
  expect(backend.received.map(({ transport }) => transport)).toEqual([...Array(7).fill('websocket'), 'http']);
});

it('stays with the websocket where an upgrade succeeds after all', async () => {
  const backend = await startTestBackend({
    upgrade: (n) => (n < 3 ? refusedWith('500 Internal Server Error') : undefined),
  });
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  expect(await response.text()).toContain('response.completed');
  expect(backend.received.map(({ transport }) => transport)).toEqual(Array(3).fill('websocket'));
});

it('says the same turn metadata in the header and the body of a POST', async () => {
  const backend = await startTestBackend({ upgrade: () => refusedWith('426 Upgrade Required') });
  await (await post(`${await proxyTo(backend.url)}/v1/responses`, hello)).text();
  expect(sent(backend, 1, 'x-codex-turn-metadata')).toBe(
    backend.turns()[0]?.client_metadata['x-codex-turn-metadata'],
  );
});

it('passes another refusal of an upgrade on as the answer', async () => {
  const refusal =
    'HTTP/1.1 429 Too Many Requests\r\nretry-after: 5\r\ncontent-type: application/json\r\ncontent-length: 40\r\n\r\n{"error":{"code":"usage_limit_reached"}}';
  const backend = await startTestBackend({ upgrade: () => refusal });
  const response = await post(`${await proxyTo(backend.url)}/v1/responses`, hello);
  expect([response.status, response.headers.get('retry-after')]).toEqual([429, '5']);
  expect(await response.json()).toEqual({ error: { code: 'usage_limit_reached' } });
  expect(backend.received).toHaveLength(1);
});

it('renews a sign-in that two upgrades were refused with, and prepares the model on the third', async () => {
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
  expect([0, 1, 2].map((at) => sent(backend, at, 'authorization'))).toEqual([
    'Bearer the-token',
    'Bearer the-token',
    'Bearer another-token',
  ]);
  expect(backend.received[2]?.messages).toHaveLength(2);
});

it('tells of a refused sign-in after four upgrades', async () => {
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

it('closes a connection that nobody uses for a while, and opens another', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url, { limits: { ...fastRetries, connectionIdle: 20 } });
  await (await post(`${proxy}/v1/responses`, hello)).text();
  await expect.poll(() => backend.sockets.clients.size).toBe(0);
  await (await post(`${proxy}/v1/responses`, hello)).text();
  expect(backend.received.map(({ messages }) => messages.length)).toEqual([2, 1]);
});

it('gives no new turn to a connection that is old', async () => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url, { limits: { ...fastRetries, connectionAge: 0 } });
  for (let n = 0; n < 2; n += 1) await (await post(`${proxy}/v1/responses`, hello)).text();
  expect(backend.received.map(({ messages }) => messages.length)).toEqual([2, 1]);
});

it('ends the upstream connection when the client leaves in the middle of an answer', async () => {
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

it('answers chat completions, whole and in chunks', async () => {
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
  const said = chunks.slice(0, -1).map((chunk) => JSON.parse(chunk).choices[0]?.delta.content ?? '');
  expect(said.join('')).toBe('OK');
});

it('tells chat clients of an error with its status', async () => {
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
