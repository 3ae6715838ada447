import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const program = `
import { optimizeEarly } from '${join(import.meta.dirname, '../../src/cli/optimize-early.ts')}';
if (process.argv.includes('early')) optimizeEarly();
const add = (list) => { let sum = 0; for (const n of list) sum += n; return sum; };
for (let calls = 0; calls < 1000; calls += 1) {
  add([calls, 1, 2]);
  // The compiler works in the background, and its code is used from a later turn of the event loop on.
  await new Promise((done) => setImmediate(done));
}
const turboFanned = 1 << 6;
console.log((%GetOptimizationStatus(add) & turboFanned) !== 0);
`;

test.each([
  { when: 'later', optimized: 'false' },
  { when: 'early', optimized: 'true' },
])('a function of 1,000 calls is optimized: $when', ({ when, optimized }) => {
  const args = ['--allow-natives-syntax', '--input-type=module', '--eval', program, when];
  expect(execFileSync(process.execPath, args, { encoding: 'utf8' }).trim()).toBe(optimized);
});
