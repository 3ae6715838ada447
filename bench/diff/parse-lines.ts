import { readFileSync } from 'node:fs';

/** What `diff` is measured against: reads the lines of the files named, and parses each. */
let lines = 0;
for (const path of process.argv.slice(2)) {
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    if (line !== '' && typeof JSON.parse(line) === 'object') lines += 1;
  }
}
console.log(`${lines} lines`);
