import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const program = `
import { optimizeEarly } from '${join(import.meta.dirname, '../../src/cli/optimize-early.ts')}';
if (process.argv.includes('early')) optimizeEarly();
const add = (list) => { let sum = 0; for (const n of list) sum += n; return sum; };
for (let calls = 0; calls < 1000; calls += 1) add([calls, 1, 2]);
const turboFanned = 1 << 6;
console.log((%GetOptimizationStatus(add) & turboFanned) !== 0);
`;

test.each([
  { when: 'later', optimized: 'false' },
  { when: 'early', optimized: 'true' },
])('a function of 1,000 calls is optimized: $when', ({ when, optimized }) => {
  // In the background, the compiler would take as long as the machine lets it.
  const flags = ['--allow-natives-syntax', '--no-concurrent-recompilation'];
  const args = [...flags, '--input-type=module', '--eval', program, when];
  expect(execFileSync(process.execPath, args, { encoding: 'utf8' }).trim()).toBe(optimized);
});
