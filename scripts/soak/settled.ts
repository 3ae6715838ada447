import { setTimeout as delay } from 'node:timers/promises';
import type { Counts, Holdings, RunningProxy } from './running-proxy.ts';

/**
 * How often the proxy is asked whether it has let go of what it held, a second apart. It is no span of time, because a machine
 * that stands still would use it up.
 */
const mostTries = 45;

/** Bytes of memory that may remain, for compiled code and tables that have grown. */
const memoryMargin = 2_000_000;

/** Waits until the proxy holds no sessions, and no more than it did before. Returns what it holds then. */
export async function settled(proxy: RunningProxy, before: Holdings | undefined): Promise<Holdings> {
  for (let tries = 1; tries < mostTries; tries += 1) {
    // To measure memory takes a tenth of a second of work, in vain while something else is held.
    const counts = await proxy.counts();
    if (before === undefined ? counts.sessions === 0 : excessCounts(before, counts).length === 0) {
      const now = await proxy.holdings();
      if (before === undefined || excess(before, now).length === 0) return now;
    }
    await delay(1000);
  }
  return proxy.holdings();
}

/** What a proxy holds more than it did before, a phrase each. */
export function excess(before: Holdings, after: Holdings): string[] {
  const megabytes = ((after.memory - before.memory) / 1e6).toFixed(1);
  return [
    ...excessCounts(before, after),
    ...(after.memory > before.memory + memoryMargin ? [`${megabytes} MB more memory is used`] : []),
  ];
}

function excessCounts(before: Counts, after: Counts): string[] {
  return [
    ...(after.sessions > 0 ? [`${after.sessions} sessions are remembered`] : []),
    ...(after.descriptors > before.descriptors
      ? [`${after.descriptors - before.descriptors} more descriptors are open`]
      : []),
    ...(after.timers.length > before.timers.length
      ? [
          `${after.timers.length - before.timers.length} more timers run: ${newIn(before.timers, after.timers)}`,
        ]
      : []),
  ];
}

/** The texts of a list that another one does not have, or has less often. */
function newIn(before: readonly string[], after: readonly string[]): string {
  const rest = [...before];
  const added = after.filter((text) => {
    const at = rest.indexOf(text);
    if (at !== -1) rest.splice(at, 1);
    return at === -1;
  });
  return added.join(', ');
}
