// Plays many conversations through HAProxy and three proxies with one Redis, while one proxy is killed, one is drained, Redis is
// restarted and the sign-in is refused. Every conversation must end as if nothing had happened.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { progress } from '../src/cli/progress.ts';
import { authJson, madeUpSignIn } from '../src/client/official/made-up-sign-in.ts';
import { ParityError } from '../src/errors.ts';
import { runMain } from './run-main.ts';
import { expectedText, type ScaleBackend, startScaleBackend } from './scale/backend.ts';
import { type Reach, ScaleClient } from './scale/client.ts';
import {
  freePorts,
  type Program,
  startProgram,
  startProxyProgram,
  startRedisServer,
} from './scale/programs.ts';

const usage = 'npm run scale -- [--conversations N] [--rounds N]';

const turnsEach = 4;

/** The longest pause of a client before each turn, in milliseconds. */
const longestPause = 2500;

const surfaces = ['HTTP', 'websocket', 'official'] as const;
const reaches: readonly Reach[] = ['session', 'address', 'roaming'];

/** Breaches to print. */
const mostBreaches = 30;

async function main(): Promise<number> {
  const { conversations, rounds } = options();
  for (const program of ['redis-server', 'haproxy']) {
    if (spawnSync(program, ['-v']).error === undefined) continue;
    throw new ParityError('usage', `${program} is not installed: apt-get install redis-server haproxy`);
  }
  for (let round = 1; round <= rounds; round += 1) {
    if (rounds > 1) process.stdout.write(`round ${round} of ${rounds}\n`);
    const breaches = await playRound(conversations);
    for (const breach of breaches.slice(0, mostBreaches)) process.stdout.write(`breach: ${breach}\n`);
    if (breaches.length > mostBreaches) process.stdout.write(`and ${breaches.length - mostBreaches} more\n`);
    process.stdout.write(breaches.length === 0 ? 'the proxies hold\n' : 'the proxies do not hold\n');
    if (breaches.length > 0) return 1;
  }
  return 0;
}

function options() {
  const { values } = parseArgs({
    options: {
      conversations: { type: 'string', default: '300' },
      rounds: { type: 'string', default: '1' },
    },
  });
  const [conversations, rounds] = [Number(values.conversations), Number(values.rounds)];
  if (![conversations, rounds].every((number) => Number.isInteger(number) && number > 0)) {
    throw new ParityError('usage', `--conversations and --rounds must be whole numbers above 0: ${usage}`);
  }
  return { conversations, rounds };
}

/** The programs of one round, and what was found. */
type Round = {
  readonly backend: ScaleBackend;
  readonly balancerPort: number;
  readonly proxies: Program[];
  readonly startProxy: (index: number) => Promise<Program>;
  redis: Program;
  readonly startRedis: () => Promise<Program>;
  readonly breaches: string[];
  turns: number;
  retries: number;
  /** Whether all conversations have ended. */
  isOver: boolean;
};

