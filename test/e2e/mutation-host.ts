// Runs command lines with faults in the program, one fault after the other: see mutation.ts.
import { readFileSync } from 'node:fs';
import { registerHooks, stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { FaultyRun } from './mutation.ts';
import type { CliResult } from './run-in-process.ts';

const repository = pathToFileURL(join(import.meta.dirname, '..', '..', '/')).href;
const program = [`${repository}src/`, `${repository}test/e2e/run-in-process.ts`];
/** The plain JavaScript of the files of the program without a fault. */
const scripts = new Map<string, string>();
let faults = 0;
let current: FaultyRun | undefined;

// Each fault has copies of all modules of the program, but not of the packages.
registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    const isProgram = program.some((start) => resolved.url.startsWith(start));
    return isProgram ? { ...resolved, url: `${resolved.url}?fault=${faults}` } : resolved;
  },
  load(url, context, next) {
    const [file = '', fault] = url.split('?fault=');
    if (fault === undefined) return next(url, context);
    const source = file === current?.url ? stripTypeScriptTypes(current.source) : scriptOf(file);
    return { format: 'module', source, shortCircuit: true };
  },
});

function scriptOf(file: string): string {
  const script = scripts.get(file) ?? stripTypeScriptTypes(readFileSync(fileURLToPath(file), 'utf8'));
  scripts.set(file, script);
  return script;
}

process.on('message', async (run: FaultyRun) => {
  faults += 1;
  current = run;
  const { runInProcess } = await import('./run-in-process.ts');
  const results: CliResult[] = [];
  for (const args of run.commandLines) results.push(await runInProcess(args));
  process.send?.(results);
});
