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

/** The timeouts that run, by their period: those with the same one share a timer, since each response has several. */
const running = new Map<number, Set<Timeout>>();

/** Begins to count the time for timeouts. Ends when there are none. */
function startTicks(period: number): Set<Timeout> {
  const timeouts = new Set<Timeout>();
  running.set(period, timeouts);
  const end = everyTick(period, (elapsed) => {
    for (const timeout of timeouts) timeout.count(elapsed);
    if (timeouts.size > 0) return;
    running.delete(period);
    end();
  });
  return timeouts;
}

/**
 * Calls `onTimeout` once, after `milliseconds` in which the process ran, and not before it has read what it was sent until then:
 * up to a quarter later, and two seconds at most. Node's timers would count the time in which it was stopped, or the computer
 * slept, and fire first.
 */
export class Timeout {
  readonly #milliseconds: number;
  #onTimeout: (() => void) | undefined;
  readonly #others: Set<Timeout>;
  /** Undefined until the next tick, which may come at once. */
  #elapsed: number | undefined;

  constructor(milliseconds: number, onTimeout: () => void) {
    this.#milliseconds = milliseconds;
    this.#onTimeout = onTimeout;
    const period = Math.max(shortestTick, Math.min(milliseconds / 8, longestTick));
    this.#others = running.get(period) ?? startTicks(period);
    this.#others.add(this);
  }

  /** Counts the time since the last tick. */
  count(elapsed: number): void {
    if (elapsed > 0 && this.#elapsed !== undefined && this.#elapsed >= this.#milliseconds) {
      const onTimeout = this.#onTimeout;
      this.end();
      onTimeout?.();
    }
    this.#elapsed = this.#elapsed === undefined ? 0 : this.#elapsed + elapsed;
  }

  /** Begins anew. */
  refresh(): void {
    this.#elapsed = undefined;
  }

  end(): void {
    this.#others.delete(this);
    // V8 may keep what was in a set until it collects the whole heap: this would keep the request in memory.
    this.#onTimeout = undefined;
  }
}
