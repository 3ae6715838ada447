import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ChatChunks } from '../../../src/proxy/chat/chat-chunks.ts';
import { chatCompletion } from '../../../src/proxy/chat/chat-completion.ts';
import { ResponseCollector, readEvent, type UpstreamEvent } from '../../../src/proxy/http/upstream-events.ts';
import { printJson } from '../../../src/wire/json.ts';
import {
  added,
  completed,
  created,
  customCall,
  delta,
  done,
  event,
  functionCall,
  message,
  reasoning,
  refused,
  response,
} from './events.ts';

type ToolCall = {
  index: number;
  id?: string;
  type?: string;
  function?: { name?: string; arguments: string };
  custom?: { name?: string; input: string };
};
type Delta = {
  role?: string;
  content?: string | null;
  refusal?: string | null;
  tool_calls?: [ToolCall];
};
type Chunk = {
  choices: { index: number; delta: Delta; finish_reason: string | null }[];
  usage?: object | null;
};

function chunksOf(events: readonly UpstreamEvent[], includesUsage = false): Chunk[] {
  const chunks = new ChatChunks(includesUsage);
  return events.flatMap((event) => chunks.take(event)).map((chunk) => JSON.parse(printJson(chunk)));
}

/** Returns the deltas and the finish reason. */
const deltasOf = (...events: UpstreamEvent[]) =>
  chunksOf(events).flatMap(({ choices }) =>
    choices.map(({ delta, finish_reason }) => finish_reason ?? delta),
  );

const opening = { role: 'assistant', content: null, refusal: null };

it('gives all chunks the same head and sends the usage in a separate chunk', () => {
  const head = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 5, model: 'm' };
  const choice = (delta: Delta, finish_reason: string | null = null) => ({
    ...head,
    choices: [{ index: 0, delta, logprobs: null, finish_reason }],
    usage: null,
  });
  const events = [
    created,
    added(0, message()),
    delta('output_text', 0, 'hi'),
    done(0, message('hi')),
    completed(),
  ];
  expect(chunksOf(events, true)).toEqual([
    choice(opening),
    choice({ content: 'hi' }),
    choice({}, 'stop'),
    {
      ...head,
      choices: [],
      usage: {
        prompt_tokens: 3,
        completion_tokens: 4,
        total_tokens: 7,
        prompt_tokens_details: { cached_tokens: 1 },
        completion_tokens_details: { reasoning_tokens: 2 },
      },
    },
  ]);
});

it('omits the usage unless the client requests it and the backend sends it', () => {
  const silent = event('response.completed', { response: response('completed') });
  expect(chunksOf([created, completed()]).filter((chunk) => 'usage' in chunk)).toEqual([]);
  expect(chunksOf([created, silent], true).map(({ usage }) => usage)).toEqual([null, null]);
});

it('includes the tier that the backend reports', () => {
  const events = [
    event('response.created', { response: response('in_progress', { service_tier: 'auto' }) }),
    completed({ service_tier: 'priority' }),
  ];
  expect(chunksOf(events).at(-1)).toMatchObject({ service_tier: 'priority' });
});

it('sends no chunk before the first item, so that a failure can have an HTTP status', () => {
  const chunks = new ChatChunks(false);
  expect(chunks.take(created)).toEqual([]);
  expect(chunks.take(event('response.in_progress', { response: response('in_progress') }))).toEqual([]);
  expect(chunks.take(event('codex.rate_limits'))).toEqual([]);
  expect(chunks.take(added(0, reasoning))).toHaveLength(1);
});

