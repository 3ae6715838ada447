import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { uuid7 } from '../src/wire/ids.ts';
import { type MeasuredProxy, startMeasuredProxy } from './delay/measured-proxy.ts';
import { median, Probe } from './delay/probe.ts';
import { largeBodies, longHeaders, type SweptRequest } from './delay/requests.ts';
import { goal } from './goal.ts';
import { openConnection } from './proxy/load.ts';
import { startNode } from './proxy/subjects.ts';
import { forSession, turnOf } from './proxy/turn.ts';

/**
 * Measures how long a request with long headers or a large body delays other requests to the proxy: `GET /healthz`, and
 * small turns of the official client on a kept websocket. Both run all the time. The delay is the time of the slowest of
 * them while the large request is served, above their median time. Other load on the machine delays them, too. So it also
 * measures the CPU time of the longest turn of the proxy's event loop, which is the delay on a machine without other load.
 */
const settings = {
  /** Bytes of a large body. */
  bytes: Number(process.env.BENCH_BYTES ?? 3_000_000),
  /** Times that a request is sent. The least delay counts. */
  attempts: Number(process.env.BENCH_ATTEMPTS ?? 5),
  sweeps: (process.env.BENCH_SWEEPS ?? 'headers,bodies').split(','),
};

/** The most milliseconds by which a request may delay another. */
const longestDelay = 50;

/** The most groups to print. */
const mostGroups = 30;

/** In milliseconds. */
type Delay = Omit<SweptRequest, 'send'> & { readonly delay: number; readonly turn: number };

const repository = join(import.meta.dirname, '..');
const codex = '0.169.0';
const path = '/backend-api/codex/responses';
const goldens = join(repository, 'traces', codex, 'chatgpt');
const work = mkdtempSync(join(tmpdir(), 'codex-parity-bench-'));
const backend = await startNode([join(import.meta.dirname, 'proxy', 'backend.ts')]);
const proxy = await startMeasuredProxy(work, codex, `http://127.0.0.1:${backend.port}/backend-api/codex`);
try {
  const probes = await openProbes(proxy.port);
  const sweeps = [
    ['headers', longHeaders()],
    ['bodies', largeBodies(settings.bytes)],
  ] as const;
  for (const [name, requests] of sweeps) {
    if (!settings.sweeps.includes(name)) continue;
    const delays: Delay[] = [];
    for (const request of requests) {
      if (delays.at(-1)?.group !== request.group) process.stderr.write(`${name}: ${request.group}\n`);
      delays.push(await delayBy(request, proxy, probes));
    }
    report(name, delays);
  }
  for (const probe of probes) probe.stop();
} finally {
  proxy.stop();
  await backend.stop();
  rmSync(work, { recursive: true, force: true });
}
process.exit();

/** Starts the small requests, and waits until their code is compiled. */
async function openProbes(port: number): Promise<readonly Probe[]> {
  const session = uuid7();
  const { handshake } = forSession(await turnOf(join(goldens, 'default.golden.jsonl')), session);
  const request = { type: 'response.create', model: 'm', input: [], prompt_cache_key: session };
  const message = JSON.stringify(request);
  const open = () => openConnection({ transport: 'websocket', handshake, message }, port, path);
  let connection = await open();
  const turn = () =>
    connection.turn().catch(async () => {
      connection = await open();
    });
  const health = () => fetch(`http://127.0.0.1:${port}/healthz`).then((response) => response.text());
  const probes = [new Probe(health), new Probe(turn)];
  await delay(3000);
  return probes;
}

/** Sends a request several times, until it delays others so little that another look is not worth it. */
async function delayBy(
  { send, ...request }: SweptRequest,
  { port, longestTurn }: MeasuredProxy,
  probes: readonly Probe[],
): Promise<Delay> {
  let [least, turn] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let n = 0; n < settings.attempts && Math.max(least, turn) > longestDelay / 2; n += 1) {
    for (const probe of probes) probe.reset();
    await delay(15);
    const usual = await Promise.all(probes.map(async (probe) => median(await probe.times())));
    for (const probe of probes) probe.reset();
    turn = Math.min(turn, await longestTurn(() => send(port)));
    const times = await Promise.all(probes.map((probe) => probe.times()));
    const delays = times.map((each, index) => Math.max(...each) - (usual[index] ?? 0));
    least = Math.min(least, Math.max(0, ...delays));
  }
  return { ...request, delay: least, turn };
}

/** Prints the longest delay of each group, and whether all are short enough. */
function report(name: string, delays: readonly Delay[]): void {
  console.log('   delay   CPU time');
  const slowestFirst = delays.toSorted((a, b) => b.turn - a.turn);
  for (const [first] of [...Map.groupBy(slowestFirst, ({ group }) => group).values()].slice(0, mostGroups)) {
    if (first === undefined) continue;
    const times = [first.delay, first.turn].map((time) => `${time.toFixed(1).padStart(8)} ms`);
    console.log(`${times.join('')}  ${first.group}: ${first.kind}, ${first.bytes} bytes`);
  }
  const above = slowestFirst.filter(({ turn }) => turn > longestDelay).length;
  const most = slowestFirst[0]?.turn.toFixed(1);
  goal(
    above === 0,
    `${name}: ${above} of ${delays.length} requests take more than ${longestDelay} ms of CPU time at once, the longest ${most} ms`,
    `${longestDelay} ms`,
  );
  mkdirSync(join(repository, '.codex-parity'), { recursive: true });
  writeFileSync(
    join(repository, '.codex-parity', `bench-delay-${name}.json`),
    JSON.stringify(delays, null, 2),
  );
}