async function playRound(conversations: number): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'codex-parity-scale-'));
  const backend = await startScaleBackend();
  const [balancerPort = 0, redisPort = 0, ...proxyPorts] = await freePorts(5);
  const running: Program[] = [];
  const started = async (program: Promise<Program>) => {
    running.push(await program);
    return program;
  };
  try {
    const auths = proxyPorts.map((_, index) => writeSignIn(join(folder, `machine-${index + 1}`)));
    const startProxy = (index: number) =>
      started(
        startProxyProgram({
          port: proxyPorts[index] ?? 0,
          auth: auths[index] ?? '',
          backend: backend.origin,
          redisPort,
        }),
      );
    const startRedis = () => started(startRedisServer(redisPort, folder));
    const redis = await startRedis();
    const proxies = await Promise.all(proxyPorts.map((_, index) => startProxy(index)));
    const configuration = join(folder, 'haproxy.cfg');
    writeFileSync(configuration, balancerConfiguration(balancerPort, proxyPorts));
    await started(startProgram(['haproxy', '-W', '-f', configuration], /Loading success/));
    const breaches: string[] = [];
    const round: Round = {
      ...{ backend, balancerPort, proxies, startProxy, redis, startRedis, breaches },
      turns: 0,
      retries: 0,
      isOver: false,
    };
    const total = conversations * turnsEach;
    progress(
      `${conversations} conversations of ${turnsEach} turns through HAProxy to ${proxies.length} proxies`,
    );
    const troubled = troubles(round, total);
    await Promise.all(Array.from({ length: conversations }, (_, index) => converse(round, index)));
    round.isOver = true;
    await troubled;
    if (backend.renewals() !== 1) breaches.push(`the sign-in was renewed ${backend.renewals()} times`);
    process.stdout.write(
      `${round.turns} of ${total} turns with the right content, ${round.retries} requests sent again, ` +
        `${backend.renewals()} renewal of the sign-in\n`,
    );
    breaches.push(...backend.breaches);
    if (breaches.length > 0) for (const program of running) process.stderr.write(notable(program.output()));
    return breaches;
  } finally {
    await Promise.all(running.map((program) => program.stop('SIGKILL')));
    await backend.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The lines of a program's output that may explain a breach. */
function notable(output: string): string {
  const lines = output
    .split('\n')
    .filter((line) => /sign-in|away|back|failed|listening|WARN|ALERT/.test(line));
  return lines.map((line) => `  ${line}\n`).join('');
}

/** deploy/haproxy.cfg with the addresses of this round. */
function balancerConfiguration(port: number, proxyPorts: readonly number[]): string {
  const path = join(import.meta.dirname, '..', 'deploy', 'haproxy.cfg');
  return readFileSync(path, 'utf8')
    .replace('bind :8320', `bind 127.0.0.1:${port}`)
    .replaceAll(/proxy-(\d):8320/g, (_, number) => `127.0.0.1:${proxyPorts[Number(number) - 1]}`);
}

/** Writes a copy of the sign-in, as each machine has one. Returns its path. */
function writeSignIn(folder: string): string {
  mkdirSync(folder);
  const account = { accountId: 'account-a', userId: 'user-a', email: 'a@example.com', plan: 'pro' } as const;
  const path = join(folder, 'auth.json');
  writeFileSync(path, authJson(madeUpSignIn(account)), { mode: 0o600 });
  return path;
}

/** What happens while the clients converse, each at a share of the turns. */
async function troubles(round: Round, total: number): Promise<void> {
  const { backend, proxies, breaches } = round;
  const reached = async (share: number) => {
    while (round.turns < share * total && !round.isOver) await delay(10);
  };
  const restart = async (index: number) => {
    proxies[index] = await round.startProxy(index);
  };
  await reached(0.15);
  backend.revoke();
  progress('the backend refuses the sign-in');
  await reached(0.3);
  await proxies[0]?.stop('SIGKILL');
  progress('killed proxy 1');
  const restarted = delay(500).then(() => restart(0));
  await reached(0.5);
  await round.redis.stop('SIGTERM');
  await delay(300);
  round.redis = await round.startRedis();
  progress('restarted Redis');
  await reached(0.65);
  progress('draining proxy 2');
  const exitCode = await proxies[1]?.stop('SIGTERM');
  if (exitCode !== 0) breaches.push(`the drained proxy ended with exit code ${exitCode}`);
  progress('proxy 2 has ended');
  await restart(1);
  await restarted;
}

async function converse(round: Round, index: number): Promise<void> {
  const surface = surfaces[index % surfaces.length] ?? 'HTTP';
  // An official client always names its session.
  const reach =
    (surface !== 'official' && reaches[Math.floor(index / surfaces.length) % reaches.length]) || 'session';
  const client = new ScaleClient({ port: round.balancerPort, surface, reach, index });
  const messages: string[] = [];
  for (let turn = 0; turn < turnsEach; turn += 1) {
    await delay(Math.random() * longestPause);
    messages.push(`c${index}.${turn}`);
    try {
      const text = await client.turn(messages.at(-1) ?? '');
      if (text !== expectedText(messages)) throw new Error(`received "${text}"`);
      round.turns += 1;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      round.breaches.push(`turn ${turn + 1} of conversation ${index} (${surface}, ${reach}): ${reason}`);
      break;
    }
  }
  round.retries += client.retries;
  client.close();
}

await runMain(main);
