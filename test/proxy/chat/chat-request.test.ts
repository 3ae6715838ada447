import { expect, it } from 'vitest';
import { chatRequest } from '../../../src/proxy/chat/chat-request.ts';
import { ApiError } from '../../../src/proxy/http/errors.ts';
import { parseJson, printJson, toNode } from '../../../src/wire/json.ts';

const user = { role: 'user', content: 'hello' };

function translated(request: object): Record<string, unknown> {
  return JSON.parse(printJson(chatRequest(toNode({ model: 'm', messages: [user], ...request })).body));
}

/** Returns the input items for messages. */
const inputFor = (...messages: object[]) => translated({ messages }).input;

function refusal(request: unknown): ApiError {
  try {
    chatRequest(toNode(request));
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new Error('the request was not rejected');
}

const text = (type: string, text: string) => ({ type, text });
const message = (role: string, ...content: object[]) => ({ type: 'message', role, content });

it('requests a streamed response and adds no text', () => {
  expect(translated({})).toEqual({
    model: 'm',
    input: [message('user', text('input_text', 'hello'))],
    stream: true,
  });
});

it('keeps the order and the roles of messages', () => {
  expect(
    inputFor(
      { role: 'system', content: 'one' },
      user,
      { role: 'assistant', content: 'answer' },
      { role: 'developer', content: [text('text', 'two'), text('text', 'three')] },
    ),
  ).toEqual([
    message('system', text('input_text', 'one')),
    message('user', text('input_text', 'hello')),
    message('assistant', text('output_text', 'answer')),
    message('developer', text('input_text', 'two'), text('input_text', 'three')),
  ]);
});

it('keeps the spelling of texts, schemas and numbers', () => {
  const schema = '{"type":"object","z":1.0,"a":12345678901234567890}';
  const request = `{"model":"m","temperature":1.0,"messages":[{"role":"user","content":"\\u00e9"}],"tools":[{"type":"function","function":{"parameters":${schema},"name":"f","strict":true}}]}`;
  const body = printJson(chatRequest(parseJson(request).node).body);
  expect(body).toContain('"text":"\\u00e9"');
  expect(body).toContain('"temperature":1.0');
  expect(body).toContain(`"tools":[{"type":"function","parameters":${schema},"name":"f","strict":true}]`);
});

it('translates images and files', () => {
  const breakpoint = { mode: 'explicit' };
  expect(
    inputFor({
      role: 'user',
      content: [
        { type: 'text', text: 'see', prompt_cache_breakpoint: breakpoint },
        { type: 'image_url', image_url: { url: 'data:image/png;base64,AA==', detail: 'low' } },
        { type: 'image_url', image_url: { url: 'https://example.com/a.png' } },
        { type: 'file', file: { file_data: 'data:application/pdf;base64,AA==', filename: 'a.pdf' } },
      ],
    }),
  ).toEqual([
    message(
      'user',
      { ...text('input_text', 'see'), prompt_cache_breakpoint: breakpoint },
      { type: 'input_image', image_url: 'data:image/png;base64,AA==', detail: 'low' },
      { type: 'input_image', image_url: 'https://example.com/a.png' },
      { type: 'input_file', file_data: 'data:application/pdf;base64,AA==', filename: 'a.pdf' },
    ),
  ]);
});

it('translates tool calls and tool output by the type of the tool', () => {
  expect(
    inputFor(
      user,
      {
        role: 'assistant',
        content: null,
        tool_calls: [
          { id: 'a', type: 'function', function: { name: 'f', arguments: '{"x": 1}' } },
          { id: 'b', type: 'custom', custom: { name: 'g', input: 'go' } },
        ],
      },
      { role: 'tool', tool_call_id: 'a', name: 'f', content: 'one' },
      { role: 'tool', tool_call_id: 'b', content: [text('text', 'two')] },
    ),
  ).toEqual([
    message('user', text('input_text', 'hello')),
    { type: 'function_call', call_id: 'a', name: 'f', arguments: '{"x": 1}' },
    { type: 'custom_tool_call', call_id: 'b', name: 'g', input: 'go' },
    { type: 'function_call_output', call_id: 'a', output: 'one' },
    { type: 'custom_tool_call_output', call_id: 'b', output: [text('input_text', 'two')] },
  ]);
});

it("puts the assistant's text before its calls, and no empty message before a call", () => {
  const tool_calls = [{ id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } }];
  const call = { type: 'function_call', call_id: 'a', name: 'f', arguments: '{}' };
  expect(inputFor({ role: 'assistant', content: 'let me see', tool_calls })).toEqual([
    message('assistant', text('output_text', 'let me see')),
    call,
  ]);
  expect(inputFor({ role: 'assistant', content: '', tool_calls })).toEqual([call]);
  expect(inputFor({ role: 'assistant', content: '' })).toEqual([
    message('assistant', text('output_text', '')),
  ]);
});

