#!/usr/bin/env node
import { enableCompileCache } from 'node:module';
import { hideBin } from 'yargs/helpers';
import { plainReason } from '../errors.ts';

// A reader that has seen enough, as in `show FILE | head`, is no error; the work goes on, for its files and its exit
// code.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') return;
  console.error(`codex-parity: cannot write standard output: ${plainReason(error)}`);
  process.exit(2);
});

// Halves the time a start takes; so it must come before the modules that are worth caching.
enableCompileCache();
const { run } = await import('./run.ts');
process.exitCode = await run(hideBin(process.argv));
