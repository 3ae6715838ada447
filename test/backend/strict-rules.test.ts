import { expect, it } from 'vitest';
import type { ScriptedReply } from '../../src/backend/reply.ts';
import { backendOf, connect, post, typesOf } from './backend-client.ts';

const user = { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'hello' }] };

/** A request that the strict backend accepts over either transport. */
const accepted = {
  model: 'gpt-test',
  instructions: '',
  input: [user],
  tools: [],
  store: false,
  stream: true,
  include: ['reasoning.encrypted_content'],
  client_metadata: {},
};
const without = (key: keyof typeof accepted) => {
  const { [key]: _, ...rest } = accepted;
  return rest;
};
const ending = (...items: object[]) => ({ ...accepted, input: [user, ...items] });

const detail = (text: string) => ({ status: 400, body: { detail: text }, message: text });
const invalid = (message: string, param: string | null, code: string | null, status = 400) => ({
  status,
  body: { error: { message, type: 'invalid_request_error', param, code } },
  message,
});
const notStored = (id: string) =>
  invalid(
    `Item with id '${id}' not found. Items are not persisted when \`store\` is set to false. Try again with \`store\` set to true, or remove this item from your input.`,
    'input',
    null,
    404,
  );
const tooLong = (param: string, length: number) =>
  invalid(
    `Invalid '${param}': string too long. Expected a string with maximum length 64, but got a string with length ${length} instead.`,
    param,
    'string_above_max_length',
  );

const call = { type: 'function_call', call_id: 'call_1', name: 'look', arguments: '{}' };
const output = { type: 'function_call_output', call_id: 'call_1', output: 'seen' };
const lite = { ws_request_header_x_openai_internal_codex_responses_lite: 'true' };

const refused: readonly {
  name: string;
  request: object;
  refusal: ReturnType<typeof detail | typeof invalid>;
}[] = [
  ...['max_output_tokens', 'temperature', 'metadata', 'user', 'stream_options', 'truncation'].map((key) => ({
    name: key,
    request: { ...accepted, [key]: 1 },
    refusal: detail(`Unsupported parameter: ${key}`),
  })),
  { name: 'no instructions', request: without('instructions'), refusal: detail('Instructions are required') },
  {
    name: 'instructions null',
    request: { ...accepted, instructions: null },
    refusal: detail('Instructions are required'),
  },
  {
    name: 'store true',
    request: { ...accepted, store: true },
    refusal: detail('Store must be set to false'),
  },
  { name: 'no store', request: without('store'), refusal: detail('Store must be set to false') },
  {
    name: 'stream false',
    request: { ...accepted, stream: false },
    refusal: detail('Stream must be set to true'),
  },
  { name: 'no stream', request: without('stream'), refusal: detail('Stream must be set to true') },
  {
    name: 'text as input',
    request: { ...accepted, input: 'hello' },
    refusal: detail('Input must be a list'),
  },
  {
    name: 'another tier',
    request: { ...accepted, service_tier: 'fast' },
    refusal: detail('Unsupported service_tier: fast'),
  },
  {
    name: 'a system message',
    request: ending({ role: 'system', content: 'Be brief.' }),
    refusal: detail('System messages are not allowed'),
  },
  {
    name: 'a tool without a type',
    request: { ...accepted, tools: [{ name: 'look' }] },
    refusal: detail('Unsupported tool type: None'),
  },
  {
    name: 'a tool in the form of chat completions',
    request: { ...accepted, tools: [{ type: 'function', function: { name: 'look' } }] },
    refusal: invalid(
      "Missing required parameter: 'tools[0].name'.",
      'tools[0].name',
      'missing_required_parameter',
    ),
  },
  {
    name: 'a long cache key',
    request: { ...accepted, prompt_cache_key: 'k'.repeat(65) },
    refusal: tooLong('prompt_cache_key', 65),
  },
  {
    name: 'a long call id',
    request: ending({ ...call, call_id: 'c'.repeat(70) }),
    refusal: tooLong('input[1].call_id', 70),
  },
  {
    name: 'a reference to an item',
    request: ending({ type: 'item_reference', id: 'msg_1' }),
    refusal: notStored('msg_1'),
  },
  {
    name: 'reasoning without its content',
    request: ending({ type: 'reasoning', id: 'rs_1', summary: [] }),
    refusal: notStored('rs_1'),
  },
  {
    name: 'reasoning with changed content',
    request: ending({ type: 'reasoning', summary: [], encrypted_content: 'gAAAAAmade-up' }),
    refusal: invalid(
      'The encrypted content gAAA...e-up could not be verified. Reason: Encrypted content could not be decrypted or parsed.',
      null,
      'invalid_encrypted_content',
    ),
  },
  {
    name: 'an id of another kind',
    request: ending({ ...call, id: 'call_1' }, output),
    refusal: invalid(
      "Invalid 'input[1].id': 'call_1'. Expected an ID that begins with 'fc'.",
      'input[1].id',
      'invalid_id_prefix',
    ),
  },
  {
    name: 'an assistant that has input',
    request: ending({ role: 'assistant', content: [{ type: 'input_text', text: 'hi' }] }),
    refusal: invalid(
      "Invalid value: 'input_text'. Supported values are: 'output_text' and 'refusal'.",
      'input[1].content[0]',
      'invalid_value',
    ),
  },
  {
    name: 'a tool that returns output_text',
    request: ending(call, { ...output, output: [{ type: 'output_text', text: 'seen' }] }),
    refusal: invalid(
      "Invalid value: 'output_text'. Supported values are: 'input_text', 'input_image', 'input_file', 'scoped_content', and 'encrypted_content'.",
      'input[2].output[0]',
      'invalid_value',
    ),
  },
  {
    name: 'an output without a call',
    request: ending(output),
    refusal: invalid('No tool call found for function call output with call_id call_1.', 'input', null),
  },
  {
    name: 'a call without an output',
    request: ending(call),
    refusal: invalid('No tool output found for function call call_1.', 'input', null),
  },
];

