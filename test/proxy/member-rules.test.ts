import { expect, it } from 'vitest';
import {
  hello,
  openWebSocket,
  post,
  proxyTo,
  type RequestBody,
  receiveResponse,
  refusedWith,
  responseEvents,
  sendAll,
  sse,
  startTestBackend,
  type TestBackend,
  user,
} from './setup.ts';

/** Sends a request with these members. Returns the names of the dropped members, as the client learns them. */
type Surface = (proxy: string, members: object) => Promise<string | undefined>;

const asPost =
  (path: string, request: object): Surface =>
  async (proxy, members) => {
    const response = await post(`${proxy}${path}`, { ...request, ...members });
    await response.text();
    return response.headers.get('x-codex-parity-dropped') ?? undefined;
  };

const asMessage: Surface = async (proxy, members) => {
  const client = await openWebSocket(`${proxy}/v1/responses`);
  client.send(JSON.stringify({ type: 'response.create', ...hello, ...members }));
  const [first = '{}'] = await receiveResponse(client);
  return JSON.parse(first)['x-codex-parity-dropped'];
};

const chat = { model: 'm', messages: [{ role: 'user', content: 'hello' }] };

const surfaces = new Map<string, Surface>([
  ['a streamed response', asPost('/v1/responses', hello)],
  ['a whole response', asPost('/v1/responses', { ...hello, stream: false })],
  ['a websocket', asMessage],
  ['a chat completion', asPost('/v1/chat/completions', chat)],
]);

/** The transports to the backend. */
const backends = {
  websocket: () => startTestBackend(),
  HTTP: () => startTestBackend({ upgrade: () => refusedWith('426 Upgrade Required') }),
};

const each = [...surfaces].flatMap(([name, surface]) =>
  Object.entries(backends).map(([transport, start]) => ({ name, surface, transport, start })),
);

/** All requests that a backend received, with prewarms. */
const bodies = ({ received }: TestBackend): (RequestBody & Record<string, unknown>)[] =>
  received.flatMap(({ messages }) => messages).map((text) => JSON.parse(text));

it.each(each)('sends what the backend requires, for $name over $transport', async ({ surface, start }) => {
  const backend = await start();
  await surface(await proxyTo(backend.url), {});
  for (const body of bodies(backend)) {
    expect(body).toMatchObject({ store: false, instructions: '', include: ['reasoning.encrypted_content'] });
    expect(body.client_metadata).not.toHaveProperty(
      'ws_request_header_x_openai_internal_codex_responses_lite',
    );
  }
});

it.each(each)(
  'drops what the backend refuses, and says so, for $name over $transport',
  async ({ surface, start }) => {
    const backend = await start();
    const dropped = await surface(await proxyTo(backend.url), {
      temperature: 0.5,
      presence_penalty: 0.5,
      stop: ['END'],
      store: true,
      logit_bias: { 5: 1 },
      context_management: [{ type: 'compaction' }],
      conversation_id: 'mine',
      'not in a\nheader': 1,
      logprobs: false,
      frequency_penalty: 0,
      previous_response_id: '',
    });
    expect(dropped?.split(', ').sort()).toEqual([
      'context_management',
      'conversation_id',
      'logit_bias',
      'presence_penalty',
      'store',
      'temperature',
      'unknown',
    ]);
    expect(bodies(backend).map((body) => Object.keys(body).sort())).toEqual(
      bodies(await control(start, surface)).map((body) => Object.keys(body).sort()),
    );
  },
);

/** A backend that received the same request without further members. */
async function control(start: () => Promise<TestBackend>, surface: Surface): Promise<TestBackend> {
  const backend = await start();
  await surface(await proxyTo(backend.url), {});
  return backend;
}

it.each([
  ['n', 2],
  ['prompt', { id: 'pmpt_1' }],
])('refuses %s: %j on every surface', async (param, value) => {
  const backend = await startTestBackend();
  const proxy = await proxyTo(backend.url);
  for (const [path, request] of [
    ['/v1/responses', hello],
    ['/v1/chat/completions', chat],
  ] as const) {
    const response = await post(`${proxy}${path}`, { ...request, [param]: value });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { param, code: 'unsupported_parameter' } });
  }
  const client = await openWebSocket(`${proxy}/v1/responses`);
  client.send(JSON.stringify({ type: 'response.create', ...hello, [param]: value }));
  expect(JSON.parse((await receiveResponse(client)).join())).toMatchObject({ status: 400, error: { param } });
  expect(backend.received).toEqual([]);
});

it.each([
  [
    'a POST',
    asPost('/v1/responses', hello),
    { input: [{ role: 'system', content: 'Be brief.' }, user('hi')] },
  ],
  [
    'a websocket',
    asMessage,
    { input: [{ type: 'message', role: 'system', content: 'Be brief.' }, user('hi')] },
  ],
  [
    'chat',
    asPost('/v1/chat/completions', chat),
    {
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'hi' },
      ],
    },
  ],
] as const)('sends a system message as a developer message, from %s', async (_, surface, members) => {
  const backend = await startTestBackend();
  await surface(await proxyTo(backend.url), members);
  expect(backend.turns()[0]?.input).toMatchObject([{ role: 'developer' }, { role: 'user' }]);
  expect(JSON.stringify(backend.turns())).not.toContain('"system"');
});

