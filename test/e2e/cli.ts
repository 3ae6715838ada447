import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished } from 'vitest';

export const repository = join(import.meta.dirname, '..', '..');

export type CliResult = {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
};

/** A fault in the program: the text of one file in src/ is changed while it is loaded. */
export type Mutation = { readonly file: string; readonly change: (source: string) => string };

export type CliOptions = {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly mutation?: Mutation;
  /** Called with each chunk of standard error, and the process. */
  readonly onStderr?: (text: string, child: ChildProcess) => void;
};

/** Runs the command line as a process, as a user does. */
export function cli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const { cwd = repository, env = {}, mutation, onStderr } = options;
  const { imports, variables } = mutation === undefined ? { imports: [], variables: {} } : mutate(mutation);
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...imports, join(repository, 'src', 'cli', 'main.ts'), ...args], {
      cwd,
      env: { ...process.env, ...variables, ...env },
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

/** A new empty folder, removed when the test ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'codex-parity-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** What a process needs to load a changed source file. Fails if the change finds nothing to change. */
function mutate({ file, change }: Mutation) {
  const path = join(repository, 'src', file);
  const source = readFileSync(path, 'utf8');
  const mutated = join(temporaryFolder(), 'mutated.ts');
  expect(change(source), `the mutation of ${file} changes nothing`).not.toBe(source);
  writeFileSync(mutated, change(source));
  return {
    imports: ['--import', join(import.meta.dirname, 'mutate.mjs')],
    variables: { MUTATED_URL: pathToFileURL(path).href, MUTATED_SOURCE: mutated },
  };
}