it('translates refusals', () => {
  const refusal = { type: 'refusal', refusal: 'no' };
  expect(inputFor({ role: 'assistant', content: null, refusal: 'no' })).toEqual([
    message('assistant', refusal),
  ]);
  expect(inputFor({ role: 'assistant', content: [text('text', 'well'), refusal] })).toEqual([
    message('assistant', text('output_text', 'well'), refusal),
  ]);
});

it("adds the chat API's defaults to a function", () => {
  const tools = [
    { type: 'function', function: { name: 'f' } },
    { type: 'function', function: { name: 'g', description: 'does', parameters: {}, strict: null } },
  ];
  expect(translated({ tools }).tools).toEqual([
    { type: 'function', name: 'f', parameters: { type: 'object', properties: {} }, strict: false },
    { type: 'function', name: 'g', description: 'does', parameters: {}, strict: false },
  ]);
});

it('translates custom tools and their grammars', () => {
  const grammar = { syntax: 'lark', definition: 'start: "a"' };
  const tools = [
    { type: 'custom', custom: { name: 'f', description: 'does', format: { type: 'grammar', grammar } } },
    { type: 'custom', custom: { name: 'g', format: { type: 'text' } } },
  ];
  expect(translated({ tools }).tools).toEqual([
    { type: 'custom', name: 'f', description: 'does', format: { type: 'grammar', ...grammar } },
    { type: 'custom', name: 'g', format: { type: 'text' } },
  ]);
});

const namedTool = { type: 'function', function: { name: 'f' } };

it.each([
  ['auto', 'auto'],
  ['none', 'none'],
  ['required', 'required'],
  [namedTool, { type: 'function', name: 'f' }],
  [
    { type: 'custom', custom: { name: 'g' } },
    { type: 'custom', name: 'g' },
  ],
  [
    { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [namedTool] } },
    { type: 'allowed_tools', mode: 'auto', tools: [{ type: 'function', name: 'f' }] },
  ],
])('translates the tool choice %j', (tool_choice, choice) => {
  expect(translated({ tool_choice }).tool_choice).toEqual(choice);
});

const json_schema = { name: 'answer', schema: { type: 'object' }, strict: true };

it.each([
  [{ type: 'text' }, { type: 'text' }],
  [{ type: 'json_object' }, { type: 'json_object' }],
  [
    { type: 'json_schema', json_schema },
    { type: 'json_schema', ...json_schema },
  ],
])('translates the response format %j', (response_format, format) => {
  expect(translated({ response_format }).text).toEqual({ format });
  expect(translated({ response_format, verbosity: 'low' }).text).toEqual({ format, verbosity: 'low' });
});

it.each([
  [{ verbosity: 'high' }, { text: { verbosity: 'high' } }],
  [{ reasoning_effort: 'low' }, { reasoning: { effort: 'low' } }],
  [{ max_tokens: 5 }, { max_output_tokens: 5 }],
  [{ max_tokens: 5, max_completion_tokens: 6 }, { max_output_tokens: 6 }],
])('translates %j', (request, expected) => {
  expect(translated(request)).toEqual({ ...translated({}), ...expected });
});

const carried = {
  parallel_tool_calls: false,
  temperature: 0.5,
  top_p: 1,
  service_tier: 'fast',
  prompt_cache_key: 'key',
  prompt_cache_retention: '24h',
  prompt_cache_options: { mode: 'explicit' },
  safety_identifier: 'someone',
  user: 'someone',
  metadata: { a: 'b' },
  moderation: { model: 'm' },
};

it.each([{ n: 2 }, { stop: 'END' }, { presence_penalty: 0.5 }, { store: true }, { colour: 'red' }])(
  'leaves %j to the rules that hold for every surface',
  (request) => {
    expect(translated(request)).toEqual({ ...translated({}), ...request });
  },
);

it.each(Object.entries(carried))('passes %s on unchanged', (key, value) => {
  expect(translated({ [key]: value })).toEqual({ ...translated({}), [key]: value });
  expect(refusal({ model: 'm', messages: [user], [key]: [] }).error).toMatchObject({
    members: expect.arrayContaining([['param', { kind: 'string', value: key }]]),
  });
});

it('treats null as absent', () => {
  const keys = [...Object.keys(carried), 'tools', 'tool_choice', 'audio', 'response_format', 'stream'];
  const nulls = Object.fromEntries(keys.map((key) => [key, null]));
  expect(translated(nulls)).toEqual(translated({}));
});

it.each([{ modalities: ['text'] }, { functions: [] }])(
  'ignores %j, which does not affect the response',
  (request) => {
    expect(translated(request)).toEqual(translated({}));
  },
);

it.each([
  ['modalities', ['text', 'audio']],
  ['audio', { voice: 'a' }],
  ['functions', [{ name: 'f' }]],
  ['function_call', 'auto'],
  ['web_search_options', {}],
])('rejects %s: %j, which has no translation', (param, value) => {
  const { status, body } = refusal({ model: 'm', messages: [user], [param]: value });
  expect(status).toBe(400);
  expect(JSON.parse(body)).toEqual({
    error: {
      message: expect.stringContaining(`'${param}'`),
      type: 'invalid_request_error',
      param,
      code: 'unsupported_parameter',
    },
  });
});

