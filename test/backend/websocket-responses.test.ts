import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { expect, it } from 'vitest';
import { backendWith, connect, prewarm, responseId, turn } from './backend-client.ts';

it('responds to a prewarm without using a scripted reply', async () => {
  const { backend, events } = await backendWith({ reply: 'text', text: 'OK' });
  const { request } = await connect(backend);

  const response = await request(prewarm);

  expect(response.map(({ type }) => type)).toEqual(['response.created', 'response.completed']);
  expect(backend.used()).toBe(0);
  expect(events).toContainEqual(expect.objectContaining({ type: 'create', prewarm: true }));
});

it('sends the events of a text reply in the order of the Responses API', async () => {
  const { backend } = await backendWith({ reply: 'text', text: 'Good morning' });
  const { request } = await connect(backend);

  const response = await request(turn);

  expect(response.map(({ type }) => type)).toEqual([
    'response.created',
    'response.in_progress',
    'response.output_item.added',
    'response.content_part.added',
    'response.output_text.delta',
    'response.output_text.done',
    'response.content_part.done',
    'response.output_item.done',
    'response.completed',
  ]);
  expect(response.map((event) => event.sequence_number)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  expect(response[4]).toMatchObject({ delta: 'Good morning' });
  expect(response.at(-1)).toMatchObject({
    response: { id: responseId(response), status: 'completed', usage: { total_tokens: 2 } },
  });
});

it('uses the replies of the script in order, across connections', async () => {
  const { backend } = await backendWith({ reply: 'text', text: 'first' }, { reply: 'text', text: 'second' });
  const a = await connect(backend);
  const b = await connect(backend, '/v1/responses');

  expect(await a.request(turn)).toContainEqual(expect.objectContaining({ delta: 'first' }));
  expect(await b.request(turn)).toContainEqual(expect.objectContaining({ delta: 'second' }));
  expect(backend.used()).toBe(2);
});

it('never gives two responses the same id', async () => {
  const { backend } = await backendWith({ reply: 'text', text: 'OK' });
  const a = await connect(backend);
  const b = await connect(backend);

  const ids = [
    responseId(await a.request(prewarm)),
    responseId(await b.request(prewarm)),
    responseId(await a.request(turn)),
  ];

  expect(new Set(ids).size).toBe(3);
  for (const id of ids) expect(id).toMatch(/^resp_[0-9a-f]{48}$/);
});

it('sends an error frame when the script is exhausted', async () => {
  const { backend, events } = await backendWith();
  const { request } = await connect(backend);

  const [response] = await request(turn);

  expect(response).toMatchObject({ type: 'error', status: 400, error: { code: 'script_exhausted' } });
  expect(events).toContainEqual({ type: 'script-exhausted', scripted: 0 });
});

it('repeats the tier and the previous response of the request', async () => {
  const { backend } = await backendWith({ reply: 'text', text: 'OK' });
  const { request } = await connect(backend);

  const [created] = await request({ ...turn, service_tier: 'priority', previous_response_id: 'resp_before' });

  expect(created).toMatchObject({
    response: { service_tier: 'priority', previous_response_id: 'resp_before', model: 'gpt-test' },
  });
});

it('calls a command with the custom tool exec for a lite model', async () => {
  const { backend } = await backendWith({
    reply: 'tool_calls',
    style: 'custom',
    calls: [{ call: 'command', command: 'echo "hi"', output: 'hi\n' }],
  });
  const { request } = await connect(backend);

  expect(await request(turn)).toContainEqual(
    expect.objectContaining({
      type: 'response.output_item.done',
      item: expect.objectContaining({
        type: 'custom_tool_call',
        name: 'exec',
        input: 'text((await tools.exec_command({"cmd":"echo \\"hi\\""})).output)',
      }),
    }),
  );
});

it('calls a command with the function exec_command for other models', async () => {
  const { backend } = await backendWith({
    reply: 'tool_calls',
    style: 'function',
    calls: [{ call: 'command', command: 'echo hi', output: 'hi\n' }],
  });
  const { request } = await connect(backend);

  expect(await request(turn)).toContainEqual(
    expect.objectContaining({
      type: 'response.output_item.done',
      item: expect.objectContaining({
        type: 'function_call',
        name: 'exec_command',
        arguments: '{"cmd":"echo hi"}',
      }),
    }),
  );
});

it('sends several tool calls in one response, each as an item', async () => {
  const calls = ['printf one', 'printf two'].map((command) => ({
    call: 'command' as const,
    command,
    output: command.slice(-3),
  }));
  const { backend } = await backendWith({ reply: 'tool_calls', style: 'custom', calls });
  const { request } = await connect(backend);

  const response = await request(turn);

  const done = response.filter(({ type }) => type === 'response.output_item.done');
  expect(done.map(({ output_index }) => output_index)).toEqual([0, 1]);
  const items = done.map(({ item }) => item);
  expect(items).toMatchObject([
    { input: expect.stringContaining('printf one') },
    { input: expect.stringContaining('printf two') },
  ]);
  expect(response.at(-1)).toMatchObject({ response: { output: items } });
  expect(response.map((event) => event.sequence_number)).toEqual(response.map((_, index) => index));
  expect(backend.used()).toBe(1);
});

it.each([
  { model: 'a lite model', tools: {}, type: 'custom_tool_call' },
  { model: 'another model', tools: { tools: [] }, type: 'function_call' },
])('calls a tool in the style of $model, which the request implies', async ({ tools, type }) => {
  const call = { call: 'command', command: 'printf one', output: 'one' } as const;
  const { backend } = await backendWith({ reply: 'tool_calls', style: 'auto', calls: [call] });
  const { request } = await connect(backend);

  expect(await request({ ...turn, ...tools })).toContainEqual(
    expect.objectContaining({ type: 'response.output_item.done', item: expect.objectContaining({ type }) }),
  );
});

const measure = { type: 'function', name: 'measure' };

it.each([
  {
    where: 'in a script, for a lite model',
    tools: {},
    item: { name: 'exec', input: 'text((await tools.mcp__parity__measure({"word":"a"})).content[0].text)' },
  },
  {
    where: 'with its qualified name, as 0.118.0 offers it',
    tools: { tools: [{ ...measure, name: 'mcp__parity__measure' }] },
    item: { name: 'mcp__parity__measure', arguments: '{"word":"a"}' },
  },
  {
    where: 'in a namespace, as 0.130.0 offers it',
    tools: { tools: [{ type: 'namespace', name: 'mcp__parity__', tools: [measure] }] },
    item: { name: 'measure', namespace: 'mcp__parity__' },
  },
  {
    where: 'in a namespace, as 0.140.0 offers it',
    tools: { tools: [{ type: 'namespace', name: 'mcp__parity', tools: [measure] }] },
    item: { name: 'measure', namespace: 'mcp__parity' },
  },
])('calls a tool of an MCP server $where', async ({ tools, item }) => {
  const call = { call: 'mcp', server: 'parity', tool: 'measure', arguments: '{"word":"a"}' } as const;
  const { backend } = await backendWith({ reply: 'tool_calls', style: 'auto', calls: [call] });
  const { request } = await connect(backend);

  expect(await request({ ...turn, ...tools })).toContainEqual(
    expect.objectContaining({ type: 'response.output_item.done', item: expect.objectContaining(item) }),
  );
});

it('reports a frame that is not JSON and keeps the connection', async () => {
  const { backend, events } = await backendWith({ reply: 'text', text: 'OK' });
  const { request } = await connect(backend);

  expect((await request('{"type":'))[0]).toMatchObject({ type: 'error', status: 400 });
  expect(events.at(-1)).toEqual({
    type: 'not-understood',
    transport: 'websocket',
    reason: 'not a JSON object',
  });
  expect(await request(turn)).toContainEqual(expect.objectContaining({ delta: 'OK' }));
});

it('accepts the client’s offer to compress, without parameters', async () => {
  const { backend } = await backendWith();

  const head = await upgradeWith(backend.port, [
    'sec-websocket-extensions: permessage-deflate; client_max_window_bits',
  ]);

  expect(head).toMatch(/^HTTP\/1\.1 101 /);
  expect(head).toMatch(/\r\nSec-WebSocket-Extensions: permessage-deflate\r\n/i);
});

it('reports the headers of an upgrade in their order and case', async () => {
  const { backend, events } = await backendWith();

  await upgradeWith(backend.port, ['session-id: s', 'X-Twice: 1', 'x-twice: 2']);

  expect(events[0]).toMatchObject({
    type: 'upgrade',
    target: '/backend-api/codex/responses',
    headers: [
      ['Host', 'chatgpt.com'],
      ['Connection', 'Upgrade'],
      ['Upgrade', 'websocket'],
      ['Sec-WebSocket-Version', '13'],
      ['Sec-WebSocket-Key', 'AAAAAAAAAAAAAAAAAAAAAA=='],
      ['session-id', 's'],
      ['X-Twice', '1'],
      ['x-twice', '2'],
    ],
  });
});

it('refuses an upgrade at any other path', async () => {
  const { backend, events } = await backendWith();

  await expect(connect(backend, '/elsewhere')).rejects.toThrow(/404/);
  expect(events).toEqual([{ type: 'unrouted', method: 'GET', target: '/elsewhere' }]);
});

/** Sends an upgrade as literal bytes, and resolves with the head of the response. */
async function upgradeWith(port: number, headers: string[]): Promise<string> {
  const socket = connectTcp(port, '127.0.0.1');
  const lines = [
    'GET /backend-api/codex/responses HTTP/1.1',
    'Host: chatgpt.com',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    ...headers,
  ];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  const [head] = await once(socket, 'data');
  socket.destroy();
  return String(head);
}
