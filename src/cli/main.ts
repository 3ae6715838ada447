#!/usr/bin/env node
import { enableCompileCache } from 'node:module';
import { hideBin } from 'yargs/helpers';

// Halves the time a start takes; so it must come before the modules that are worth caching.
enableCompileCache();
const { run } = await import('./run.ts');
process.exitCode = await run(hideBin(process.argv));