it('streams tool calls by index and finishes with tool_calls', () => {
  const [f, g] = [functionCall('f', '{"x":1}'), functionCall('g', '{}')];
  expect(
    deltasOf(
      created,
      added(0, reasoning),
      done(0, reasoning),
      added(1, { ...f, arguments: '' }),
      added(2, { ...g, arguments: '' }),
      delta('function_call_arguments', 1, '{"x"'),
      delta('function_call_arguments', 2, '{}'),
      delta('function_call_arguments', 1, ':1}'),
      done(1, f),
      done(2, g),
      added(3, { ...customCall, input: '' }),
      delta('custom_tool_call_input', 3, 'g'),
      delta('custom_tool_call_input', 3, 'o'),
      done(3, customCall),
      completed(),
    ),
  ).toEqual([
    opening,
    { tool_calls: [{ index: 0, id: 'call_f', type: 'function', function: { name: 'f', arguments: '' } }] },
    { tool_calls: [{ index: 1, id: 'call_g', type: 'function', function: { name: 'g', arguments: '' } }] },
    { tool_calls: [{ index: 0, function: { arguments: '{"x"' } }] },
    { tool_calls: [{ index: 1, function: { arguments: '{}' } }] },
    { tool_calls: [{ index: 0, function: { arguments: ':1}' } }] },
    { tool_calls: [{ index: 2, id: 'call_c', type: 'custom', custom: { name: 'c', input: '' } }] },
    { tool_calls: [{ index: 2, custom: { input: 'g' } }] },
    { tool_calls: [{ index: 2, custom: { input: 'o' } }] },
    'tool_calls',
  ]);
});

it('sends text that no delta contained', () => {
  const call = functionCall('f', '{"x":1}');
  expect(
    deltasOf(
      created,
      done(0, message('one', 'two')),
      delta('function_call_arguments', 1, 'before its call was announced'),
      done(1, call),
      added(2, { ...call, arguments: '' }),
      delta('function_call_arguments', 2, '{"x'),
      done(2, call),
      completed(),
    ),
  ).toEqual([
    opening,
    { content: 'one' },
    { content: 'two' },
    { tool_calls: [{ index: 0, id: 'call_f', type: 'function', function: { name: 'f', arguments: '' } }] },
    { tool_calls: [{ index: 0, function: { arguments: '{"x":1}' } }] },
    { tool_calls: [{ index: 1, id: 'call_f', type: 'function', function: { name: 'f', arguments: '' } }] },
    { tool_calls: [{ index: 1, function: { arguments: '{"x' } }] },
    { tool_calls: [{ index: 1, function: { arguments: '":1}' } }] },
    'tool_calls',
  ]);
});

it('translates a response that has only a last event', () => {
  expect(deltasOf(created, completed({ output: [message('hi')] }))).toEqual([
    opening,
    { content: 'hi' },
    'stop',
  ]);
});

it('sends nothing twice, whatever the index of an item in the response', () => {
  const output = [message('hi')];
  expect(
    deltasOf(created, delta('output_text', 1, 'hi'), done(1, message('hi')), completed({ output })),
  ).toEqual([opening, { content: 'hi' }, 'stop']);
});

it('streams refusals as refusals', () => {
  expect(
    deltasOf(created, delta('refusal', 0, 'n'), delta('refusal', 0, 'o'), done(0, refused), completed()),
  ).toEqual([opening, { refusal: 'n' }, { refusal: 'o' }, 'stop']);
});

it.each([
  ['max_output_tokens', 'length'],
  ['content_filter', 'content_filter'],
])('finishes a response that is incomplete because of %s with %s', (reason, finish) => {
  const incomplete = response('incomplete', { incomplete_details: { reason }, output: [message('par')] });
  const events = [
    created,
    delta('output_text', 0, 'par'),
    event('response.incomplete', { response: incomplete }),
  ];
  expect(deltasOf(...events)).toEqual([opening, { content: 'par' }, finish]);
});

