import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { repository, temporaryFolder } from './cli.ts';
import { runInProcess } from './run-in-process.ts';

const file = 'codex-parity.config.yaml';

async function init(args: readonly string[], cwd = temporaryFolder()) {
  return { cwd, ...(await runInProcess(['init', ...args], { cwd })) };
}

it('writes a configuration from options and a command, with which check works', async () => {
  const program = join(repository, 'src', 'cli', 'main.ts');
  const { cwd, stderr, exitCode } = await init([
    ...['--name', 'mine', '--path', '/v1', '--env', 'CODEX_PARITY_PROXY_AUTH={auth}'],
    ...['--env', 'CODEX_PARITY_API_KEY=a-key-of-the-clients', '--client-key', 'a-key-of-the-clients'],
    ...['--', process.execPath, program, 'proxy', '--port', '{port}', '--upstream', '{upstream}'],
  ]);
  expect(stderr).toBe(
    `wrote ${file}\ncheck it with: codex-parity check --subject mine --codex latest --scenario default,fast\n`,
  );
  expect(exitCode).toBe(0);
  expect(readFileSync(join(cwd, file), 'utf8')).toMatch(/^# yaml-language-server: \$schema=/);
  const checked = await runInProcess(
    ['check', '--subject', 'mine', '--codex', 'latest', '--scenario', 'fast'],
    {
      cwd,
    },
  );
  expect(checked).toMatchObject({ exitCode: 0 });
});

it('keeps each word of the command as it is, and quotes a name with a space', async () => {
  const words = ['./my-proxy', '0x10', '007', '1e3', '8080', 'true', '{port}'];
  const { cwd, stderr } = await init(['--name', 'my proxy', '--', ...words]);
  expect(stderr).toContain('--subject "my proxy" ');
  expect(readConfig(cwd).subjects).toMatchObject({ 'my proxy': { command: words } });
});

it('says which placeholders a check needs', async () => {
  const lacks = [
    'note: nothing uses {port}: the proxy must listen on this port',
    'note: nothing uses {upstream} or {origin}: the requests of the proxy must go to this URL',
  ];
  const notesOf = async (...args: readonly string[]) =>
    (await init(args)).stderr.split('\n').filter((line) => line.startsWith('note: '));
  expect(await notesOf('--', './my-proxy')).toEqual(lacks);
  expect(await notesOf('--upstream', 'https', '--env', 'PORT={port}', '--', './my-proxy')).toEqual([]);
});

it('copies the configuration of a known proxy', async () => {
  const { cwd, exitCode } = await init(['--example', 'codex-lb']);
  expect(exitCode).toBe(0);
  expect(readConfig(cwd).subjects).toHaveProperty('codex-lb');
});

it.each([
  [['--example', 'codex-bl'], 'unknown example "codex-bl": did you mean "codex-lb"? choose from '],
  [
    [],
    'init asks its questions in a terminal, and this is not one: give the command of your proxy after --, or use --example',
  ],
  [['--env', 'NOTHING', '--', 'x'], '--env "NOTHING" is not NAME=VALUE'],
  [
    ['--example', 'codex-lb', '--name', 'mine'],
    'use --example or --name, not both: edit the file that --example writes',
  ],
  [['--example', 'codex-lb', '--', 'x'], 'use --example or a command after --, not both'],
  [
    ['--name', 'mine', '--', 'x', '{prot}'],
    'subjects.mine.command.1 has the unknown placeholder {prot}: did you mean "port"? ',
  ],
])('rejects %j in one line', async (args, problem) => {
  const { stderr, exitCode } = await init(args);
  expect(stderr).toContain(problem);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(exitCode).toBe(2);
});

it('keeps a configuration that exists', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'codex-parity.config.json'), '{}');
  const { stderr, exitCode } = await init(['--', 'x'], folder);
  expect(stderr).toContain(
    'codex-parity.config.json exists already: add a subject to it, or remove it first',
  );
  expect(exitCode).toBe(2);
});
