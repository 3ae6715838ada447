// Plays many sessions through the bundled proxy at once, with clients that leave and a backend that fails, and checks that
// nothing is lost, doubled or mixed up, and that the proxy then holds what it held before.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { progress } from '../src/cli/progress.ts';
import { authJson, madeUpSignIn } from '../src/client/official/made-up-sign-in.ts';
import { ParityError } from '../src/errors.ts';
import { randomFrom } from '../src/fault/random.ts';
import { bundledGoldens, newestVersion } from '../src/golden/select.ts';
import { runMain } from './run-main.ts';
import { type SoakBackend, startSoakBackend } from './soak/backend.ts';
import { SoakClient } from './soak/client.ts';
import { describeTurn } from './soak/describe-turn.ts';
import { judgeTurn, type Verdict } from './soak/judge.ts';
import { type PlannedSession, planSessions } from './soak/plan.ts';
import { type Holdings, type RunningProxy, startProxyProcess } from './soak/running-proxy.ts';
import { excess, settled } from './soak/settled.ts';

const usage = 'npm run soak -- [--sessions N] [--seed N] [--suspend] [--fail-fast]';

/** Sessions at a time. */
const concurrency = 40;

/** The most sessions that warm the proxy up before its holdings are measured. */
const mostWarmUp = 40;

/** Breaches to print. */
const mostBreaches = 50;

async function main(): Promise<number> {
  const { count, seed, failFast, suspends } = options();
  const sessions = planSessions({ sessions: count, seed });
  const warmUp = planSessions({ sessions: Math.min(count, mostWarmUp), seed: seed + 1, first: count });
  const folder = mkdtempSync(join(tmpdir(), 'codex-parity-soak-'));
  const backend = await startSoakBackend([...sessions, ...warmUp]);
  let proxy: RunningProxy | undefined;
  try {
    const auth = writeSignIns(folder);
    const upstream = `${backend.origin}/backend-api/codex`;
    const codex = newestVersion([bundledGoldens]);
    proxy = await startProxyProcess({ upstream, codex, auth, tokenUrl: `${backend.origin}/oauth/token` });
    progress(`soaking the proxy of codex ${codex}: ${count} sessions, seed ${seed}`);
    const soak: Soak = { proxy, backend, failFast, suspends, verdicts: [], breaches: [] };
    await playAll(warmUp, soak);
    const before = isOver(soak) ? undefined : await settled(proxy, undefined);
    const played = new AbortController();
    const suspensions = suspends ? suspendOften(proxy, seed, played.signal) : undefined;
    await playAll(sessions, soak);
    played.abort();
    await suspensions;
    const after = before === undefined || isOver(soak) ? undefined : await settled(proxy, before);
    if (before !== undefined && after !== undefined) soak.breaches.push(...excess(before, after));
    // An end of the process explains all others.
    soak.breaches.unshift(...(await healthBreaches(proxy)), ...backend.breaches);
    print(soak, before, after);
    const result = soak.breaches.length === 0 ? 'the proxy holds' : 'the proxy does not hold';
    process.stdout.write(`${result} (${count} sessions, seed ${seed})\n`);
    return soak.breaches.length === 0 ? 0 : 1;
  } finally {
    await proxy?.stop();
    await backend.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One run of the program. */
type Soak = {
  readonly proxy: RunningProxy;
  readonly backend: SoakBackend;
  readonly failFast: boolean;
  readonly suspends: boolean;
  readonly verdicts: Verdict[];
  readonly breaches: string[];
};

/** Whether nothing more can be learned, or needs to be. */
function isOver({ proxy, backend, failFast, breaches }: Soak): boolean {
  return proxy.ended() !== undefined || (failFast && breaches.length + backend.breaches.length > 0);
}

function options() {
  const { values } = parseArgs({
    options: {
      sessions: { type: 'string', default: '300' },
      seed: { type: 'string', default: '1' },
      'fail-fast': { type: 'boolean', default: false },
      suspend: { type: 'boolean', default: false },
    },
  });
  const [count, seed] = [Number(values.sessions), Number(values.seed)];
  if (!Number.isInteger(count) || count < 1 || !Number.isInteger(seed) || seed < 0) {
    throw new ParityError('usage', `--sessions and --seed must be whole numbers: ${usage}`);
  }
  return { count, seed, failFast: values['fail-fast'], suspends: values.suspend };
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
      if (waiting.length % 50 === 49) progress(`${waiting.length + 1} sessions wait`);
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

function print({ verdicts, breaches, backend }: Soak, before?: Holdings, after?: Holdings): void {
  for (const breach of breaches.slice(0, mostBreaches)) process.stdout.write(`breach: ${breach}\n`);
  if (breaches.length > mostBreaches) process.stdout.write(`and ${breaches.length - mostBreaches} more\n`);
  const number = (kind: Verdict['kind']) => verdicts.filter((verdict) => verdict.kind === kind).length;
  const requests = [...backend.attempts.values()].reduce((sum, attempts) => sum + attempts.length, 0);
  const row = (cells: readonly (string | number | undefined)[]) =>
    `${cells.map((cell) => String(cell ?? '-').padEnd(12)).join('')}\n`;
  process.stdout.write(
    `${verdicts.length} turns: ${number('content')} with their content, ${number('error')} with an error, ` +
      `${number('left')} left by the client; ${requests} requests to the backend\n` +
      row(['proxy', 'memory', 'descriptors', 'timers', 'sessions']) +
      row(['before', before?.memory, before?.descriptors, before?.timers.length, before?.sessions]) +
      row(['after', after?.memory, after?.descriptors, after?.timers.length, after?.sessions]),
  );
}

await runMain(main);
