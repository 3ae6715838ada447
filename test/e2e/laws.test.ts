import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { goldenPath } from '../../src/golden/file.ts';
import { bundledGoldens } from '../../src/golden/select.ts';
import { repository, temporaryFolder } from './cli.ts';

/** Runs scripts/laws.ts. */
function laws(
  ...args: readonly string[]
): Promise<{ exitCode: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(repository, 'scripts', 'laws.ts'), ...args]);
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.once('close', (exitCode) => resolve({ exitCode, stdout, stderr }));
  });
}

it('passes with a committed golden, and fails with a changed golden', async () => {
  const folder = temporaryFolder();
  const golden = { codex: '0.169.0', lane: 'chatgpt', scenario: 'fast' } as const;
  const path = goldenPath(folder, golden);
  mkdirSync(dirname(path), { recursive: true });
  copyFileSync(goldenPath(bundledGoldens, golden), path);
  const held = await laws('--goldens', folder, '--sample', '1', '--seed', '7');
  expect(held.stdout).toBe('the laws hold (1 recording, seed 7)\n');
  expect(held.stderr).toMatch(
    /1 of 1: 0\.169\.0 chatgpt fast, environment 1\d\d\d: holds, recording is identical/,
  );
  expect(held.exitCode).toBe(0);

  writeFileSync(path, readFileSync(path, 'utf8').replace('"store":false', '"store":true'));
  const broken = await laws('--goldens', folder, '--sample', '1', '--seed', '7');
  expect(broken.stdout).toContain(
    'breaks: 0.169.0 chatgpt fast › exchange 1 › client message 1 › store: changed\n  expected true\n  actual   false\n',
  );
  expect(broken.stdout).toMatch(
    /the recorded golden differs from the committed golden\n.*"store":true.*\n.*"store":false/,
  );
  expect(broken.stdout).toContain('the laws do not hold: 2 findings (1 recording, seed 7)\n');
  expect(broken.exitCode).toBe(1);
});

it('rejects an unknown option in one line', async () => {
  expect(await laws('--nope')).toEqual({ exitCode: 2, stdout: '', stderr: "Unknown option '--nope'\n" });
});

it('rejects an invalid sample size before it records anything', async () => {
  const { exitCode, stderr } = await laws('--sample', 'many');
  expect(stderr).toMatch(/^--sample and --seed must be whole numbers: npm run laws/);
  expect(exitCode).toBe(2);
});
