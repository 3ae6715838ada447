import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Bytes that are passed on between two collections. V8 collects the whole heap at 64 MB outside of it. */
const between = 16 * 1024 * 1024;

let passed = 0;
let collect: ((how: object) => void) | undefined;

/**
 * Counts bytes that are passed on as they came, and frees them in time. Their buffers are young and outside of V8's heap, where
 * hardly anything else is allocated meanwhile. So V8 would not look at them before it collects the whole heap, which takes
 * longer than to pass them on (measured: node 24.21.0).
 */
export function countPassedBytes(count: number): void {
  passed += count;
  if (passed < between) return;
  passed = 0;
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as (how: object) => void;
  }
  collect({ type: 'minor' });
}
