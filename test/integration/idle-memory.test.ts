import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const program = `
import { returnIdleMemory } from '${join(import.meta.dirname, '../../src/cli/idle-memory.ts')}';
const spare = () => { const { heapTotal, heapUsed } = process.memoryUsage(); return heapTotal - heapUsed; };
const wait = (time) => new Promise((done) => setTimeout(done, time));
let kept = [];
const grow = () => { kept = Array.from({ length: 200_000 }, (_, at) => ({ at })); };
for (let n = 0; n < 20; n += 1) grow();
kept = [];
returnIdleMemory(100);
const end = Date.now() + 1000;
while (Date.now() < end) { for (const until = Date.now() + 20; Date.now() < until; ); await wait(0); }
const busy = spare();
await wait(200);
const soon = spare();
await wait(2000);
console.log(JSON.stringify({ busy, soon, idle: spare() }));
`;

test('a program that is idle for some periods returns unused heap memory, and a busy one keeps it', () => {
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
  });
  const { busy, soon, idle } = JSON.parse(output);
  expect(busy).toBeGreaterThan(16_000_000);
  expect(soon).toBeGreaterThan(16_000_000);
  expect(idle).toBeLessThan(16_000_000);
});

const readingProgram = `
import { returnIdleMemory } from '${join(import.meta.dirname, '../../src/cli/idle-memory.ts')}';
returnIdleMemory(100);
const wait = (time) => new Promise((done) => setTimeout(done, time));
await wait(2000);
// What sockets read is like this.
for (let n = 0; n < 400; n += 1) Buffer.allocUnsafe(64 * 1024).fill(1);
const read = process.memoryUsage().arrayBuffers;
await wait(2000);
console.log(JSON.stringify({ read, idle: process.memoryUsage().arrayBuffers }));
`;

test('an idle program frees what it has read', () => {
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', readingProgram], {
    encoding: 'utf8',
  });
  const { read, idle } = JSON.parse(output);
  expect(read).toBeGreaterThan(16_000_000);
  expect(idle).toBeLessThan(1_000_000);
});

const busyProgram = `
import { passBytesOn } from '${join(import.meta.dirname, '../../src/cli/idle-memory.ts')}';
import { getHeapSpaceStatistics } from 'node:v8';
passBytesOn();
let kept = [];
for (let n = 0; n < 600; n += 1) {
  // As much as survives the collections of a process that serves many requests at once.
  kept.push(Array.from({ length: 5000 }, (_, at) => ({ at })));
  if (kept.length > 60) kept = kept.slice(30);
  await new Promise((done) => setImmediate(done));
}
console.log(getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space').space_size);
`;

test('the young generation of a process that passes bytes on stays small, although much survives', () => {
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', busyProgram], {
    encoding: 'utf8',
  });
  expect(Number(output)).toBeGreaterThan(8_000_000);
  expect(Number(output)).toBeLessThan(40_000_000);
});

const passingProgram = `
import { passBytesOn } from '${join(import.meta.dirname, '../../src/cli/idle-memory.ts')}';
import { countPassedBytes } from '${join(import.meta.dirname, '../../src/proxy/http/passed-bytes.ts')}';
import { connect, createServer } from 'node:net';
import { constants, PerformanceObserver } from 'node:perf_hooks';
// A heap like that of the proxy.
globalThis.heap = Array.from({ length: 100_000 }, (_, at) => ({ at, of: [at] }));
passBytesOn();
let whole = 0;
new PerformanceObserver((list) => {
  for (const { detail } of list.getEntries()) if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) whole += 1;
}).observe({ entryTypes: ['gc'] });
const server = createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1', async () => {
  const socket = connect(server.address().port, '127.0.0.1');
  const block = Buffer.alloc(64 * 1024);
  let left = 512 * 1024 * 1024;
  socket.on('data', ({ length }) => {
    countPassedBytes(2 * length);
    left -= length;
    if (left > 0) socket.write(block);
    else console.log(whole), process.exit();
  });
  socket.write(block);
});
`;

test('the whole heap of a process that passes bytes on is seldom collected', () => {
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', passingProgram], {
    encoding: 'utf8',
  });
  expect(Number(output)).toBeLessThan(5);
});

const roomProgram = `
import v8 from 'node:v8';
import { syncBuiltinESMExports } from 'node:module';
const set = v8.setFlagsFromString;
const flags = {};
v8.setFlagsFromString = (flag) => {
  set(flag);
  Object.assign(flags, Object.fromEntries([flag.slice(2).split('=')]));
};
syncBuiltinESMExports();
globalThis.heap = Array.from({ length: 500_000 }, (_, at) => ({ at, of: [at] }));
const { passBytesOn } = await import('${join(import.meta.dirname, '../../src/cli/idle-memory.ts')}');
passBytesOn();
// A collection of the young generation.
for (let n = 0; n < 300; n += 1) Array.from({ length: 5000 }, (_, at) => ({ at }));
setTimeout(() => {
  const old = v8.getHeapSpaceStatistics().filter(({ space_name }) => !space_name.startsWith('new_'));
  const used = old.reduce((sum, { space_used_size }) => sum + space_used_size, 0);
  console.log(JSON.stringify({ used, room: (used * flags['heap-growing-percent']) / 100 }));
}, 100);
`;

test('the old generation of a process that passes bytes on may grow by 64 MiB, and no more while it is smaller', () => {
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', roomProgram], {
    encoding: 'utf8',
  });
  const { used, room } = JSON.parse(output);
  const mebibytes = 1024 * 1024;
  expect(used).toBeGreaterThan(33 * mebibytes);
  expect(used).toBeLessThan(60 * mebibytes);
  expect(room).toBeGreaterThan(63 * mebibytes);
  expect(room).toBeLessThan(70 * mebibytes);
});
