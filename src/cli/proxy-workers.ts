import cluster, { type Worker } from 'node:cluster';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { listenAt } from '../listening.ts';
import type { Logger } from '../proxy/log.ts';
import { Metrics, type MetricsSnapshot } from '../proxy/metrics.ts';
import type { StopTimes } from '../proxy/server.ts';
import { MemoryState } from '../proxy/state/memory-state.ts';
import { type StateCalls, stateCalls } from '../proxy/state/parent-state.ts';
import { ProcessCalls } from '../proxy/state/process-calls.ts';

/** How a worker begins. */
export type WorkerStart = {
  /** The port that all workers share. */
  readonly port: number;
  /** Whether it prints where the proxy listens. */
  readonly announces: boolean;
};

/** What a worker calls in its parent. */
export type ParentCalls = StateCalls & {
  readonly start: () => WorkerStart;
  readonly listening: () => void;
  /** Returns the metrics of all other workers, and of those that have ended. */
  readonly otherMetrics: () => Promise<readonly MetricsSnapshot[]>;
};

/** What the parent calls in a worker. A second `stop` ends the waiting. */
export type WorkerCalls = {
  readonly stop: () => void;
  readonly metrics: () => MetricsSnapshot;
};

export type WorkersOptions = {
  readonly count: number;
  /** The address to listen on. */
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  /** Stops all workers. */
  readonly signal: AbortSignal;
  /** Ends the waiting for running turns. */
  readonly hurry: AbortSignal;
  readonly times: Required<StopTimes>;
  /** The most sessions and UTF-16 code units of conversations to share. */
  readonly limits: { readonly sessions: number; readonly historyBytes: number };
  readonly log: Logger;
};

/** A worker that ran for as long is started again at once when it ends. Milliseconds. */
const steadyTime = 10_000;

/** Milliseconds before a worker is started again that keeps ending: the first, and the longest. */
const firstPause = 100;
const longestPause = 5000;

/** Milliseconds beyond its time in which a worker must have stopped. */
const lateness = 10_000;

/** Milliseconds for a worker to return its metrics. After that its last ones count: it hangs. */
const metricsTime = 1000;

/** Entries of the shared state for each session: by its key, its last responses, its account. */
const keysPerSession = 8;

/**
 * Runs the proxy in several processes that share the port, and a state in this process. A worker that ends is started again.
 * Returns the exit code: 0 when the signal has stopped them, or that of the first worker if it could not start.
 */
export async function runWorkers(options: WorkersOptions): Promise<number> {
  cluster.setupPrimary({ serialization: 'advanced' });
  return new Workers(options).run();
}

type RunningWorker = {
  readonly worker: Worker;
  readonly calls: ProcessCalls<WorkerCalls>;
  readonly startedAt: number;
  /** Resolves to whether it listens, or has ended before. */
  readonly listening: Promise<boolean>;
  /** Resolves to the exit code, or the name of the signal. */
  readonly ended: Promise<number | string>;
  lastMetrics: MetricsSnapshot;
};

