import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { authJson, madeUpSignIn } from '../../src/client/official/made-up-sign-in.ts';
import { randomFrom } from '../../src/fault/random.ts';
import { bundledGoldens, newestVersion } from '../../src/golden/select.ts';
import { type SoakBackend, startSoakBackend } from './backend.ts';
import { SoakClient } from './client.ts';
import { describeTurn } from './describe-turn.ts';
import { judgeTurn, type Verdict } from './judge.ts';
import { type PlannedSession, planSessions } from './plan.ts';
import { type Holdings, type RunningProxy, startProxyProcess } from './running-proxy.ts';
import { excess, settled } from './settled.ts';

/** Sessions at a time. */
const concurrency = 40;

/** The most sessions that warm the proxy up before its holdings are measured. */
const mostWarmUp = 40;

export type SoakOptions = {
  readonly count: number;
  readonly seed: number;
  /** Whether no turn begins after the first breach. */
  readonly failFast?: boolean;
  /** Whether the proxy is stopped for seconds at a time. */
  readonly suspends?: boolean;
  /** Environment variables for the proxy's process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly progress?: (line: string) => void;
};

export type SoakResult = {
  /** What is wrong with the proxy, a text each. */
  readonly breaches: readonly string[];
  readonly verdicts: readonly Verdict[];
  /** How many requests the backend received. */
  readonly requests: number;
  /** What the proxy held before and after the sessions; undefined if that was not measured. */
  readonly before: Holdings | undefined;
  readonly after: Holdings | undefined;
};

/** One soak while it runs. */
type Soak = {
  readonly proxy: RunningProxy;
  readonly backend: SoakBackend;
  readonly failFast: boolean;
  readonly suspends: boolean;
  readonly progress: (line: string) => void;
  readonly verdicts: Verdict[];
  readonly breaches: string[];
};

/** Plays sessions through a proxy in another process, and judges all turns and what the proxy holds then. */
export async function soak({
  count,
  seed,
  failFast = false,
  suspends = false,
  env,
  progress = () => {},
}: SoakOptions): Promise<SoakResult> {
  const sessions = planSessions({ sessions: count, seed });
  const warmUp = planSessions({ sessions: Math.min(count, mostWarmUp), seed: seed + 1, first: count });
  const folder = mkdtempSync(join(tmpdir(), 'codex-parity-soak-'));
  const backend = await startSoakBackend([...sessions, ...warmUp]);
  let proxy: RunningProxy | undefined;
  try {
    const auth = writeSignIns(folder);
    const upstream = `${backend.origin}/backend-api/codex`;
    const codex = newestVersion([bundledGoldens]);
    proxy = await startProxyProcess(
      { upstream, codex, auth, tokenUrl: `${backend.origin}/oauth/token` },
      env,
    );
    progress(`soaking the proxy of codex ${codex}: ${count} sessions, seed ${seed}`);
    const run: Soak = { proxy, backend, failFast, suspends, progress, verdicts: [], breaches: [] };
    await playAll(warmUp, run);
    const before = isOver(run) ? undefined : await settled(proxy, undefined);
    const played = new AbortController();
    const suspensions = suspends ? suspendOften(proxy, seed, played.signal) : undefined;
    await playAll(sessions, run);
    played.abort();
    await suspensions;
    const after = before === undefined || isOver(run) ? undefined : await settled(proxy, before);
    if (before !== undefined && after !== undefined) run.breaches.push(...excess(before, after));
    // An end of the process explains all others.
    const breaches = [...(await healthBreaches(proxy)), ...backend.breaches, ...run.breaches];
    const requests = [...backend.attempts.values()].reduce((sum, attempts) => sum + attempts.length, 0);
    return { breaches, verdicts: run.verdicts, requests, before, after };
  } finally {
    await proxy?.stop();
    await backend.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whether nothing more can be learned, or needs to be. */
function isOver({ proxy, backend, failFast, breaches }: Soak): boolean {
  return proxy.ended() !== undefined || (failFast && breaches.length + backend.breaches.length > 0);
}

/** Writes several made-up sign-ins. Returns their folder. */
function writeSignIns(folder: string): string {
  const auth = join(folder, 'sign-ins');
  mkdirSync(auth);
  for (const name of ['a', 'b', 'c']) {
    const account = { accountId: `account-${name}`, userId: `user-${name}`, email: `${name}@example.com` };
    writeFileSync(join(auth, `${name}.json`), authJson(madeUpSignIn({ ...account, plan: 'pro' })), {
      mode: 0o600,
    });
  }
  return auth;
}

/** Plays sessions, some at a time. */
async function playAll(sessions: readonly PlannedSession[], soak: Soak): Promise<void> {
  const waiting = [...sessions];
  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined && !isOver(soak); next = waiting.shift()) {
      await play(next, soak);
      if (waiting.length % 50 === 49) soak.progress(`${waiting.length + 1} sessions wait`);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}

async function play(session: PlannedSession, soak: Soak): Promise<void> {
  const { proxy, backend, verdicts, breaches } = soak;
  const client = new SoakClient(session, proxy.url, soak.suspends ? 4 : 1);
  for (const turn of session.turns) {
    await delay(turn.pause);
    if (isOver(soak)) break;
    backend.begin(session.name, turn);
    const began = Date.now();
    const outcome = await client.run(turn);
    const ended = Date.now();
    if (proxy.ended() !== undefined) break;
    const attempts = backend.attempts.get(turn.id) ?? [];
    const verdict = judgeTurn({ session, turn, outcome, attempts });
    const echo = await client.echo(turn.id);
    verdicts.push(verdict);
    const wrong = [
      ...verdict.breaches,
      ...(echo === undefined ? [] : [`${turn.id} (${session.surface}): no echo of its own: ${echo}`]),
    ];
    if (wrong.length === 0) continue;
    const lines = describeTurn({ turn, outcome, began, ended, attempts, log: proxy.log });
    breaches.push(...wrong.slice(0, -1), [wrong.at(-1), ...lines].join('\n  '));
  }
  client.close();
}

/** Stops the proxy for one to six seconds at a time, as a computer that sleeps. */
async function suspendOften(proxy: RunningProxy, seed: number, signal: AbortSignal): Promise<void> {
  const random = randomFrom(seed);
  while (!signal.aborted && proxy.ended() === undefined) {
    await delay(500 + random() * 3000, undefined, { signal }).catch(() => {});
    if (!signal.aborted) await proxy.suspend(1000 + random() * 5000);
  }
}

async function healthBreaches(proxy: RunningProxy): Promise<string[]> {
  const healthy = await proxy.isHealthy();
  const ended = proxy.ended();
  return [...(ended === undefined ? [] : [ended]), ...(healthy ? [] : ['/healthz does not respond'])];
}
