import { execFileSync } from 'node:child_process';
import { cpSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runInGroup } from '../../src/client/process-group.ts';
import { cli, repository, temporaryFolder } from './cli.ts';

it('runs as JavaScript from the folder that it is installed in', async () => {
  const installed = temporaryFolder();
  const tsc = join(repository, 'node_modules', 'typescript', 'bin', 'tsc');
  const project = join(repository, 'tsconfig.build.json');
  execFileSync(process.execPath, [tsc, '--project', project, '--outDir', join(installed, 'dist')]);
  for (const part of ['fixtures', 'traces', 'package.json']) {
    cpSync(join(repository, part), join(installed, part), { recursive: true });
  }
  symlinkSync(join(repository, 'node_modules'), join(installed, 'node_modules'));
  const { exitCode, stdout } = await runInGroup(
    [process.execPath, join(installed, 'dist', 'cli', 'main.js'), 'check', '--codex', '0.169.0'],
    { cwd: installed, env: { PATH: process.env.PATH ?? '', HOME: installed } },
  );
  expect(stdout).toContain('parity: bundled sends what the official client sends');
  expect(exitCode).toBe(0);
});

it.concurrent.each(['record', 'check', 'diff', 'show', 'drift', 'proxy', 'bench-tier'])(
  'prints an example in the help of %s',
  async (command) => {
    const { exitCode, stdout } = await cli([command, '--help']);
    expect(stdout).toContain('Examples:');
    expect(stdout).toMatch(new RegExp(`codex-parity ${command}`));
    expect(exitCode).toBe(0);
  },
);

it('prints the state of the installation with doctor', async () => {
  const { stdout } = await cli(['doctor']);
  expect(stdout).toMatch(/^ok +node +v/m);
  expect(stdout).toMatch(/^ok +goldens +\d+ goldens of codex 0\.118\.0, .*, 0\.171\.0$/m);
  expect(stdout).toMatch(/official clients/);
  expect(stdout).toMatch(/certificate authority/);
  expect(stdout).toMatch(/registry +https?:/);
});

it('prints a golden in readable form', async () => {
  const golden = join(repository, 'traces', '0.169.0', 'chatgpt', 'fast.golden.jsonl');
  const { stdout } = await cli(['show', golden]);
  expect(stdout).toContain('golden: codex 0.169.0, lane chatgpt, scenario fast, learned from 3 runs');
  expect(stdout).toMatch(/\{\{session_id\}\} +a UUID of version 7/);
  expect(stdout).toContain('  session-id: {{session_id}}');
  expect(stdout).toContain('"service_tier": "priority"');
});
