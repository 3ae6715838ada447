import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { CliResult } from './run-in-process.ts';

export const repository = join(import.meta.dirname, '..', '..');

export type CliOptions = {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Called with each chunk of standard error, and the process. */
  readonly onStderr?: (text: string, child: ChildProcess) => void;
  /** Called with each chunk of standard output. */
  readonly onStdout?: (text: string) => void;
};

/** Runs the command line as a process, as a user does: for what is about the process, or its working folder. */
export function cli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const { cwd = repository, env = {}, onStderr, onStdout } = options;
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(repository, 'src', 'cli', 'main.ts'), ...args], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      onStdout?.(text);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      onStderr?.(text, child);
    });
    child.once('close', (exitCode) => resolve({ exitCode, stdout, stderr }));
  });
}

/**
 * A new empty folder, removed when the test ends. A concurrent test passes the `onTestFinished` of its context: Vitest
 * does not know which of them calls the global one.
 */
export function temporaryFolder(finished: typeof onTestFinished = onTestFinished): string {
  const folder = mkdtempSync(join(tmpdir(), 'codex-parity-test-'));
  finished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
