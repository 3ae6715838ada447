import { join } from 'node:path';
import { expect, it } from 'vitest';
import { clientJson } from '../../../src/golden/trace/exchanges.ts';
import { printMembers, requestMembers } from '../../../src/proxy/shape/raw-json.ts';
import { loadShape, Shape } from '../../../src/proxy/shape/shape.ts';
import type { SignIn } from '../../../src/proxy/sign-in/sign-in.ts';
import { type HeaderList, headerValue } from '../../../src/wire/headers.ts';
import { isUuid7 } from '../../../src/wire/ids.ts';
import { committedGolden } from '../../golden/committed-goldens.ts';

const folder = join(import.meta.dirname, '..', '..', '..', 'traces');
const read = (codex: string, scenario: string) =>
  committedGolden(join(folder, codex, 'chatgpt', `${scenario}.golden.jsonl`));
const shapeOf = async (codex: string) =>
  new Shape(await read(codex, 'default'), { others: [await read(codex, 'fast')] });

const session = '01a20000-0000-7000-8000-000000000001';
const thread = '01a20000-0000-7000-8000-000000000002';
const signIn: SignIn = {
  lane: 'chatgpt',
  websockets: true,
  accessToken: 'the-token',
  accountId: 'the-account',
};
const turn = {
  type: 'response.create',
  model: 'm',
  input: [{ type: 'message', role: 'user', content: 'hello' }],
};

type Body = {
  prompt_cache_key: string;
  service_tier?: string;
  client_metadata: Record<string, string>;
};
type Shaped = { headers: HeaderList; body: Body; text: string };

async function shaped(
  request: object,
  {
    codex = '0.169.0',
    clientHeaders = [] as HeaderList,
    identity = { session, thread: session },
    tier = undefined as string | undefined,
  } = {},
): Promise<Shaped> {
  const shaper = (await shapeOf(codex)).shaper('websocket', { identity, clientHeaders });
  const facts = { host: 'backend.example', key: 'AAAAAAAAAAAAAAAAAAAAAA==', model: 'm', tier, signIn };
  const headers = shaper.handshakeHeaders(facts);
  const text = printMembers(shaper.body(requestMembers(JSON.stringify(request)) ?? []).members);
  return { headers, body: JSON.parse(text), text };
}

it('sends one session id in headers, body, client metadata and turn metadata if the client names no session', async () => {
  const { headers, body } = await shaped(turn);
  const { client_metadata: metadata } = body;
  const turnMetadata = JSON.parse(metadata['x-codex-turn-metadata'] ?? '');
  expect(headerValue(headers, 'session-id')).toBe(session);
  expect(headerValue(headers, 'x-client-request-id')).toBe(session);
  expect(headerValue(headers, 'x-codex-window-id')).toBe(`${session}:0`);
  expect(body.prompt_cache_key).toBe(session);
  expect(metadata).toMatchObject({
    session_id: session,
    thread_id: session,
    'x-codex-window-id': `${session}:0`,
  });
  expect(turnMetadata).toMatchObject({ session_id: session, thread_id: session });
});

it('replaces contradictory session ids by the effective one', async () => {
  const other = '01a20000-0000-7000-8000-00000000000f';
  const turnMetadata = JSON.stringify({
    session_id: other,
    thread_id: other,
    turn_id: 'kept',
    window_id: `${other}:3`,
  });
  const { body } = await shaped({
    ...turn,
    prompt_cache_key: 'something else',
    client_metadata: { session_id: other, thread_id: other, 'x-codex-turn-metadata': turnMetadata },
  });
  expect(body.prompt_cache_key).toBe(session);
  expect(body.client_metadata).toMatchObject({ session_id: session, thread_id: session });
  expect(JSON.parse(body.client_metadata['x-codex-turn-metadata'] ?? '')).toEqual({
    session_id: session,
    thread_id: session,
    turn_id: 'kept',
    window_id: `${session}:3`,
  });
});

