// Loaded with --import: replaces the source of one module, see mutation.ts.
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import process from 'node:process';

const { MUTATED_URL, MUTATED_SOURCE = '' } = process.env;

registerHooks({
  load(url, context, next) {
    if (url !== MUTATED_URL) return next(url, context);
    return { format: 'module-typescript', source: readFileSync(MUTATED_SOURCE, 'utf8'), shortCircuit: true };
  },
});
