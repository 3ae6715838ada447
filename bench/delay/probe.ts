import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';

/** Makes a small request again and again, and measures how long each takes. */
export class Probe {
  readonly #request: () => Promise<unknown>;
  #running = true;
  #started = performance.now();
  #times: number[] = [];

  constructor(request: () => Promise<unknown>) {
    this.#request = request;
    void this.#run();
  }

  /** Forgets the requests so far, except the running one. */
  reset(): void {
    this.#times = [];
  }

  /** Returns the milliseconds of each request since the last reset, once the running one is complete. */
  async times(): Promise<readonly number[]> {
    const started = this.#started;
    while (this.#running && this.#started === started) await delay(1);
    return this.#times;
  }

  stop(): void {
    this.#running = false;
  }

  async #run(): Promise<void> {
    while (this.#running) {
      this.#started = performance.now();
      // A connection that had to wait for long may be closed. The time until then counts.
      await this.#request().catch(() => {});
      this.#times.push(performance.now() - this.#started);
      await delay(2);
    }
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
