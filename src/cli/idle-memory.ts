import { performance } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** The share of the time that a program without work may still be busy. */
const idle = 0.01;

/** Bytes that the heap must hold without need before they are worth a pause of a tenth of a second. */
const worthwhile = 16_000_000;

/**
 * Returns to the system, whenever there is nothing to do, what the heap has grown by under load. The engine would keep
 * it: it looks for garbage when objects are made, and then gives back little (measured: node 24.21.0, 1,000 sessions:
 * 210 MB before, 212 MB after an ordinary collection, 144 MB after this one). It looks every `period` milliseconds.
 */
export function returnIdleMemory(period = 5000): NodeJS.Timeout {
  let before = performance.eventLoopUtilization();
  return setInterval(() => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    const { heapTotal, heapUsed } = process.memoryUsage();
    if (utilization < idle && heapTotal - heapUsed > worthwhile) collect();
  }, period).unref();
}

function collect(): void {
  setFlagsFromString('--expose-gc');
  const gc: (how: object) => void = runInNewContext('gc');
  gc({ type: 'major', flavor: 'last-resort' });
}
