import cluster from 'node:cluster';
import type { MetricsSnapshot } from '../proxy/metrics.ts';
import { ParentState } from '../proxy/state/parent-state.ts';
import { ProcessCalls } from '../proxy/state/process-calls.ts';
import type { ParentCalls, WorkerCalls, WorkerStart } from './proxy-workers.ts';

/** This process as one of several workers of a proxy. */
export type ProxyWorker = WorkerStart & {
  /** In the memory of the parent. */
  readonly state: ParentState;
  /** Stops the worker. */
  readonly signal: AbortSignal;
  /** Ends the waiting for running turns. */
  readonly hurry: AbortSignal;
  readonly otherMetrics: () => Promise<readonly MetricsSnapshot[]>;
  /** Reports that it listens. `metrics`: returns those of this worker. */
  readonly listening: (metrics: () => MetricsSnapshot) => Promise<void>;
  readonly end: () => void;
};

/** Connects to the process that has started this one as a worker. Undefined if it is none. */
export async function connectWorker(): Promise<ProxyWorker | undefined> {
  if (!cluster.isWorker) return undefined;
  endLateConnections();
  const stop = new AbortController();
  const hurry = new AbortController();
  // A terminal sends them to the workers too. The parent says when to stop.
  for (const name of ['SIGINT', 'SIGHUP'] as const) process.on(name, () => {});
  process.on('SIGTERM', () => stop.abort());
  let metrics = (): MetricsSnapshot => [];
  let stops = 0;
  const handlers: WorkerCalls = {
    stop: () => {
      stops += 1;
      if (stops === 1) stop.abort();
      else hurry.abort();
    },
    metrics: () => metrics(),
  };
  const parent = new ProcessCalls<ParentCalls>(
    {
      send: (message) => void (process.connected && process.send?.(message)),
      onMessage: (listener) => void process.on('message', listener),
      onEnd: (listener) => void process.once('disconnect', listener),
    },
    handlers,
  );
  return {
    ...(await parent.call('start')),
    state: new ParentState(parent),
    signal: stop.signal,
    hurry: hurry.signal,
    otherMetrics: () => parent.call('otherMetrics'),
    listening: async (own) => {
      metrics = own;
      await parent.call('listening');
    },
    end: () => cluster.worker?.disconnect(),
  };
}

/**
 * A connection may arrive when this worker no longer listens. Node closes it here, and the parent gives it to another worker. When
 * all workers stop, the parent finds no other and would keep the connection until its own end. So this worker says that it has taken
 * the connection: then the parent closes it too, and the client can go elsewhere (measured: node 24.21.0).
 */
function endLateConnections(): void {
  const { send } = process;
  if (send === undefined) return;
  process.send = (message: object, ...others: readonly unknown[]) => {
    const isRefused = 'ack' in message && 'accepted' in message && message.accepted === false;
    return Reflect.apply(send, process, [isRefused ? { ...message, accepted: true } : message, ...others]);
  };
}