async function freePort(host: string): Promise<number> {
  const server = createServer();
  const port = await listenAt(server, 0, host);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

class Workers {
  readonly #options: WorkersOptions;
  readonly #state: MemoryState;
  readonly #running = new Set<RunningWorker>();
  /** The counts of workers that have ended. */
  readonly #retired = new Metrics();
  #port: number;
  #announced = false;

  constructor(options: WorkersOptions) {
    const { port, limits } = options;
    this.#options = options;
    this.#port = port;
    this.#state = new MemoryState({ keys: keysPerSession * limits.sessions, length: limits.historyBytes });
  }

  async run(): Promise<number> {
    const { count, signal, hurry, log } = this.#options;
    const stop = () => {
      for (const { calls } of this.#running) calls.call('stop').catch(() => {});
    };
    signal.addEventListener('abort', stop, { once: true });
    hurry.addEventListener('abort', stop, { once: true });
    // Workers share a port by its number, so that 0 would be another one for each that starts later.
    if (this.#port === 0) this.#port = await freePort(this.#options.host);
    const first = this.#fork();
    if (!(await first.listening)) {
      const ending = await first.ended;
      return typeof ending === 'number' ? ending : 1;
    }
    log.info({}, `${count} workers share the port`);
    const others = Array.from({ length: count - 1 }, () => this.#keep(this.#fork()));
    await Promise.all([this.#keep(first), ...others]);
    return 0;
  }

  /** Starts a worker again whenever it ends, until the proxy stops. */
  async #keep(first: RunningWorker): Promise<void> {
    const { signal, log } = this.#options;
    let pause = 0;
    for (let current = first; ; current = this.#fork()) {
      const ending = await current.ended;
      if (signal.aborted) return;
      const isSteady = performance.now() - current.startedAt > steadyTime;
      pause = isSteady ? 0 : Math.min(Math.max(2 * pause, firstPause), longestPause);
      log.warn({}, `worker ${current.worker.process.pid} ended (${ending}): starting another`);
      this.#retired.add('worker_restarts_total');
      await delay(pause, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
    }
  }

  /** Kills a worker that does not stop in time, whether it has started or not. */
  #limitStop(worker: Worker): void {
    const { signal, times, log } = this.#options;
    let late: NodeJS.Timeout | undefined;
    const expectEnd = () => {
      late = setTimeout(
        () => {
          log.warn({}, `worker ${worker.process.pid} did not stop in time, and is killed`);
          worker.process.kill('SIGKILL');
        },
        times.grace + times.drain + lateness,
      );
    };
    if (signal.aborted) expectEnd();
    signal.addEventListener('abort', expectEnd, { once: true });
    worker.once('exit', () => {
      signal.removeEventListener('abort', expectEnd);
      clearTimeout(late);
    });
  }

  #fork(): RunningWorker {
    const worker = cluster.fork();
    const listening = Promise.withResolvers<boolean>();
    const handlers: ParentCalls = {
      ...stateCalls(this.#state),
      start: () => {
        const announces = !this.#announced;
        this.#announced = true;
        return { port: this.#port, announces };
      },
      listening: () => listening.resolve(true),
      otherMetrics: () => this.#otherMetrics(running),
    };
    const calls = new ProcessCalls<WorkerCalls>(
      {
        send: (message) => void (worker.isConnected() && worker.send(message)),
        onMessage: (listener) => void worker.on('message', listener),
        onEnd: (listener) => void worker.once('disconnect', listener).once('exit', listener),
      },
      handlers,
    );
    const ended = new Promise<number | string>((resolve) => {
      worker.once('exit', (code, signal) => {
        listening.resolve(false);
        this.#running.delete(running);
        this.#retired.addCounters(running.lastMetrics);
        resolve(signal ?? code);
      });
    });
    worker.on('error', () => {});
    this.#limitStop(worker);
    const running: RunningWorker = {
      worker,
      calls,
      startedAt: performance.now(),
      listening: listening.promise,
      ended,
      lastMetrics: [],
    };
    this.#running.add(running);
    // It receives that when it is ready for it.
    if (this.#options.signal.aborted) calls.call('stop').catch(() => {});
    return running;
  }

  async #otherMetrics(asking: RunningWorker): Promise<readonly MetricsSnapshot[]> {
    await Promise.all(
      [...this.#running].map(async (running) => {
        const late = delay(metricsTime, undefined, { ref: false });
        const snapshot = await Promise.race([running.calls.call('metrics'), late]).catch(() => undefined);
        running.lastMetrics = snapshot ?? running.lastMetrics;
      }),
    );
    const others = [...this.#running].filter((running) => running !== asking);
    return [this.#retired.snapshot(), ...others.map(({ lastMetrics }) => lastMetrics)];
  }
}
