import { setTimeout as delay } from 'node:timers/promises';
import type { Holdings, RunningProxy } from './running-proxy.ts';

/** Milliseconds for the proxy to let go of what it held. */
const settleTime = 45_000;

/** Bytes of memory that may remain, for compiled code and tables that have grown. */
const memoryMargin = 2_000_000;

/** Waits until the proxy holds no sessions, and no more than it did before. Returns what it holds then. */
export async function settled(proxy: RunningProxy, before: Holdings | undefined): Promise<Holdings> {
  const end = Date.now() + settleTime;
  while ((await proxy.sessions()) > 0 && Date.now() < end) await delay(250);
  for (;;) {
    const now = await proxy.holdings();
    const isBack = before === undefined ? now.sessions === 0 : excess(before, now).length === 0;
    if (isBack || Date.now() > end) return now;
    await delay(1000);
  }
}

/** What a proxy holds more than it did before, a phrase each. */
export function excess(before: Holdings, after: Holdings): string[] {
  const megabytes = ((after.memory - before.memory) / 1e6).toFixed(1);
  return [
    ...(after.sessions > 0 ? [`${after.sessions} sessions are remembered`] : []),
    ...(after.descriptors > before.descriptors
      ? [`${after.descriptors - before.descriptors} more descriptors are open`]
      : []),
    ...(after.timers > before.timers ? [`${after.timers - before.timers} more timers run`] : []),
    ...(after.memory > before.memory + memoryMargin ? [`${megabytes} MB more memory is used`] : []),
  ];
}