it.each([
  [
    event('response.incomplete', {
      response: response('incomplete', { incomplete_details: { reason: 'steered' } }),
    }),
    500,
    'response_incomplete',
  ],
  [
    event('response.failed', {
      response: response('failed', { error: { code: 'server_error', message: 'x' } }),
    }),
    500,
    'server_error',
  ],
  [
    event('error', { status: 429, error: { code: 'usage_limit_reached', message: 'x' } }),
    429,
    'usage_limit_reached',
  ],
])('throws the error of %j', (last, status, code) => {
  const chunks = new ChatChunks(false);
  chunks.take(created);
  expect(() => chunks.take(last)).toThrow(
    expect.objectContaining({ status, body: expect.stringContaining(`"code":"${code}"`) }),
  );
});

/** Joins the deltas of all chunks, as a client does. */
function assembled(chunks: readonly Chunk[]) {
  let [content, refusal]: (string | null)[] = [null, null];
  const calls: { id?: string; text: string }[] = [];
  for (const { choices } of chunks) {
    const delta = choices[0]?.delta;
    if (typeof delta?.content === 'string') content = (content ?? '') + delta.content;
    if (typeof delta?.refusal === 'string') refusal = (refusal ?? '') + delta.refusal;
    const call = delta?.tool_calls?.[0];
    if (call === undefined) continue;
    const text = call.function?.arguments ?? call.custom?.input ?? '';
    if (call.id !== undefined) calls[call.index] = { id: call.id, text };
    else calls[call.index] = { ...calls[call.index], text: (calls[call.index]?.text ?? '') + text };
  }
  return { content, refusal, calls, finish: chunks.at(-1)?.choices[0]?.finish_reason };
}

it('sends the same in chunks as in one completion', () => {
  const words = fc.string({ minLength: 1 });
  const kind = fc.constantFrom('message', 'refusal', 'function', 'custom', 'reasoning');
  const item = fc.record({ kind, words, split: fc.nat(5), streamed: fc.boolean() });
  fc.assert(
    fc.property(fc.array(item, { maxLength: 6 }), (items) => {
      const events = [created, ...items.flatMap(eventsOf), completed()];
      const collector = new ResponseCollector();
      const whole = events.map((event) => collector.take(event)).at(-1);
      if (whole === undefined) throw new Error('the response did not end');
      const { choices } = JSON.parse(printJson(chatCompletion(whole)));
      const { content, refusal, tool_calls = [] } = choices[0].message;
      const calls = tool_calls.map((call: ToolCall) => ({
        id: call.id,
        text: call.function?.arguments ?? call.custom?.input,
      }));
      expect(assembled(chunksOf(events))).toEqual({
        content,
        refusal,
        calls,
        finish: choices[0].finish_reason,
      });
    }),
  );
});

type Item = { kind: string; words: string; split: number; streamed: boolean };

function eventsOf({ kind, words, split, streamed }: Item, place: number): UpstreamEvent[] {
  if (kind === 'reasoning') return [added(place, reasoning), done(place, reasoning)];
  const table: Record<string, readonly [of: string, begun: object, item: object]> = {
    message: ['output_text', message(), message(words)],
    refusal: ['refusal', message(), { ...refused, content: [{ type: 'refusal', refusal: words }] }],
    function: ['function_call_arguments', functionCall('f', ''), functionCall('f', words)],
    custom: ['custom_tool_call_input', { ...customCall, input: '' }, { ...customCall, input: words }],
  };
  const [of, begun, item] = table[kind] ?? ['', {}, {}];
  const parts = streamed ? [words.slice(0, split), words.slice(split)].filter((part) => part !== '') : [];
  return [
    added(place, { ...begun }),
    ...parts.map((part) => delta(of, place, part)),
    done(place, { ...item }),
  ];
}

it('keeps the spelling of token counts', () => {
  const text = completed().text.replace('"total_tokens":7', '"total_tokens":12345678901234567890');
  const last = readEvent(text);
  if (last === undefined) throw new Error('the event was not read');
  const chunks = new ChatChunks(true).take(last).map(printJson);
  expect(chunks.at(-1)).toContain('"total_tokens":12345678901234567890,');
});
