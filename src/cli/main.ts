#!/usr/bin/env node
import { enableCompileCache } from 'node:module';
import { hideBin } from 'yargs/helpers';

// A reader that has seen enough, as in `show FILE | head`, is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

// Halves the time a start takes; so it must come before the modules that are worth caching.
enableCompileCache();
const { run } = await import('./run.ts');
process.exitCode = await run(hideBin(process.argv));