it('sends the thread id of a subagent beside its session id', async () => {
  const { headers, body } = await shaped(turn, { identity: { session, thread } });
  expect(headerValue(headers, 'session-id')).toBe(session);
  expect(headerValue(headers, 'thread-id')).toBe(thread);
  expect(headerValue(headers, 'x-client-request-id')).toBe(thread);
  expect(body.prompt_cache_key).toBe(session);
  expect(body.client_metadata).toMatchObject({ session_id: session, thread_id: thread });
});

it('keeps the thread id that a reviewer sends as its cache key', async () => {
  const { body } = await shaped({ ...turn, prompt_cache_key: thread }, { identity: { session, thread } });
  expect(body.prompt_cache_key).toBe(thread);
  expect(body.client_metadata).toMatchObject({ session_id: session, thread_id: thread });
});

it('names the session header as the version does', async () => {
  const { headers } = await shaped(turn, { codex: '0.118.0' });
  expect(headers.map(([name]) => name)).toContain('session_id');
  expect(headers.map(([name]) => name)).not.toContain('session-id');
});

it('sends the account and token of the sign-in and never those of the client', async () => {
  const clientHeaders: HeaderList = [
    ['authorization', 'Bearer of-the-client'],
    ['chatgpt-account-id', 'of-the-client'],
  ];
  const { headers } = await shaped(turn, { clientHeaders });
  expect(headerValue(headers, 'authorization')).toBe('Bearer the-token');
  expect(headerValue(headers, 'chatgpt-account-id')).toBe('the-account');
});

it('sends what the goldens of lane fedramp have for an account of a government agency', async () => {
  const codex = '0.171.0';
  const shape = await loadShape([folder], codex);
  const model = 'gpt-6.2-sol';
  const facts = { host: 'backend.example', key: 'AAAAAAAAAAAAAAAAAAAAAA==', model, tier: undefined };
  const members = requestMembers(JSON.stringify({ ...turn, model })) ?? [];
  const identity = { session, thread: session };
  for (const lane of ['chatgpt', 'fedramp'] as const) {
    const account: SignIn = lane === 'fedramp' ? { ...signIn, fedramp: true } : signIn;
    const upgrade = shape.shaper('websocket', { identity }).handshakeHeaders({ ...facts, signIn: account });
    const post = await shape
      .shaper('http', { identity })
      .post({ members, host: facts.host, signIn: account });
    const [first, second] = committedGolden(
      join(folder, codex, lane, 'http-fallback.golden.jsonl'),
    ).exchanges;
    const names = (headers: readonly (readonly [string, unknown])[] = []) => headers.map(([name]) => name);
    expect(names(upgrade)).toEqual(names(first?.request.headers));
    expect(names(post.headers)).toEqual(names(second?.request.headers));
    const expected = lane === 'fedramp' ? 'true' : undefined;
    expect([upgrade, post.headers].map((headers) => headerValue(headers, 'x-openai-fedramp'))).toEqual([
      expected,
      expected,
    ]);
  }
});

it('never sends a Conversation_id, whatever the client sends', async () => {
  const { headers } = await shaped(turn, { clientHeaders: [['Conversation_id', session]] });
  expect(headerValue(headers, 'conversation_id')).toBeUndefined();
});

it.each(['0.118.0', '0.169.0'])(
  'puts the tier where codex %s has it, and in the routing hint',
  async (codex) => {
    const { body, text, headers } = await shaped(
      { ...turn, stream: true, include: [], service_tier: 'fast' },
      { codex, tier: 'priority' },
    );
    expect(body.service_tier).toBe('priority');
    const keys = Object.keys(JSON.parse(text));
    expect(keys[keys.indexOf('service_tier') - 1]).toBe(codex === '0.118.0' ? 'include' : 'stream');
    expect(headerValue(headers, 'x-codex-routing-hint')).toBe(
      codex === '0.118.0' ? undefined : 'model=m;tier=priority',
    );
  },
);