const strict = (...script: ScriptedReply[]) => backendOf({ script, strict: true });

it.each(refused)('refuses $name over HTTP', async ({ request, refusal }) => {
  const { backend, events } = await strict({ reply: 'text', text: 'OK' });
  const response = await post(backend, request);
  expect([response.status, JSON.parse(String(response.bytes))]).toEqual([refusal.status, refusal.body]);
  expect(events).toContainEqual({ type: 'refused', transport: 'http', message: refusal.message });
  expect(backend.used()).toBe(0);
});

it.each(refused)('refuses $name over the websocket', async ({ request, refusal }) => {
  const { backend, events } = await strict({ reply: 'text', text: 'OK' });
  const { request: send } = await connect(backend);
  const error =
    'error' in refusal.body
      ? refusal.body.error
      : { type: 'invalid_request_error', message: refusal.body.detail };
  expect(await send({ type: 'response.create', ...request })).toEqual([
    { type: 'error', status: refusal.status, error },
  ]);
  expect(events).toContainEqual({ type: 'refused', transport: 'websocket', message: refusal.message });
});

it('refuses over HTTP what only the websocket has', async () => {
  const { backend } = await strict();
  for (const key of ['type', 'previous_response_id', 'generate']) {
    const value = key === 'type' ? 'response.create' : 'resp_1';
    const { bytes } = await post(backend, { ...accepted, [key]: value });
    expect(JSON.parse(String(bytes))).toEqual({ detail: `Unsupported parameter: ${key}` });
  }
});

it('refuses a long session id in a header', async () => {
  const { backend } = await strict();
  const { bytes } = await post(backend, accepted, { headers: { 'session-id': 's'.repeat(70) } });
  expect(JSON.parse(String(bytes))).toEqual(tooLong('prompt_cache_key', 70).body);
});

it('accepts missing instructions of lite models, of messages that the client marks, and of chained requests', async () => {
  const { backend } = await strict({ reply: 'text', text: 'OK' }, { reply: 'text', text: 'OK' });
  const request = without('instructions');
  const { request: send } = await connect(backend);
  const prewarm = { type: 'response.create', ...request, client_metadata: lite, generate: false };
  const completed = { type: 'response.completed' };
  expect((await send(prewarm)).at(-1)).toMatchObject(completed);
  const marked = {
    ...user,
    role: 'developer',
    internal_chat_message_metadata_passthrough: { content_item_kinds: ['model.base_instructions'] },
  };
  const events = await send({ type: 'response.create', ...request, input: [marked, user] });
  expect(events.at(-1)).toMatchObject(completed);
  const { id } = Object(events.at(-1)?.response);
  const chained = { type: 'response.create', ...request, previous_response_id: id };
  expect((await send(chained)).at(-1)).toMatchObject(completed);
});

it('refuses hosted tools of lite models', async () => {
  const { backend } = await strict();
  const request = { ...accepted, tools: [{ type: 'web_search' }] };
  const { request: send } = await connect(backend);
  const message =
    'X-OpenAI-Internal-Codex-Responses-Lite only supports function tools, custom tools, and client-executed tool search.';
  expect(await send({ type: 'response.create', ...request, client_metadata: lite })).toMatchObject([
    { error: { message, param: 'tools', code: 'unsupported_value' } },
  ]);
  const headers = { 'x-openai-internal-codex-responses-lite': 'true' };
  expect(JSON.parse(String((await post(backend, request, { headers })).bytes))).toMatchObject({
    error: { message },
  });
});