const withMessage = (message: unknown) => ({ model: 'm', messages: [user, message] });
const withTool = (tool: unknown) => ({ model: 'm', messages: [user], tools: [tool] });
const called = (call: object) => withMessage({ role: 'assistant', tool_calls: [call] });

it.each([
  [[], null, 'invalid_type'],
  [{ messages: [user] }, 'model', 'missing_required_parameter'],
  [{ model: 5, messages: [user] }, 'model', 'invalid_type'],
  [{ model: 'm' }, 'messages', 'missing_required_parameter'],
  [{ model: 'm', messages: 'hello' }, 'messages', 'invalid_type'],
  [{ model: 'm', messages: [] }, 'messages', 'invalid_value'],
  [{ model: 'm', messages: [user], stream: 'yes' }, 'stream', 'invalid_type'],
  [{ model: 'm', messages: [user], stream_options: true }, 'stream_options', 'invalid_type'],
  [{ model: 'm', messages: [user], max_tokens: '5' }, 'max_tokens', 'invalid_type'],
  [withMessage('hello'), 'messages[1]', 'invalid_type'],
  [withMessage({ content: 'hello' }), 'messages[1].role', 'missing_required_parameter'],
  [withMessage({ role: 'function', content: '' }), 'messages[1].role', 'invalid_value'],
  [withMessage({ role: 'user' }), 'messages[1].content', 'missing_required_parameter'],
  [withMessage({ role: 'user', content: null }), 'messages[1].content', 'missing_required_parameter'],
  [withMessage({ role: 'user', content: 7 }), 'messages[1].content', 'invalid_type'],
  [withMessage({ role: 'assistant' }), 'messages[1].content', 'missing_required_parameter'],
  [withMessage({ role: 'assistant', audio: { id: 'a' } }), 'messages[1].audio', 'unsupported_parameter'],
  [
    withMessage({ role: 'assistant', function_call: { name: 'f', arguments: '' } }),
    'messages[1].function_call',
    'unsupported_parameter',
  ],
  [withMessage({ role: 'tool', content: 'x' }), 'messages[1].tool_call_id', 'missing_required_parameter'],
  [
    withMessage({ role: 'user', content: [{ type: 'input_audio', input_audio: {} }] }),
    'messages[1].content[0].type',
    'invalid_value',
  ],
  [
    withMessage({ role: 'user', content: [{ type: 'image_url' }] }),
    'messages[1].content[0].image_url.url',
    'missing_required_parameter',
  ],
  [
    withMessage({ role: 'system', content: [{ type: 'image_url', image_url: { url: 'x' } }] }),
    'messages[1].content[0].type',
    'invalid_value',
  ],
  [called({ id: 'a', type: 'other' }), 'messages[1].tool_calls[0].type', 'invalid_value'],
  [
    called({ type: 'function', function: { name: 'f', arguments: '' } }),
    'messages[1].tool_calls[0].id',
    'missing_required_parameter',
  ],
  [
    called({ id: 'a', type: 'function', function: { name: 'f', arguments: {} } }),
    'messages[1].tool_calls[0].function.arguments',
    'invalid_type',
  ],
  [withTool({ type: 'web_search' }), 'tools[0].type', 'invalid_value'],
  [withTool({ type: 'function', function: {} }), 'tools[0].function.name', 'missing_required_parameter'],
  [withTool({ type: 'custom', custom: {} }), 'tools[0].custom.name', 'missing_required_parameter'],
  [{ model: 'm', messages: [user], tool_choice: 'f' }, 'tool_choice', 'invalid_value'],
  [
    { model: 'm', messages: [user], tool_choice: { type: 'function' } },
    'tool_choice.function',
    'missing_required_parameter',
  ],
  [
    { model: 'm', messages: [user], response_format: { type: 'xml' } },
    'response_format.type',
    'invalid_value',
  ],
  [
    { model: 'm', messages: [user], response_format: { type: 'json_schema' } },
    'response_format.json_schema.name',
    'missing_required_parameter',
  ],
])('rejects %j and names %s', (request, param, code) => {
  const { status, body } = refusal(request);
  expect(status).toBe(400);
  expect(JSON.parse(body)).toEqual({
    error: { message: expect.stringContaining(param ?? 'body'), type: 'invalid_request_error', param, code },
  });
});

it('reports how the client wants to receive the response', () => {
  const readOptions = (request: object) => chatRequest(toNode({ model: 'm', messages: [user], ...request }));
  expect(readOptions({})).toMatchObject({ streams: false, includesUsage: false });
  expect(readOptions({ stream: true })).toMatchObject({ streams: true, includesUsage: false });
  expect(readOptions({ stream: true, stream_options: { include_usage: true } })).toMatchObject({
    streams: true,
    includesUsage: true,
  });
});
