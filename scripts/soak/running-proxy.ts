import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { Limits } from '../../src/proxy/limits.ts';

/** What a proxy counts by itself: where its running timers were started, and bytes of memory after a collection of garbage. */
export type Figures = { readonly timers: readonly string[]; readonly memory?: number };

/** What a proxy holds: its timers, open descriptors (0 where the system does not list them) and sessions. */
export type Counts = Pick<Figures, 'timers'> & { readonly descriptors: number; readonly sessions: number };

export type Holdings = Counts & Required<Figures>;

/** A line of the proxy's log. `at` is as Date.now(). */
export type LogLine = { readonly at: number; readonly line: string };

export type RunningProxy = {
  readonly url: URL;
  /** The last lines of its log. */
  readonly log: readonly LogLine[];
  /** Describes how the process ended, if it did. */
  readonly ended: () => string | undefined;
  /** What it holds besides memory. Costs much less than `holdings`. */
  readonly counts: () => Promise<Counts>;
  readonly holdings: () => Promise<Holdings>;
  /** Whether it says that it is well. */
  readonly isHealthy: () => Promise<boolean>;
  /** Stops the process for some milliseconds, as a computer that sleeps does: in the middle of what it does. */
  readonly suspend: (milliseconds: number) => Promise<void>;
  readonly stop: () => Promise<void>;
};

/** The arguments of the program of `proxy.ts`. */
export type ProxyArguments = {
  readonly upstream: string;
  readonly codex: string;
  /** A file or folder. */
  readonly auth: string;
  readonly tokenUrl: string;
  /** Replaces limits of the soak. */
  readonly limits?: Partial<Limits>;
};

const mostLogLines = 5000;

/** Starts the program of `proxy.ts`, with further environment variables. */
export async function startProxyProcess(
  args: ProxyArguments,
  env: Readonly<Record<string, string>> = {},
): Promise<RunningProxy> {
  const child = fork(join(import.meta.dirname, 'proxy.ts'), [JSON.stringify(args)], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const log: LogLine[] = [];
  if (child.stdout !== null) {
    createInterface(child.stdout).on('line', (text) => {
      const [, at, line = text] = /^(\d+) (.*)$/.exec(text) ?? [];
      log.push({ at: Number(at ?? Date.now()), line });
      if (log.length > mostLogLines) log.shift();
    });
  }
  let errors = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-4000);
  });
  let ended: string | undefined;
  child.once('exit', (code, signal) => {
    ended = `the proxy ended with ${signal ?? `exit code ${code}`}: ${errors.trim()}`;
  });
  const started = once(child, 'message');
  const [message] = await Promise.race([started, once(child, 'exit').then(() => [])]);
  if (message === undefined) throw new Error(`the proxy did not start: ${errors.trim()}`);
  const url = new URL(`http://127.0.0.1:${message.port}`);
  const sessionsOf = async () => {
    const metrics = await fetchText(new URL('/metrics', url));
    return Number(/^codex_parity_proxy_sessions (\d+)$/m.exec(metrics)?.[1] ?? Number.NaN);
  };
  const counts = async (message: 'timers' | 'timers and memory') => {
    // The connection of this request must be gone when the descriptors are counted.
    const sessions = await sessionsOf();
    const figures = await figuresOf(child, message);
    return { ...figures, descriptors: descriptorsOf(child), sessions };
  };
  return {
    url,
    log,
    ended: () => ended,
    counts: () => counts('timers'),
    holdings: async () => {
      const { memory, ...others } = await counts('timers and memory');
      // What is missing would compare as no more than before.
      if (memory === undefined) throw new Error('the proxy reported no memory');
      return { ...others, memory };
    },
    isHealthy: async () => (await fetchText(new URL('/healthz', url)).catch(() => '')) === '{"status":"ok"}',
    suspend: async (milliseconds) => {
      child.send('suspend');
      await delay(milliseconds);
      child.kill('SIGCONT');
    },
    stop: async () => {
      if (ended !== undefined) return;
      child.kill();
      await once(child, 'exit');
    },
  };
}

async function figuresOf(child: ChildProcess, message: 'timers' | 'timers and memory'): Promise<Figures> {
  const reported = once(child, 'message');
  child.send(message);
  const [figures]: Figures[] = await reported;
  // What is missing would compare as no more than before.
  if (figures === undefined) throw new Error('the proxy reported no figures');
  return figures;
}

function descriptorsOf({ pid }: ChildProcess): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}

async function fetchText(url: URL): Promise<string> {
  const response = await fetch(url, {
    headers: { connection: 'close' },
    signal: AbortSignal.timeout(10_000),
  });
  return response.text();
}
