import type OpenAI from 'openai';
import { expect, it } from 'vitest';
import { CollectedCompletion } from '../../src/client/openai/collected-completion.ts';
import { resultNeutrality } from '../../src/diff/neutrality/library.ts';
import { exchangeOf, message } from './exchange.ts';

const citation = { start_index: 0, end_index: 2, title: 'A page', url: 'https://example.com/' };

/** A response of the backend with everything that the chat API has a member for. */
const response = {
  id: 'resp_1',
  status: 'completed',
  model: 'm',
  service_tier: 'priority',
  output: [
    { type: 'reasoning', summary: [] },
    {
      type: 'message',
      content: [
        { type: 'output_text', text: 'Hi', annotations: [{ type: 'url_citation', ...citation }] },
        { type: 'refusal', refusal: 'No' },
      ],
    },
    { type: 'function_call', call_id: 'call_a', name: 'read', arguments: '{"path":"a"}' },
    { type: 'custom_tool_call', call_id: 'call_b', name: 'exec', input: 'text(1)' },
  ],
  usage: {
    input_tokens: 10,
    input_tokens_details: { cached_tokens: 8 },
    output_tokens: 5,
    output_tokens_details: { reasoning_tokens: 3 },
    total_tokens: 15,
  },
};

const upstream = exchangeOf([
  message('client', '{"model":"m","input":[]}'),
  message('backend', JSON.stringify({ type: 'response.completed', response })),
]);

const head = { id: 'chatcmpl-1', created: 1, model: 'm', service_tier: 'priority' } as const;
const usage = {
  prompt_tokens: 10,
  completion_tokens: 5,
  total_tokens: 15,
  // The chat API counts audio too.
  prompt_tokens_details: { cached_tokens: 8, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 3 },
};
const functionCall = {
  id: 'call_a',
  type: 'function',
  function: { name: 'read', arguments: '{"path":"a"}' },
} as const;
const customCall = { id: 'call_b', type: 'custom', custom: { name: 'exec', input: 'text(1)' } } as const;

const whole: OpenAI.ChatCompletion = {
  ...head,
  object: 'chat.completion',
  choices: [
    {
      index: 0,
      finish_reason: 'tool_calls',
      logprobs: null,
      message: {
        role: 'assistant',
        content: 'Hi',
        refusal: 'No',
        annotations: [{ type: 'url_citation', url_citation: citation }],
        tool_calls: [functionCall, customCall],
      },
    },
  ],
  usage,
};

const chunk = (delta: object, finish_reason: string | null = null) => ({
  ...head,
  object: 'chat.completion.chunk',
  choices: [{ index: 0, delta, finish_reason }],
});
const [url_citation, type] = [citation, 'url_citation'];
const chunks: readonly object[] = [
  chunk({ role: 'assistant', content: '', refusal: null }),
  chunk({ content: 'H' }),
  chunk({ content: 'i', annotations: [{ type, url_citation }] }),
  chunk({ refusal: 'No' }),
  chunk({
    tool_calls: [{ index: 0, ...functionCall, function: { name: 'read', arguments: '{"path"' } }],
  }),
  chunk({ tool_calls: [{ index: 1, ...customCall, custom: { name: 'exec', input: 'text(' } }] }),
  // Pieces of two calls may alternate.
  chunk({ tool_calls: [{ index: 0, function: { arguments: ':"a"}' } }] }),
  chunk({ tool_calls: [{ index: 1, custom: { input: '1)' } }] }),
  chunk({}, 'tool_calls'),
  { ...head, object: 'chat.completion.chunk', choices: [], usage },
];

/** The differences of what a program gets, as kinds and paths. */
function differences(received: readonly object[], streams: boolean): string[] {
  const collected = new CollectedCompletion();
  for (const one of received) collected.add(one);
  const { text, ending } = collected;
  const results = [{ text, ending, completion: collected.members() }];
  return resultNeutrality(results, [upstream], { surface: 'chat', streams }).map(
    ({ kind, places: [place] }) => `${kind} ${place?.path.join('.')}`,
  );
}

