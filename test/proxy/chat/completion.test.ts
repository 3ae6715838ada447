import { expect, it } from 'vitest';
import { chatCompletion } from '../../../src/proxy/chat/completion.ts';
import { printJson, toNode } from '../../../src/wire/json.ts';
import { customCall, functionCall, message, reasoning, refused, response } from './events.ts';

const completion = (status: string, members: object) =>
  JSON.parse(printJson(chatCompletion(toNode(response(status, { ...members })))));

const choice = (status: string, members: object) => completion(status, members).choices[0];

it('is one choice of one message, with the usage in the words of the chat API', () => {
  const usage = {
    input_tokens: 3,
    input_tokens_details: { cached_tokens: 1 },
    output_tokens: 4,
    output_tokens_details: { reasoning_tokens: 2 },
    total_tokens: 7,
  };
  expect(completion('completed', { output: [message('hi')], usage, service_tier: 'flex' })).toEqual({
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 5,
    model: 'm',
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: 'hi', refusal: null, annotations: [] },
        logprobs: null,
        finish_reason: 'stop',
      },
    ],
    usage: {
      prompt_tokens: 3,
      completion_tokens: 4,
      total_tokens: 7,
      prompt_tokens_details: { cached_tokens: 1 },
      completion_tokens_details: { reasoning_tokens: 2 },
    },
    service_tier: 'flex',
  });
});

it('has no usage that the backend does not tell', () => {
  expect(completion('completed', {})).not.toHaveProperty('usage');
});

it('joins what was said and leaves reasoning out', () => {
  const output = [reasoning, message('a', 'b'), message('c')];
  expect(choice('completed', { output }).message.content).toBe('abc');
});

it('has tool calls in their order and finishes for them', () => {
  expect(choice('completed', { output: [functionCall('f', '{"x": 1}'), customCall] })).toEqual({
    index: 0,
    message: {
      role: 'assistant',
      content: null,
      refusal: null,
      annotations: [],
      tool_calls: [
        { id: 'call_f', type: 'function', function: { name: 'f', arguments: '{"x": 1}' } },
        { id: 'call_c', type: 'custom', custom: { name: 'c', input: 'go' } },
      ],
    },
    logprobs: null,
    finish_reason: 'tool_calls',
  });
});

it('has refusals apart from content', () => {
  expect(choice('completed', { output: [refused] }).message).toMatchObject({ content: null, refusal: 'no' });
});

it.each([
  ['max_output_tokens', 'length'],
  ['content_filter', 'content_filter'],
])('finishes what is incomplete for %s with %s, also amid a tool call', (reason, finish) => {
  const output = [functionCall('f', '{"x')];
  const incomplete = { output, incomplete_details: { reason } };
  expect(choice('incomplete', incomplete).finish_reason).toBe(finish);
});

it('throws the error of a response that failed', () => {
  const error = { code: 'context_length_exceeded', message: 'too long' };
  expect(() => choice('failed', { error })).toThrow(
    expect.objectContaining({
      status: 400,
      body: '{"error":{"code":"context_length_exceeded","message":"too long","type":"invalid_request_error","param":null}}',
    }),
  );
});

it.each([
  [{ incomplete_details: { reason: 'steered' } }, 'the response is incomplete: steered'],
  [{}, 'the response is incomplete: no reason given'],
])('throws for a reason to end that the chat API does not know: %j', (members, message) => {
  expect(() => choice('incomplete', members)).toThrow(message);
});

it('takes whole seconds', () => {
  expect(completion('completed', { created_at: 1700000000.75 }).created).toBe(1700000000);
});
