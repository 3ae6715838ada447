import { spawnSync } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { makeEnvironment } from '../../src/client/official/environment.ts';
import type { Task } from '../../src/client/official/task.ts';
import { writeTaskFiles } from '../../src/client/official/task-files.ts';
import { runInGroup } from '../../src/client/process-group.ts';
import { temporaryFolder } from './temporary-folder.ts';

async function written(task: Partial<Task>, n = 0) {
  const environment = await makeEnvironment(await temporaryFolder(), n);
  return { environment, ...(await writeTaskFiles({ prompt: 'Say one', config: {}, ...task }, environment)) };
}

async function git(args: string[], { cwd, env }: { cwd: string; env: Readonly<Record<string, string>> }) {
  return (await runInGroup(['git', ...args], { cwd, env })).stdout.trim();
}

it('adds nothing for a task with only a prompt', async () => {
  const { options, config, environment } = await written({});

  expect({ options, config }).toEqual({ options: [], config: {} });
  expect(await readdir(environment.cwd)).toEqual([]);
});

it('adds the model', async () => {
  expect((await written({ model: 'gpt-x' })).options).toEqual(['--model', 'gpt-x']);
});

it('writes images and schema to files outside the working folder', async () => {
  const { options, environment } = await written({
    images: [{ name: 'a.png', base64: 'iVBORw==' }],
    outputSchema: '{"type":"object"}',
  });

  expect([options[0], options[2]]).toEqual(['--image', '--output-schema']);
  expect(await readFile(options[1] ?? '', 'base64')).toBe('iVBORw==');
  expect(await readFile(options[3] ?? '', 'utf8')).toBe('{"type":"object"}');
  expect(await readdir(environment.cwd)).toEqual([]);
});

it('makes the working folder the root of a repository with a commit and a remote', async () => {
  const repository = { files: { 'AGENTS.md': 'Be brief.\n' } };
  const { config, environment } = await written({ repository });

  expect(config).toEqual({ project_root_markers: ['.git'] });
  expect(await git(['ls-files'], environment)).toBe('AGENTS.md');
  expect(await git(['status', '--porcelain'], environment)).toBe('');
  expect(await git(['remote', 'get-url', 'origin'], environment)).toBe(
    'https://git.example.com/ada/engine.git',
  );
});

it('makes different commits and remotes for different runs, and the same for the same run', async () => {
  const repository = { files: { 'AGENTS.md': 'Be brief.\n' } };
  const facts = async (n: number) => {
    const { environment } = await written({ repository }, n);
    return [
      await git(['rev-parse', 'HEAD'], environment),
      await git(['remote', 'get-url', 'origin'], environment),
    ];
  };
  const [first, second, again] = [await facts(0), await facts(1), await facts(0)];

  expect(first[0]).toMatch(/^[0-9a-f]{40}$/);
  expect(second[0]).not.toBe(first[0]);
  expect(second[1]).not.toBe(first[1]);
  expect(again).toEqual(first);
});

it('reports that git is missing', async () => {
  const environment = await makeEnvironment(await temporaryFolder(), 0);
  const without = { ...environment, env: { ...environment.env, PATH: environment.cwd } };
  const task = { prompt: 'Say one', config: {}, repository: { files: { a: '' } } };

  await expect(writeTaskFiles(task, without)).rejects.toMatchObject({
    code: 'client-failed',
    message: 'this scenario needs git, which could not be started: install git',
  });
});

it('configures an MCP server that lists its tools and responds to calls', async () => {
  const inputSchema = '{"type":"object","properties":{"word":{"type":"string"}}}';
  const tools = [{ name: 'measure', description: 'Measures a word', inputSchema, answer: '4' }];
  const { config } = await written({ mcpServers: [{ name: 'parity', tools }] });
  const [command, args] = [config['mcp_servers.parity.command'], config['mcp_servers.parity.args']];

  expect(command).toBe(process.execPath);
  const responses = exchange(
    [String(command), ...(Array.isArray(args) ? args : [])],
    [
      { id: 1, method: 'initialize', params: { protocolVersion: '2025-06-18' } },
      { method: 'notifications/initialized' },
      { id: 2, method: 'tools/list' },
      { id: 3, method: 'tools/call', params: { name: 'measure', arguments: { word: 'word' } } },
      { id: 4, method: 'songs/list' },
    ],
  );

  expect(responses).toMatchObject([
    { id: 1, result: { protocolVersion: '2025-06-18' } },
    {
      id: 2,
      result: { tools: [{ name: 'measure', inputSchema: { properties: { word: { type: 'string' } } } }] },
    },
    { id: 3, result: { content: [{ type: 'text', text: '4' }] } },
    { id: 4, error: { code: -32601 } },
  ]);
});

/** Sends messages to an MCP server, and returns its responses. */
function exchange([program = '', ...args]: string[], messages: object[]): unknown[] {
  const input = messages.map((message) => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`).join('');
  const { stdout } = spawnSync(program, args, { input, encoding: 'utf8' });
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}