/** The same completion or chunks with a change in their JSON text. */
function changed<T>(value: T, from: string | RegExp, to: string): T {
  const text = JSON.stringify(value);
  expect(text.replace(from, to)).not.toBe(text);
  return JSON.parse(text.replace(from, to));
}

it('finds no difference in a whole completion, nor in one put together from chunks', () => {
  expect(differences([whole], false)).toEqual([]);
  expect(differences(chunks, true)).toEqual([]);
});

it.each([
  { what: 'the text', from: '"content":"Hi"', to: '"content":"Ho"', found: 'changed text' },
  { what: 'the refusal', from: '"refusal":"No"', to: '"refusal":null', found: 'changed refusal' },
  { what: 'an annotation', from: '"A page"', to: '"B"', found: 'changed annotations.0.url_citation.title' },
  { what: 'all annotations', from: /"annotations":\[.*?\],/, to: '', found: 'missing annotations.0' },
  { what: 'the id of a call', from: 'call_b', to: 'call_x', found: 'changed tool_calls.1.id' },
  { what: 'the name of a call', from: '"exec"', to: '"read"', found: 'changed tool_calls.1.name' },
  { what: 'the input of a call', from: 'text(1)', to: 'text(2)', found: 'changed tool_calls.1.arguments' },
  { what: 'a call', from: /,\{"id":"call_b".*?\}\}/, to: '', found: 'missing tool_calls.1' },
  {
    what: 'the finish reason',
    from: '"finish_reason":"tool_calls"',
    to: '"finish_reason":"stop"',
    found: 'changed ending',
  },
  { what: 'the model', from: '"model":"m"', to: '"model":"n"', found: 'changed model' },
  { what: 'the tier', from: '"priority"', to: '"default"', found: 'changed service_tier' },
  { what: 'the role', from: '"role":"assistant",', to: '', found: 'missing role' },
  { what: 'the usage', from: /,"usage":.*\}\}(?=\})/, to: '', found: 'missing usage' },
  {
    what: 'a count',
    from: '"prompt_tokens":10',
    to: '"prompt_tokens":11',
    found: 'changed usage.prompt_tokens',
  },
  {
    what: 'the cached tokens',
    from: '"cached_tokens":8,',
    to: '',
    found: 'missing usage.prompt_tokens_details.cached_tokens',
  },
  { what: 'the object', from: '"chat.completion"', to: '"completion"', found: 'changed object' },
])('finds a change of $what in a whole completion', ({ from, to, found }) => {
  expect(differences([changed(whole, from, to)], false)).toEqual([found]);
});

it.each([
  {
    what: 'all calls at index 0',
    from: /"index":1,"(?=id|custom)/g,
    to: '"index":0,"',
    found: 'missing tool_calls.1',
  },
  {
    what: 'a call at another index',
    from: /"index":1,"(?=id|custom)/g,
    to: '"index":2,"',
    found: 'changed tool_calls.1.index',
  },
  {
    what: 'a piece at another index',
    from: '"index":1,"custom":{"input":"1)"}',
    to: '"index":2,"custom":{"input":"1)"}',
    found: 'changed tool_calls.1.arguments',
  },
  { what: 'a lost piece', from: ':\\"a\\"}', to: '', found: 'changed tool_calls.0.arguments' },
  { what: 'no usage', from: /,"usage":\{.*\}\}(?=\})/, to: '', found: 'missing usage' },
  { what: 'another model in one chunk', from: '"model":"m"', to: '"model":"n"', found: 'changed model' },
  {
    what: 'a second choice',
    from: '"choices":[{"index":0,"delta":{"content":"H"}',
    to: '"choices":[{"index":1,"delta":{}},{"index":0,"delta":{"content":"H"}',
    found: 'changed choices',
  },
  { what: 'text twice', from: '"content":"H"', to: '"content":"HH"', found: 'changed text' },
])('finds $what in a stream', ({ from, to, found }) => {
  expect(differences(changed(chunks, from, to), true)).toContain(found);
});

it('finds calls in another order', () => {
  const first = chunks.slice(4, 5);
  expect(differences(chunks.toSpliced(4, 1).toSpliced(5, 0, ...first), true)).toContain(
    'changed tool_calls.0.index',
  );
});
