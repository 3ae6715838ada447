import { expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { startBackend } from '../../src/backend/backend.ts';
import type { BackendObservation } from '../../src/backend/respond.ts';
import { itemsOf, member, stringAt } from '../../src/wire/json.ts';
import { openWebSocket, post, proxyTo, receiveResponse } from './setup.ts';

/**
 * The cases of the compliance test of Open Responses, https://www.openresponses.org/compliance, and its schemas as far as these
 * cases reach: required members and their types.
 */
const part = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('output_text'),
    text: z.string(),
    annotations: z.array(z.unknown()),
    logprobs: z.array(z.unknown()),
  }),
  z.object({ type: z.literal('summary_text'), text: z.string() }),
  z.object({ type: z.literal('refusal'), refusal: z.string() }),
]);
const status = z.enum(['in_progress', 'completed', 'incomplete']);
const item = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('message'),
    id: z.string(),
    status,
    role: z.literal('assistant'),
    content: z.array(part),
  }),
  z.object({
    type: z.literal('function_call'),
    id: z.string(),
    call_id: z.string(),
    name: z.string(),
    arguments: z.string(),
    status,
  }),
  z.object({
    type: z.literal('reasoning'),
    id: z.string(),
    summary: z.array(part),
    encrypted_content: z.string().nullish(),
  }),
]);
const count = z.int().nonnegative();
const usage = z.object({
  input_tokens: count,
  output_tokens: count,
  total_tokens: count,
  input_tokens_details: z.object({ cached_tokens: count }),
  output_tokens_details: z.object({ reasoning_tokens: count }),
});
const responseResource = z.object({
  id: z.string(),
  object: z.literal('response'),
  created_at: z.int(),
  completed_at: z.int().nullable(),
  status: z.string(),
  incomplete_details: z.object({ reason: z.string() }).nullable(),
  model: z.string(),
  previous_response_id: z.string().nullable(),
  instructions: z.string().nullable(),
  output: z.array(item),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
  tools: z.array(z.object({ type: z.literal('function'), name: z.string() })),
  tool_choice: z.union([z.enum(['none', 'auto', 'required']), z.object({ type: z.string() })]),
  truncation: z.enum(['auto', 'disabled']),
  parallel_tool_calls: z.boolean(),
  text: z.object({ format: z.object({ type: z.string() }) }),
  top_p: z.number(),
  presence_penalty: z.number(),
  frequency_penalty: z.number(),
  top_logprobs: z.int(),
  temperature: z.number(),
  reasoning: z.object({ effort: z.string().nullish(), summary: z.string().nullish() }).nullable(),
  usage: usage.nullable(),
  max_output_tokens: z.int().nullable(),
  max_tool_calls: z.int().nullable(),
  store: z.boolean(),
  background: z.boolean(),
  service_tier: z.string(),
  metadata: z.object({}),
  safety_identifier: z.string().nullable(),
  prompt_cache_key: z.string().nullable(),
});
type ResponseResource = z.output<typeof responseResource>;

const sequence_number = count;
const outputIndex = { sequence_number, output_index: count };
const ofItem = { ...outputIndex, item_id: z.string() };
const ofContent = { ...ofItem, content_index: count };
const ofSummary = { ...ofItem, summary_index: count };
const typed = <Type extends string, Members extends z.ZodRawShape>(type: Type, members: Members) =>
  z.object({ type: z.literal(type), ...members });
const withResponse = { sequence_number, response: responseResource };
const streamingEvent = z.discriminatedUnion('type', [
  typed('response.created', withResponse),
  typed('response.in_progress', withResponse),
  typed('response.completed', withResponse),
  typed('response.output_item.added', { ...outputIndex, item }),
  typed('response.output_item.done', { ...outputIndex, item }),
  typed('response.content_part.added', { ...ofContent, part }),
  typed('response.content_part.done', { ...ofContent, part }),
  typed('response.output_text.delta', { ...ofContent, delta: z.string(), logprobs: z.array(z.unknown()) }),
  typed('response.output_text.done', { ...ofContent, text: z.string(), logprobs: z.array(z.unknown()) }),
  typed('response.function_call_arguments.delta', { ...ofItem, delta: z.string() }),
  typed('response.function_call_arguments.done', { ...ofItem, arguments: z.string() }),
  typed('response.reasoning_summary_part.added', { ...ofSummary, part }),
  typed('response.reasoning_summary_part.done', { ...ofSummary, part }),
  typed('response.reasoning_summary_text.delta', { ...ofSummary, delta: z.string() }),
  typed('response.reasoning_summary_text.done', { ...ofSummary, text: z.string() }),
]);
type StreamingEvent = z.output<typeof streamingEvent>;

const message = (role: string, content: unknown) => ({ type: 'message', role, content });
const weather = {
  input: [message('user', 'Is it warm in Lisbon?')],
  tools: [
    {
      type: 'function',
      name: 'get_weather',
      description: 'The weather of a place.',
      parameters: { type: 'object', properties: { place: { type: 'string' } }, required: ['place'] },
    },
  ],
};
const pixel =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

type Case = {
  readonly id: string;
  readonly request: object;
  /** The type of an item that the output must have. */
  readonly item: ResponseResource['output'][number]['type'];
  /** What must have reached the backend. */
  readonly arrives?: string;
};

