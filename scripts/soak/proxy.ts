// The proxy of a soak, in a process of its own. The parent asks for its figures by a message.
import { createHook } from 'node:async_hooks';
import { flushCompileCache } from 'node:module';
import process from 'node:process';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { bundledGoldens } from '../../src/golden/select.ts';
import { lineLogger } from '../../src/proxy/log.ts';
import { startProxy } from '../../src/proxy/server.ts';
import { loadProxySetup } from '../../src/proxy/setup.ts';
import type { Figures, ProxyArguments } from './running-proxy.ts';

/**
 * Short times, so that each way to give up happens within seconds, and nothing is kept for long. They are long enough for a
 * busy machine.
 */
const soakLimits = {
  connectTime: 5000,
  firstByte: 5000,
  idle: 5000,
  connectionIdle: 5000,
  // Longer than the process is suspended: its sessions must be there for the turns that come meanwhile.
  sessionIdle: 8000,
  ping: 5000,
  // A client may send just when the proxy ends a connection. Longer than a client waits for anything.
  keepAlive: 120_000,
  retries: [0, 20, 40, 80, 160, 320],
};

/**
 * Where the timers that run were started, also those that do not keep the process alive. Most end before anyone asks, so the
 * stack is written out only then.
 */
const timers = new Map<number, Error | string>();
/** Each place once, so that a timer takes little memory here. */
const places = new Map<string, string>();
const hooks = {
  init: (id: number, type: string) => void (type === 'Timeout' && timers.set(id, new Error())),
  destroy: (id: number) => void timers.delete(id),
  // Only timers are of interest, and a promise would cost more than what it does.
  trackPromises: false,
};
createHook(hooks).enable();

/** The innermost lines of the proxy's source in a stack. */
function place({ stack }: Error): string {
  const lines = stack?.match(/src\/[\w./-]+:\d+/g) ?? [];
  const text = lines.slice(0, 3).join(' < ') || 'Node';
  if (!places.has(text)) places.set(text, text);
  return places.get(text) ?? text;
}

setFlagsFromString('--expose-gc');
const collect: (how: object) => void = runInNewContext('gc');

const { upstream, codex, auth, tokenUrl, limits }: ProxyArguments = JSON.parse(process.argv[2] ?? '{}');
const { options } = await loadProxySetup({
  goldens: [bundledGoldens],
  codex,
  auth,
  tokenUrl: new URL(tokenUrl),
});
const proxy = await startProxy({
  ...options,
  upstream: new URL(upstream),
  port: 0,
  log: lineLogger((line) => void process.stdout.write(`${Date.now()} ${line}\n`)),
  limits: { ...soakLimits, ...limits },
});

process.on('message', async (message) => {
  if (message === 'suspend') {
    process.kill(process.pid, 'SIGSTOP');
    return;
  }
  for (const [id, start] of timers) if (start instanceof Error) timers.set(id, place(start));
  const figures: Figures = { timers: [...timers.values()].map(String) };
  process.send?.(message === 'timers' ? figures : { ...figures, memory: await memoryInUse() });
});
process.send?.({ port: proxy.port });
// The parent ends this process by a signal, after which nothing is written.
flushCompileCache();

/** Bytes after a collection of garbage. */
async function memoryInUse(): Promise<number> {
  for (let n = 0; n < 2; n += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    // An ordinary collection keeps the source of code that is no longer used, such as the TypeScript compiler's.
    collect({ type: 'major', flavor: 'last-resort' });
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