it('drops the names of chat messages, and says so', async () => {
  const backend = await startTestBackend();
  const messages = [{ role: 'user', name: 'Ann', content: 'hello' }];
  expect(await surfaces.get('a chat completion')?.(await proxyTo(backend.url), { messages })).toBe(
    'messages.name',
  );
  expect(backend.turns()[0]?.input).toEqual([user('hello')]);
});

it.each([null, '', undefined, 'Be brief.'])(
  'sends the instructions %j to a model that is not lite',
  async (value) => {
    const backend = await startTestBackend();
    await asPost('/v1/responses', hello)(await proxyTo(backend.url), { instructions: value });
    expect(bodies(backend).map(({ instructions }) => instructions)).toEqual([value ?? '', value ?? '']);
  },
);

it.each([null, '', undefined])('sends no instructions to a lite model for %j', async (instructions) => {
  const backend = await startTestBackend();
  const lite = { model: 'gpt-6.1-sol', instructions, tools: [{ type: 'function', name: 'f' }] };
  await asPost('/v1/responses', hello)(await proxyTo(backend.url), lite);
  for (const body of bodies(backend)) {
    expect(body).not.toHaveProperty('instructions');
    // The model is lite, wherever the tools are.
    expect(body.client_metadata).toHaveProperty('ws_request_header_x_openai_internal_codex_responses_lite');
  }
});

it('keeps what the client includes, and asks for encrypted reasoning once', async () => {
  const backend = await startTestBackend();
  const include = ['message.input_image.image_url', 'reasoning.encrypted_content'];
  await asPost('/v1/responses', hello)(await proxyTo(backend.url), { include });
  expect(bodies(backend)[0]?.include).toEqual(include);
});

const backendOnly = [
  '{"type":"codex.rate_limits","plan_type":"pro"}',
  '{"type":"codex.response.metadata","headers":{}}',
  '{"type":"response.metadata","headers":{}}',
  '{"type":"keepalive"}',
  'not an event',
];

it.each(['websocket', 'HTTP'])(
  'sends programs only events of the API, from a backend over %s',
  async (transport) => {
    const events = [
      ...backendOnly,
      ...responseEvents('OK').flatMap((event) => [event, ...backendOnly.slice(0, 3)]),
    ];
    const stream = events
      .map((event) => (event.startsWith('{') ? sse(event) : `data: ${event}\n\n`))
      .join('');
    const backend = await startTestBackend({
      message: (socket) => sendAll(socket, events),
      upgrade: () => (transport === 'HTTP' ? refusedWith('426 Upgrade Required') : undefined),
      post: (response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.end(stream);
      },
    });
    const proxy = await proxyTo(backend.url);
    const types = responseEvents('').map((event) => JSON.parse(event).type);
    const streamed = await (await post(`${proxy}/v1/responses`, hello)).text();
    expect([...streamed.matchAll(/^event: (.*)$/gm)].map(([, type]) => type)).toEqual(types);
    const client = await openWebSocket(`${proxy}/v1/responses`);
    client.send(JSON.stringify({ type: 'response.create', ...hello }));
    expect((await receiveResponse(client)).map((event) => JSON.parse(event).type)).toEqual(types);
  },
);

it('writes ids, times and flags of client metadata itself, and keeps the rest', async () => {
  const backend = await startTestBackend();
  const frozen = '01a20000-0000-7000-8000-00000000000f';
  const client_metadata = {
    turn_id: frozen,
    thread_id: 'another',
    conversation_id: 'mine',
    'x-codex-turn-metadata': JSON.stringify({ turn_id: frozen }),
    team: 'blue',
  };
  const proxy = await proxyTo(backend.url);
  const surface = asPost('/v1/responses', { ...hello, prompt_cache_key: 'a', client_metadata });
  for (let n = 0; n < 2; n += 1) await surface(proxy, {});
  const [first, second] = backend.turns().map((body) => body.client_metadata);
  expect(first).toMatchObject({ session_id: 'a', thread_id: 'a', team: 'blue' });
  expect(JSON.stringify([first, second])).not.toMatch(new RegExp(`${frozen}|another|conversation_id`));
  expect(second?.turn_id).not.toBe(first?.turn_id);
  expect(JSON.parse(second?.['x-codex-turn-metadata'] ?? '')).toMatchObject({
    turn_id: second?.turn_id,
    session_id: 'a',
  });
});

it('follows the rules for a request to compact', async () => {
  const backend = await startTestBackend({ post: (response) => response.end('{"output":[]}') });
  const request = {
    model: 'm',
    input: [{ role: 'system', content: 'Be brief.' }],
    temperature: 1,
    store: true,
  };
  const response = await post(`${await proxyTo(backend.url)}/v1/responses/compact`, request);
  expect(await response.text()).toBe('{"output":[]}');
  const input = [{ role: 'developer', content: 'Be brief.' }];
  expect(bodies(backend)).toEqual([{ model: 'm', instructions: '', input }]);
});
