// The proxy whose delays are measured, in a process of its own. The parent sends true before a request and false after it.
import process from 'node:process';
import { bundledGoldens } from '../../src/golden/select.ts';
import { lineLogger } from '../../src/proxy/log.ts';
import { startProxy } from '../../src/proxy/server.ts';
import { loadProxySetup } from '../../src/proxy/setup.ts';
import type { ProxyArguments } from './measured-proxy.ts';

const { upstream, codex, auth }: ProxyArguments = JSON.parse(process.argv[2] ?? '{}');
const { options } = await loadProxySetup({
  goldens: [bundledGoldens],
  codex,
  auth,
  tokenUrl: new URL('/oauth/token', upstream),
});
const proxy = await startProxy({
  ...options,
  upstream: new URL(upstream),
  port: 0,
  log: lineLogger(() => {}),
});

let measuring = false;
let longest = 0;

/** Runs in each turn of the event loop. Finds the one that takes the most CPU time. */
function measure(before: number): void {
  const now = cpuTime();
  longest = Math.max(longest, now - before);
  if (measuring) setImmediate(measure, now);
}

/** Returns the milliseconds of CPU time of this thread. */
function cpuTime(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

process.on('message', (isBeginning) => {
  measuring = isBeginning === true;
  if (!measuring) return process.send?.(longest);
  longest = 0;
  measure(cpuTime());
  return process.send?.(0);
});
process.send?.(proxy.port);
