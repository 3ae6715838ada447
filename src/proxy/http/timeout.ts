/** Milliseconds between two looks at the clock, at least and at most. */
const shortestTick = 25;
const longestTick = 1000;

/**
 * Calls `onTick` every `period` milliseconds, with the milliseconds since the last call. They are 0 if it comes late by more
 * than a period: then the process was stopped, or had no processor, and what it was sent meanwhile is read only after the
 * timers that are due. Returns what ends it. It does not keep the process alive.
 */
export function everyTick(period: number, onTick: (elapsed: number) => void): () => void {
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    const elapsed = now - last;
    last = now;
    onTick(elapsed > 2 * period ? 0 : elapsed);
  }, period).unref();
  return () => clearInterval(timer);
}

/**
 * Calls `onTimeout` once, after `milliseconds` in which the process ran, and not before it has read what it was sent until then:
 * up to a quarter later, and two seconds at most. Node's timers would count the time in which it was stopped, or the computer
 * slept, and fire first.
 */
export class Timeout {
  #elapsed = 0;
  readonly end: () => void;

  constructor(milliseconds: number, onTimeout: () => void) {
    const period = Math.max(shortestTick, Math.min(milliseconds / 8, longestTick));
    this.end = everyTick(period, (elapsed) => {
      if (elapsed > 0 && this.#elapsed >= milliseconds) {
        this.end();
        onTimeout();
      }
      this.#elapsed += elapsed;
    });
  }

  /** Begins anew. */
  refresh(): void {
    this.#elapsed = 0;
  }
}
