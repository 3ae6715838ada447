// Runs command lines with faults in the program, one fault after the other: see mutation.ts.
import { globSync, readFileSync } from 'node:fs';
import { registerHooks, stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { FaultyRun } from './mutation.ts';
import type { CliResult } from './run-in-process.ts';

const repository = join(import.meta.dirname, '..', '..');
const runner = pathToFileURL(join(import.meta.dirname, 'run-in-process.ts')).href;
/** The plain JavaScript of the files of the program without a fault. */
const scripts = new Map<string, string>();
let faults = 0;
let current: FaultyRun | undefined;
/** The modules that a fault can change: its file, and all that load this file, directly or not. */
let affected: ReadonlySet<string> = new Set();

/** What loads each file of the program. */
const importers = new Map<string, string[]>();
const files = globSync('src/**/*.ts', { cwd: repository }).map(
  (file) => pathToFileURL(join(repository, file)).href,
);
for (const url of [...files, runner]) {
  const text = readFileSync(fileURLToPath(url), 'utf8');
  for (const [, first, path = first ?? ''] of text.matchAll(
    /^(?:import|export) (?!type )[^;]*?'(\.[^']+)'|import\('(\.[^']+)'\)/gm,
  )) {
    const imported = new URL(path, url).href;
    importers.set(imported, [...(importers.get(imported) ?? []), url]);
  }
}

function importersOf(url: string): Set<string> {
  const found = new Set([url]);
  for (const one of found) for (const importer of importers.get(one) ?? []) found.add(importer);
  return found;
}

// Each fault has copies of the modules that it can change, but not of the others, nor of packages.
registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    return affected.has(resolved.url) ? { ...resolved, url: `${resolved.url}?fault=${faults}` } : resolved;
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
  affected = importersOf(run.url);
  const { runInProcess } = await import('./run-in-process.ts');
  const results: CliResult[] = [];
  for (const args of run.commandLines) results.push(await runInProcess(args));
  process.send?.(results);
});