it.each(['default', 'auto'])('omits the tier if the request has %s', async (tier) => {
  const { text } = await shaped({ ...turn, service_tier: tier });
  expect(text).not.toContain('service_tier');
});

it('leaves instructions, tools, input and unknown members byte for byte unchanged', async () => {
  const { text } = await shaped({
    ...turn,
    previous_response_id: 'resp_1',
    instructions: 'Be {{brief}}.',
    tools: [{ type: 'function', name: 'f', parameters: { b: 1, a: 1.5 } }],
    whatever: { z: null },
  });
  expect(text).toContain('"instructions":"Be {{brief}}."');
  expect(text).toContain('"tools":[{"type":"function","name":"f","parameters":{"b":1,"a":1.5}}]');
  expect(text).toContain('"input":[{"type":"message","role":"user","content":"hello"}]');
  expect(text).toContain('"previous_response_id":"resp_1"');
  expect(text).toContain('"whatever":{"z":null}');
});

it('adds no instructions to a request without them', async () => {
  const { text } = await shaped(turn, { codex: '0.118.0' });
  expect(text).not.toContain('instructions');
});

it('fills values that the client does not send with values of the right kind', async () => {
  const { body } = await shaped(turn);
  expect(isUuid7(body.client_metadata.turn_id ?? '')).toBe(true);
  expect(body.client_metadata['x-codex-ws-stream-request-start-ms']).toMatch(/^1\d{12}$/);
});

it.each([
  ['0.118.0', 'http-fast'],
  ['0.145.0', 'http-model-not-lite'],
  ['0.169.0', 'http-fast'],
  ['0.169.0', 'http-model-not-lite'],
  ['0.171.0', 'http-fast'],
  ['0.171.0', 'http-model-not-lite'],
])(
  'orders the keys of a POST as in the golden of %s %s, whatever order the client has',
  async (codex, scenario) => {
    const golden = await read(codex, scenario);
    const http = await read(codex, 'http-fallback');
    const shape = new Shape(await read(codex, 'default'), { others: [golden], http });
    const steps = golden.exchanges.flatMap(({ request, steps: all }) =>
      request.method === 'POST' ? all : [],
    );
    const body = steps.map((step) => clientJson(step)).find((json) => json?.kind === 'object');
    const expected = body?.kind === 'object' ? body.members.map(([key]) => key) : [];
    const values = new Map([
      ['service_tier', '"priority"'],
      ['stream', 'true'],
      ['model', '"m"'],
    ]);
    const members = expected.toReversed().map((key) => [key, values.get(key) ?? '[]'] as const);
    const shaper = shape.shaper('http', { identity: { session, thread: session } });
    expect(Object.keys(JSON.parse(printMembers(shaper.body(members).members)))).toEqual(expected);
    expect(expected).toContain(scenario === 'http-fast' ? 'service_tier' : 'tools');
  },
);

it('orders the keys of a POST as the official client does, also those that no golden over HTTP has', async () => {
  const others = [await read('0.169.0', 'fast'), await read('0.169.0', 'model-not-lite')];
  const shape = new Shape(await read('0.169.0', 'default'), {
    others,
    http: await read('0.169.0', 'http-fallback'),
  });
  const identity = { session, thread: session };
  const keys = (transport: 'websocket' | 'http') => {
    const request = {
      ...turn,
      tool_choice: 'auto',
      tools: [],
      instructions: '',
      service_tier: 'fast',
      store: false,
      include: [],
    };
    const body = shape.shaper(transport, { identity }).body(requestMembers(JSON.stringify(request)) ?? []);
    return Object.keys(JSON.parse(printMembers(body.members))).filter((key) => key !== 'type');
  };
  expect(keys('http')).toEqual(keys('websocket'));
  expect(keys('http')).toEqual([
    'model',
    'instructions',
    'stream',
    'service_tier',
    'input',
    'tools',
    'tool_choice',
    'store',
    'include',
    'prompt_cache_key',
    'client_metadata',
  ]);
});
