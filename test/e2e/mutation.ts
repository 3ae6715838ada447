import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'vitest';
import { repository } from './cli.ts';
import type { CliResult } from './run-in-process.ts';

/** A fault in the program: the text of one file in src/ is changed while it is loaded. */
export type Mutation = { readonly file: string; readonly change: (source: string) => string };

/** The file that shapes the requests of the bundled proxy. */
export const shaper = 'proxy/shape/request-shaper.ts';

/** What mutation-host.ts runs: command lines, with another source of the file at a URL. */
export type FaultyRun = {
  readonly url: string;
  readonly source: string;
  readonly commandLines: readonly (readonly string[])[];
};

/** The process of all faults: it loads the packages once, which takes most of the time of a start. It ends with this process. */
let host: ChildProcess | undefined;

/** Runs command lines with a fault in the program. Fails if the change finds nothing to change. */
export async function runMutated(
  { file, change }: Mutation,
  commandLines: readonly (readonly string[])[],
): Promise<CliResult[]> {
  const path = join(repository, 'src', file);
  const original = readFileSync(path, 'utf8');
  const source = change(original);
  expect(source, `the mutation of ${file} changes nothing`).not.toBe(original);
  host ??= fork(join(import.meta.dirname, 'mutation-host.ts'), {
    cwd: repository,
    // For the removal of types. Its form in Node 24 is still called experimental.
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  host.unref();
  host.channel?.unref();
  const run: FaultyRun = { url: pathToFileURL(path).href, source, commandLines };
  host.send(run);
  const waiting = new AbortController();
  try {
    const ended = once(host, 'exit', waiting).then(([code]) => {
      throw new Error(`the process of the faults ended with exit code ${code}`);
    });
    const [results]: CliResult[][] = await Promise.race([once(host, 'message', waiting), ended]);
    return results ?? [];
  } finally {
    waiting.abort();
  }
}
