import { setFlagsFromString } from 'node:v8';

/**
 * Makes V8 optimize functions after 200 calls, not after 3,000. A turn calls most of the proxy's functions once or twice, so its first
 * 10,000 turns take up to a quarter less CPU time (measured: node 24.21.0).
 */
export function optimizeEarly(): void {
  setFlagsFromString('--invocation-count-for-maglev=50');
  setFlagsFromString('--invocation-count-for-turbofan=200');
  // A function that has met a new kind of value waits for further calls.
  setFlagsFromString('--minimum-invocations-after-ic-update=20');
}
