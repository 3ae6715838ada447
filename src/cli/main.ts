#!/usr/bin/env node
import { enableCompileCache } from 'node:module';
import { plainReason } from '../errors.ts';
import { deferStringWidth } from './string-width.ts';

// A reader that closes the pipe, as in `show FILE | head`, is not an error. The work continues: its files and its exit
// code still matter.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') return;
  console.error(`codex-parity: cannot write standard output: ${plainReason(error)}`);
  process.exit(2);
});

// Halves the start-up time. It must come before the modules that are worth caching.
enableCompileCache();
const stopDeferring = deferStringWidth();
const { run } = await import('./run.ts');
stopDeferring();
process.exitCode = await run(process.argv.slice(2));