const cases: readonly Case[] = [
  { id: 'basic-response', request: { input: [message('user', 'Greet me.')] }, item: 'message' },
  { id: 'text as input', request: { input: 'Greet me.' }, item: 'message' },
  {
    id: 'system-prompt',
    request: { input: [message('system', 'Speak like a sailor.'), message('user', 'Greet me.')] },
    item: 'message',
    arrives: 'Speak like a sailor.',
  },
  { id: 'tool-calling', request: weather, item: 'function_call' },
  {
    id: 'image-input',
    request: {
      input: [
        message('user', [
          { type: 'input_text', text: 'What is this?' },
          { type: 'input_image', image_url: pixel },
        ]),
      ],
    },
    item: 'message',
    arrives: pixel,
  },
  {
    id: 'multi-turn',
    request: {
      input: [
        message('user', 'I am called Ada.'),
        message('assistant', 'Hello Ada.'),
        message('user', 'How am I called?'),
      ],
    },
    item: 'message',
    arrives: 'Hello Ada.',
  },
];

async function startStage() {
  const events: BackendObservation[] = [];
  const backend = await startBackend({
    strict: true,
    script: [],
    replyTo: ({ functions = [], body }) => {
      const hasOutput = itemsOf(member(body, 'input')).some(
        (one) => stringAt(one, 'type') === 'function_call_output',
      );
      const reasoning = 'I think.';
      if (functions.length === 0 || hasOutput) return { reply: 'text', text: 'Ahoy!', reasoning };
      const call = {
        call: 'tool',
        name: 'get_weather',
        arguments: '{"place":"Lisbon"}',
        output: '',
      } as const;
      return { reply: 'tool_calls', style: 'function', calls: [call], reasoning };
    },
    onEvent: (event) => events.push(event),
  });
  onTestFinished(() => backend.close());
  const origin = await proxyTo(new URL(`${backend.origin}/backend-api/codex`));
  const arrived = () =>
    events.flatMap((event) => (event.type === 'create' && !event.prewarm ? [event.body] : []));
  const refused = () => events.filter(({ type }) => type === 'refused');
  return { origin, arrived, refused };
}

type Transport = {
  readonly name: string;
  /** Sends a request, and returns its response and its events, if it has some. */
  readonly send: (origin: string, request: object) => Promise<{ response: unknown; events: unknown[] }>;
};

const transports: readonly Transport[] = [
  {
    name: 'whole',
    send: async (origin, request) => {
      const response = await post(`${origin}/v1/responses`, { ...request, stream: false });
      expect(response.status).toBe(200);
      return { response: await response.json(), events: [] };
    },
  },
  {
    name: 'streamed',
    send: async (origin, request) => {
      const response = await post(`${origin}/v1/responses`, { ...request, stream: true });
      expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
      const blocks = (await response.text()).trimEnd().split('\n\n');
      const events = blocks.map((block) => {
        const { name, data = '' } = /^event: (?<name>.*)\ndata: (?<data>.*)$/.exec(block)?.groups ?? {};
        const event = JSON.parse(data);
        expect(event.type).toBe(name);
        return event;
      });
      return { response: events.at(-1)?.response, events };
    },
  },
  {
    name: 'over the websocket',
    send: async (origin, request) => {
      const socket = await openWebSocket(`${origin}/v1/responses`);
      const received = receiveResponse(socket);
      socket.send(JSON.stringify({ type: 'response.create', ...request }));
      const events = (await received).map((text) => JSON.parse(text));
      return { response: events.at(-1)?.response, events };
    },
  },
];

const all = cases.flatMap((one) => transports.map((transport) => ({ ...one, ...transport })));

it.each(all)(
  '$id, $name, is as Open Responses documents it',
  async ({ request, item: type, arrives, send }) => {
    const { origin, arrived, refused } = await startStage();

    const { response, events } = await send(origin, { model: 'another-model', ...request });

    const { status: end, output, completed_at } = responseResource.parse(response);
    expect(end).toBe('completed');
    expect(completed_at).not.toBeNull();
    expect(output.map((one) => one.type)).toContain(type);
    expect(refused()).toEqual([]);
    if (arrives !== undefined) expect(arrived()[0]).toContain(arrives);
    const parsed = events.map((event) => streamingEvent.parse(event));
    expect(parsed.map((event) => event.sequence_number)).toEqual(parsed.map((_, index) => index));
    if (parsed.length > 0) expect(typesOf(parsed, type)).toEqual(expectedTypes(type));
  },
);

/** The types of the events about items of a type, and of the response. */
function typesOf(events: readonly StreamingEvent[], type: Case['item']): string[] {
  const items = new Map(
    events.flatMap((event) => ('item' in event ? [[event.output_index, event.item.type]] : [])),
  );
  return events
    .filter((event) => !('output_index' in event) || items.get(event.output_index) === type)
    .map((event) => event.type);
}

function expectedTypes(type: Case['item']): string[] {
  const content =
    type === 'message'
      ? ['content_part.added', 'output_text.delta', 'output_text.done', 'content_part.done']
      : ['function_call_arguments.delta', 'function_call_arguments.done'];
  return ['created', 'in_progress', 'output_item.added', ...content, 'output_item.done', 'completed'].map(
    (name) => `response.${name}`,
  );
}
