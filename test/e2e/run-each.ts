// Runs several command lines in one process, one after the other, and prints their results as JSON.
import { enableCompileCache } from 'node:module';
import type { CliResult } from './run-in-process.ts';

// As in src/cli/main.ts: it must come before the modules that are worth caching.
enableCompileCache();
const { runInProcess } = await import('./run-in-process.ts');

const commandLines: string[][] = JSON.parse(process.argv[2] ?? '[]');
const results: CliResult[] = [];
for (const args of commandLines) results.push(await runInProcess(args));
process.stdout.write(JSON.stringify(results));
