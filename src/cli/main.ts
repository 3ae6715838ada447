#!/usr/bin/env node
import { enableCompileCache } from 'node:module';
import { plainReason } from '../errors.ts';

// A reader that closes the pipe, as in `show FILE | head`, is not an error. The work continues: its files and its exit
// code still matter.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') return;
  console.error(`codex-parity: cannot write standard output: ${plainReason(error)}`);
  process.exit(2);
});

// Halves the start-up time. It must come before the modules that are worth caching.
enableCompileCache();
const { run } = await import('./run.ts');
process.exitCode = await run(process.argv.slice(2));
