import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { repository, temporaryFolder } from './cli.ts';
import type { CliResult } from './run-in-process.ts';

/** A fault in the program: the text of one file in src/ is changed while it is loaded. */
export type Mutation = { readonly file: string; readonly change: (source: string) => string };

/** The file that shapes the requests of the bundled proxy. */
export const shaper = 'proxy/shape/request-shaper.ts';

/** Runs command lines with a fault in the program. Fails if the change finds nothing to change. */
export async function runMutated(
  { file, change }: Mutation,
  commandLines: readonly (readonly string[])[],
): Promise<CliResult[]> {
  const path = join(repository, 'src', file);
  const source = readFileSync(path, 'utf8');
  const mutated = join(temporaryFolder(), 'mutated.ts');
  expect(change(source), `the mutation of ${file} changes nothing`).not.toBe(source);
  writeFileSync(mutated, change(source));
  const script = (name: string) => join(import.meta.dirname, name);
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', script('mutate.mjs'), script('run-each.ts'), JSON.stringify(commandLines)],
    {
      cwd: repository,
      env: { ...process.env, MUTATED_URL: pathToFileURL(path).href, MUTATED_SOURCE: mutated },
      maxBuffer: 64 * 1024 * 1024,
    },
  );
  return JSON.parse(stdout);
}
