import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Runs the benches of this folder, or those that are named (`npm run bench -- diff`), each in a process of its own.
 * A bench is a program `NAME.bench.ts`: it prints its table and a line for each goal, which says in words whether it is
 * met, and writes what it measured to `.codex-parity/bench-NAME.json`.
 */
const ending = '.bench.ts';
const wanted = process.argv.slice(2);
const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith(ending))
  .map((file) => file.slice(0, -ending.length));
const unknown = wanted.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  console.error(`no bench ${unknown.join(', ')}: there are ${names.join(', ')}`);
  process.exitCode = 2;
} else {
  for (const name of wanted.length > 0 ? wanted : names) {
    console.log(`\n${name}`);
    const { status } = spawnSync(process.execPath, [join(import.meta.dirname, `${name}${ending}`)], {
      stdio: 'inherit',
    });
    if (status !== 0) process.exitCode = 1;
  }
}