it('knows only the responses of the same connection', async () => {
  const { backend } = await strict({ reply: 'text', text: 'OK' });
  const first = await connect(backend);
  const second = await connect(backend);
  const events = await first.request({ type: 'response.create', ...accepted });
  const { id } = Object(events.at(-1)?.response);
  expect(
    await second.request({ type: 'response.create', ...accepted, previous_response_id: id }),
  ).toMatchObject([
    { status: 400, error: { code: 'previous_response_not_found', param: 'previous_response_id' } },
  ]);
});

const reasoned: ScriptedReply = {
  reply: 'tool_calls',
  style: 'function',
  reasoning: 'It asks for a look.',
  calls: [{ call: 'tool', name: 'look', arguments: '{}', output: 'seen' }],
};

/** The items of a response, from the events that have them. */
const itemsOf = (events: readonly { readonly type: string; readonly [key: string]: unknown }[]) =>
  events.filter(({ type }) => type === 'response.output_item.done').map(({ item }) => Object(item));

it('accepts reasoning with its content, and the output of a call, chained or repeated', async () => {
  const { backend, events } = await strict(
    reasoned,
    { reply: 'text', text: 'A' },
    { reply: 'text', text: 'B' },
  );
  const { request: send } = await connect(backend);
  const first = await send({ type: 'response.create', ...accepted });
  const [thought, called] = itemsOf(first);
  expect([thought.type, called.type]).toEqual(['reasoning', 'function_call']);
  const seen = { type: 'function_call_output', call_id: called.call_id, output: 'seen' };
  const { id } = Object(first.at(-1)?.response);

  const chained = { type: 'response.create', ...accepted, previous_response_id: id, input: [seen] };
  expect((await send(chained)).at(-1)?.type).toBe('response.completed');
  const repeated = { type: 'response.create', ...ending(thought, called, seen) };
  expect((await send(repeated)).at(-1)?.type).toBe('response.completed');
  expect(events.filter(({ type }) => type === 'refused')).toEqual([]);
});

it('refuses to continue a response without the outputs of its calls', async () => {
  const { backend } = await strict(reasoned);
  const { request: send } = await connect(backend);
  const first = await send({ type: 'response.create', ...accepted });
  const { id } = Object(first.at(-1)?.response);
  const [, called] = itemsOf(first);
  expect(await send({ type: 'response.create', ...accepted, previous_response_id: id })).toMatchObject([
    { error: { message: `No tool output found for function call ${called.call_id}.` } },
  ]);
});

it('sends reasoning without content unless the request includes it', async () => {
  const { backend } = await strict(reasoned);
  const { datas } = await post(backend, { ...accepted, include: [] });
  const [thought] = itemsOf(datas.map((data) => JSON.parse(data)));
  expect(thought.type).toBe('reasoning');
  expect(thought).not.toHaveProperty('encrypted_content');
});

it('sends rate limits first, no output at the end, and no content type', async () => {
  const { backend } = await strict({ reply: 'text', text: 'A' }, { reply: 'text', text: 'B' });
  const { send, received } = await connect(backend);
  send({ type: 'response.create', ...accepted });
  const messages = await received(10);
  expect(typesOf(messages)[0]).toBe('codex.rate_limits');
  expect(JSON.parse(String(messages.at(-1))).response.output).toEqual([]);

  const { headers, datas } = await post(backend, accepted);
  expect(headers.get('content-type')).toBeNull();
  expect(JSON.parse(datas.at(-1) ?? '').response.output).toEqual([]);
});

it('leaves the requests of an API key alone', async () => {
  const { backend } = await strict({ reply: 'text', text: 'OK' });
  const { status, headers } = await post(backend, { ...accepted, store: true }, { path: '/v1/responses' });
  expect(status).toBe(200);
  expect(headers.get('content-type')).toMatch(/^text\/event-stream/);
});

it('is not strict by default', async () => {
  const { backend } = await backendOf({ script: [{ reply: 'text', text: 'OK' }] });
  expect((await post(backend, { model: 'm', temperature: 1 })).status).toBe(200);
});

it('lets the caller choose the reply', async () => {
  const { backend } = await backendOf({
    script: [{ reply: 'text', text: 'scripted' }],
    replyTo: ({ model }) => (model === 'chosen' ? { reply: 'text', text: 'chosen' } : undefined),
  });
  const textOf = async (model: string) => (await post(backend, { model })).bytes.toString();
  expect(await textOf('chosen')).toContain('"delta":"chosen"');
  expect(await textOf('other')).toContain('"delta":"scripted"');
});
