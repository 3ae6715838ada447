import { expect, it } from 'vitest';
import { loadScenario, parseScenario, scenarioNames } from '../../src/scenario/scenario.ts';

const valid = {
  name: 'one',
  why: 'To see.',
  client: { prompt: 'Say one', config: {} },
  backend: [{ reply: 'text', text: 'One' }],
};

function parsed(change: Record<string, unknown>) {
  return parseScenario(JSON.stringify({ ...valid, ...change }), 'one.json');
}

/** The valid scenario with members of its client, or with other replies. */
const client = (members: Record<string, unknown>) => ({ client: { ...valid.client, ...members } });
const calls = (...list: unknown[]) => ({ backend: [{ reply: 'tool_calls', calls: list }] });

const tool = {
  name: 'measure',
  description: 'Measures',
  inputSchema: { type: 'object' },
  answer: '4',
};

it.each(scenarioNames())('reads %s, which has the name of its file and a sentence as its reason', (name) => {
  const scenario = loadScenario(name);

  expect(scenario.name).toBe(name);
  expect(scenario.why).toMatch(/\.$/);
  expect(loadScenario(name)).toBe(scenario);
});

it('reads a minimal scenario', () => {
  expect(parsed({})).toEqual({ ...valid, http2: true });
});

it('reads everything a client can have, and keeps the key order of JSON', () => {
  const members = {
    model: 'gpt-x',
    images: [{ name: 'a.png', base64: 'AAAA' }],
    outputSchema: { b: 1.0, a: 2 },
    repository: { files: { 'AGENTS.md': 'Be brief.' } },
    mcpServers: [{ name: 'parity', tools: [tool] }],
  };

  expect(parsed(client(members)).client).toEqual({
    ...valid.client,
    ...members,
    outputSchema: '{"b":1,"a":2}',
    mcpServers: [{ name: 'parity', tools: [{ ...tool, inputSchema: '{"type":"object"}' }] }],
  });
});

it('defaults to the style of the model for calls', () => {
  const command = { call: 'command', command: 'printf a', output: 'a' };
  const mcp = { call: 'mcp', server: 'parity', tool: 'measure', arguments: { word: 'a' } };

  expect(parsed(calls(command, mcp)).backend).toEqual([
    { reply: 'tool_calls', style: 'auto', calls: [command, { ...mcp, arguments: '{"word":"a"}' }] },
  ]);
});

it.each([
  {
    wrong: 'no prompt',
    change: { client: { config: {} } },
    message: 'client must have either "prompt", with "images" and "outputSchema" if needed, or "steps"',
  },
  {
    wrong: 'an unknown member',
    change: { clients: {} },
    message: 'clients is not a known key: did you mean "client"? choose from name, why, versions,',
  },
  {
    wrong: 'an unknown option',
    change: client({ image: 'a.png' }),
    message: 'client.image is not a known key: did you mean "images"? choose from config, model, images,',
  },
  {
    wrong: 'a list in the configuration',
    change: client({ config: { a: [1] } }),
    message: 'client.config.a must be a string, a number or true or false',
  },
  {
    wrong: 'an image that is not base64',
    change: client({ images: [{ name: 'a.png', base64: '?' }] }),
    message: 'client.images.0.base64 must be base64',
  },
  {
    wrong: 'a file outside its folder',
    change: client({ repository: { files: { '../AGENTS.md': '' } } }),
    message: 'client.repository.files.../AGENTS.md must be a file name without a folder',
  },
  {
    wrong: 'an empty repository',
    change: client({ repository: { files: {} } }),
    message: 'client.repository.files must contain a file',
  },
  {
    wrong: 'a schema that is not an object',
    change: client({ outputSchema: 'number' }),
    message: 'client.outputSchema must be an object',
  },
  {
    wrong: 'a server name that cannot be part of a tool name',
    change: client({ mcpServers: [{ name: 'my server', tools: [] }] }),
    message: 'client.mcpServers.0.name must consist of lower-case letters, digits and _',
  },
  {
    wrong: 'an unknown reply',
    change: { backend: [{ reply: 'song' }] },
    message: 'backend.0.reply must be one of text, tool_calls, error, failed,',
  },
  {
    wrong: 'a header that is not a string',
    change: { backend: [{ reply: 'error', status: 429, error: {}, headers: { 'retry-after': 17 } }] },
    message: 'backend.0.headers.retry-after must be text',
  },
  { wrong: 'a reply of no tool calls', change: calls(), message: 'backend.0.calls must contain a call' },
  {
    wrong: 'a command without its output',
    change: calls({ call: 'command', command: 'printf a' }),
    message: 'backend.0.calls.0.output is missing',
  },
  {
    wrong: 'versions without a bound',
    change: { versions: { why: 'So.' } },
    message: 'versions must have "from", "to" or both',
  },
  {
    wrong: 'versions without a reason',
    change: { versions: { from: '0.144.0' } },
    message: 'versions.why is missing',
  },
  {
    wrong: 'a version that is not one',
    change: { versions: { from: 'newest', why: 'So.' } },
    message: 'versions.from must be a version, such as 0.169.0',
  },
])('rejects $wrong', ({ change, message }) => {
  expect(() => parsed(change)).toThrow(`scenario one.json: ${message}`);
});

it('reads lanes, and steps instead of a prompt', () => {
  const steps = [
    { do: 'turn', prompt: 'One', model: 'gpt-x', effort: 'high', tier: 'fast', during: 'interrupt' },
    { do: 'turn', prompt: 'Two', during: { steer: 'More' } },
    { do: 'review', instructions: 'Look' },
    { do: 'compact' },
    { do: 'resume' },
  ];
  const { lanes, client: task } = parsed({ lanes: ['chatgpt', 'provider'], client: { config: {}, steps } });

  expect(lanes).toEqual(['chatgpt', 'provider']);
  expect(task).toEqual({ config: {}, steps });
});

it.each([
  [{ prompt: 'One' }, /client must have either "prompt", .* or "steps"/],
  [{ images: [] }, /client must have either "prompt", with "images"/],
  [{ outputSchema: {} }, /client must have either "prompt", with "images" and "outputSchema"/],
  [{ steps: [] }, /client\.steps must begin with a turn/],
  [{ steps: [{ do: 'resume' }] }, /client\.steps must begin with a turn/],
  [{ steps: [{ do: 'sleep' }] }, /client\.steps\.0\.do must be one of turn, review, compact, resume/],
  [
    { steps: [{ do: 'turn', prompt: 'One', during: 'lunch' }] },
    /client\.steps\.0\.during must be "interrupt" or/,
  ],
])('rejects the steps of %j', (members, message) => {
  const task = { config: {}, steps: [{ do: 'turn', prompt: 'One' }], ...members };

  expect(() => parsed({ client: task })).toThrow(message);
});

it('rejects text that is not JSON', () => {
  expect(() => parseScenario('{', 'one.json')).toThrow('scenario one.json: not valid JSON');
});
