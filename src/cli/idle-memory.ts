import { PerformanceObserver, performance } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { returnHeap } from '../watch/return-heap.ts';

/** An event loop that is busy for less than this share of the time counts as idle. */
const idleUtilization = 0.01;

/**
 * Idle periods before memory is returned. The collection also frees compiled code, and the turns after it take up to twice the
 * CPU time: a user who reads a response is not idle.
 */
const idlePeriods = 4;

/** The collection pauses for about 100 ms, so the process must have grown by this many bytes since the last one. */
const minimalGrowth = 8_000_000;

/**
 * Returns unused heap to the system when the process is idle for some periods, each in milliseconds. V8 itself collects
 * only when objects are allocated, and then returns little (measured: node 24.21.0, 1,000 sessions: 210 MB before, 212 MB
 * after an ordinary collection, 144 MB after this one).
 */
export function returnIdleMemory(period = 5000): NodeJS.Timeout {
  let before = performance.eventLoopUtilization();
  let least = 0;
  let idle = 0;
  return setInterval(() => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    idle = utilization < idleUtilization ? idle + 1 : 0;
    // All memory, since what sockets have read is outside of the heap, and only a collection frees it.
    if (idle < idlePeriods || process.memoryUsage.rss() - least < minimalGrowth) return;
    returnHeap();
    least = process.memoryUsage.rss();
  }, period).unref();
}

/** The largest young generation of V8 for a process that passes bytes on, in bytes: two halves of 16 MiB. */
const largestYoung = 32 * 1024 * 1024;

/** By how many bytes the old generation, and memory outside of the heap, may grow between two collections of the whole heap. */
const oldRoom = 64 * 1024 * 1024;

/**
 * Frees what the start of the process left, and adapts V8 to a process that passes bytes on (measured: node 24.21.0).
 *
 * - The young generation grows to 32 MiB, not to 64 MiB. With 16 MiB, 256 sessions take a third more CPU time.
 * - The whole heap is collected when the old generation has doubled, and has grown by 64 MiB. V8 would rather do it earlier the
 *   less the process allocates in its heap, and counts what sockets have read. A small heap was marked again and again, up to
 *   eight times a second.
 */
export function passBytesOn(): void {
  const flags = new Map<string, number>();
  const set = (name: string, value: number) => {
    if (flags.get(name) !== value) setFlagsFromString(`--${name}=${value}`);
    flags.set(name, value);
  };
  // Only a collection changes the sizes.
  const adapt = () => {
    const { young, old } = heapSizes();
    set('semi-space-growth-factor', young < largestYoung ? 2 : 1);
    set('heap-growing-percent', Math.ceil(100 * Math.max(1, oldRoom / old)));
  };
  adapt();
  // Before the first sessions: what they allocate would keep the pages of this garbage in use.
  returnHeap();
  new PerformanceObserver(adapt).observe({ entryTypes: ['gc'] });
}

/** Returns the bytes that the young generation of V8 has, and those that the old generation uses. */
function heapSizes(): { readonly young: number; readonly old: number } {
  let young = 0;
  let old = 0;
  for (const { space_name, space_size, space_used_size } of getHeapSpaceStatistics()) {
    if (space_name === 'new_space') young = space_size;
    else if (space_name !== 'new_large_object_space') old += space_used_size;
  }
  return { young, old };
}

/**
 * Shrinks the young generation of V8, 16 MB by now, to 1 MB, and keeps it so. For a process that only passes bytes on: what
 * its sockets read is freed by a collection of the young generation, and that is so seldom with 16 MB that 40 MB of read
 * bytes wait for it (measured: node 24.21.0, `watch` after 6,000 turns).
 */
export function shrinkYoungGeneration(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
  returnHeap();
}
