import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';

export const repository = join(import.meta.dirname, '..', '..');

export type CliResult = {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
};

export type CliOptions = {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The checkout to run; this one unless given. */
  readonly from?: string;
  /** Given the process once it has started, and each whole text of standard error. */
  readonly onStderr?: (text: string, child: ChildProcess) => void;
};

/** Runs the command line as a user does, as a process of its own. */
export function cli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const { cwd = repository, env = {}, from = repository, onStderr } = options;
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(from, 'src', 'cli', 'main.ts'), ...args], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      onStderr?.(text, child);
    });
    child.once('close', (exitCode) => resolve({ exitCode, stdout, stderr }));
  });
}

/** A new empty folder, gone when the test is. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'codex-parity-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A checkout in which one source file is another than ours: that by which the proxy shapes requests, unless given. */
export function checkoutWith(
  change: (source: string) => string,
  source = 'proxy/shape/request-shaper.ts',
): string {
  const checkout = temporaryFolder();
  for (const part of ['src', 'fixtures', 'traces', 'package.json']) {
    cpSync(join(repository, part), join(checkout, part), { recursive: true });
  }
  symlinkSync(join(repository, 'node_modules'), join(checkout, 'node_modules'));
  const file = join(checkout, 'src', source);
  const text = readFileSync(file, 'utf8');
  expect(change(text)).not.toBe(text);
  writeFileSync(file, change(text));
  return checkout;
}
