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

it.each(scenarioNames())('reads %s, which is named like its file and says why it is there', (name) => {
  const scenario = loadScenario(name);

  expect(scenario.name).toBe(name);
  expect(scenario.why).toMatch(/\.$/);
});

it('reads the least there can be', () => {
  expect(parsed({})).toEqual(valid);
});

it('reads all that a client can be given, and keeps JSON as it is spelled', () => {
  const given = {
    model: 'gpt-x',
    images: [{ name: 'a.png', base64: 'AAAA' }],
    outputSchema: { b: 1.0, a: 2 },
    repository: { files: { 'AGENTS.md': 'Be brief.' } },
    mcpServers: [{ name: 'parity', tools: [tool] }],
  };

  expect(parsed(client(given)).client).toEqual({
    ...valid.client,
    ...given,
    outputSchema: '{"b":1,"a":2}',
    repository: { files: [['AGENTS.md', 'Be brief.']] },
    mcpServers: [{ name: 'parity', tools: [{ ...tool, inputSchema: '{"type":"object"}' }] }],
  });
});

it('takes the style of the model for calls that name none', () => {
  const command = { call: 'command', command: 'printf a', output: 'a' };
  const mcp = { call: 'mcp', server: 'parity', tool: 'measure', arguments: { word: 'a' } };

  expect(parsed(calls(command, mcp)).backend).toEqual([
    { reply: 'tool_calls', style: 'auto', calls: [command, { ...mcp, arguments: '{"word":"a"}' }] },
  ]);
});

it.each([
  { wrong: 'no prompt', change: { client: { config: {} } }, says: '"prompt" is missing' },
  {
    wrong: 'an unknown member',
    change: { clients: {} },
    says: 'a scenario has no "clients": it may have name,',
  },
  { wrong: 'an unknown option', change: client({ image: 'a.png' }), says: '"client" has no "image"' },
  {
    wrong: 'a list in the configuration',
    change: client({ config: { a: [1] } }),
    says: '"config.a" must be a string, a number or a boolean, not [1]',
  },
  {
    wrong: 'a picture that is not base64',
    change: client({ images: [{ name: 'a.png', base64: '?' }] }),
    says: '"base64" must be base64',
  },
  {
    wrong: 'a file outside its folder',
    change: client({ repository: { files: { '../AGENTS.md': '' } } }),
    says: '"../AGENTS.md" must be a file name without a folder',
  },
  {
    wrong: 'an empty repository',
    change: client({ repository: { files: {} } }),
    says: '"repository.files" must hold a file',
  },
  {
    wrong: 'a schema that is none',
    change: client({ outputSchema: 'number' }),
    says: '"outputSchema" must be an object',
  },
  {
    wrong: 'a server with a name no tool can have',
    change: client({ mcpServers: [{ name: 'my server', tools: [] }] }),
    says: '"my server" must be lower-case letters, digits and _',
  },
  {
    wrong: 'an unknown reply',
    change: { backend: [{ reply: 'song' }] },
    says: '"reply" must be one of text, tool_calls',
  },
  {
    wrong: 'a header that is no text',
    change: { backend: [{ reply: 'error', status: 429, error: {}, headers: { 'retry-after': 17 } }] },
    says: '"headers.retry-after" must be a string',
  },
  { wrong: 'a reply without a call', change: calls(), says: '"calls" must hold a call' },
  {
    wrong: 'a command without what it prints',
    change: calls({ call: 'command', command: 'printf a' }),
    says: '"output" is missing',
  },
  {
    wrong: 'versions without an end',
    change: { versions: { why: 'So.' } },
    says: '"versions" needs "from", "to" or both',
  },
  { wrong: 'versions without a reason', change: { versions: { from: '0.144.0' } }, says: '"why" is missing' },
  {
    wrong: 'a version that is none',
    change: { versions: { from: 'newest', why: 'So.' } },
    says: '"versions.from" must be a version, not "newest"',
  },
])('refuses $wrong', ({ change, says }) => {
  expect(() => parsed(change)).toThrow(`scenario one.json: ${says}`);
});

it('reads lanes, and steps in place of a prompt', () => {
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
  [{ prompt: 'One' }, /needs either "prompt" or "steps"/],
  [{ images: [] }, /needs either "images" or "steps"/],
  [{ outputSchema: {} }, /needs either "outputSchema" or "steps"/],
  [{ steps: [] }, /the first of "steps" must be a turn/],
  [{ steps: [{ do: 'resume' }] }, /the first of "steps" must be a turn/],
  [{ steps: [{ do: 'sleep' }] }, /"do" must be one of/],
  [{ steps: [{ do: 'turn', prompt: 'One', during: 'lunch' }] }, /"during" must be one of interrupt/],
])('refuses the steps of %j', (members, says) => {
  const given = { config: {}, steps: [{ do: 'turn', prompt: 'One' }], ...members };

  expect(() => parsed({ client: given })).toThrow(says);
});

it('refuses what is not JSON', () => {
  expect(() => parseScenario('{', 'one.json')).toThrow('scenario one.json: it is not JSON');
});
