import { expect, it } from 'vitest';
import { chatCompletion } from '../../../src/proxy/chat/chat-completion.ts';
import { printJson, toNode } from '../../../src/wire/json.ts';
import { customCall, functionCall, message, reasoning, refused, response } from './events.ts';

const completion = (status: string, members: object) =>
  JSON.parse(printJson(chatCompletion(toNode(response(status, { ...members })))));

const choice = (status: string, members: object) => completion(status, members).choices[0];

it("has one choice with one message, and the usage with the chat API's keys", () => {
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

it('omits the usage if the backend sends none', () => {
  expect(completion('completed', {})).not.toHaveProperty('usage');
});

it('joins texts and omits reasoning', () => {
  const output = [reasoning, message('a', 'b'), message('c')];
  expect(choice('completed', { output }).message.content).toBe('abc');
});

it('keeps the order of tool calls and finishes with tool_calls', () => {
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

it('separates refusals from content', () => {
  expect(choice('completed', { output: [refused] }).message).toMatchObject({ content: null, refusal: 'no' });
});

it.each([
  ['max_output_tokens', 'length'],
  ['content_filter', 'content_filter'],
])(
  'finishes a response that is incomplete because of %s with %s, even within a tool call',
  (reason, finish) => {
    const output = [functionCall('f', '{"x')];
    const incomplete = { output, incomplete_details: { reason } };
    expect(choice('incomplete', incomplete).finish_reason).toBe(finish);
  },
);

it('throws the error of a failed response', () => {
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
])('throws for an incomplete reason that the chat API lacks: %j', (members, message) => {
  expect(() => choice('incomplete', members)).toThrow(message);
});

it('rounds the creation time down to seconds', () => {
  expect(completion('completed', { created_at: 1700000000.75 }).created).toBe(1700000000);
});

it('has the summary of reasoning, and the citations of a text', () => {
  const citation = { url: 'https://example.com', title: 'x', start_index: 0, end_index: 1 };
  const annotated = [{ type: 'url_citation', ...citation }];
  const text = { ...message('hi'), content: [{ type: 'output_text', text: 'hi', annotations: annotated }] };
  expect(choice('completed', { output: [reasoning, text] }).message).toEqual({
    role: 'assistant',
    content: 'hi',
    refusal: null,
    annotations: [{ type: 'url_citation', url_citation: citation }],
    reasoning_content: 'hmm',
  });
});
