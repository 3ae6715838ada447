import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { authJson, madeUpSignIn } from '../src/client/official/made-up-sign-in.ts';
import { uuid7 } from '../src/wire/ids.ts';
import { compressZstd } from '../src/wire/zstd.ts';
import { type LoadSession, type Measured, measure } from './proxy/load.ts';
import { measureMemory } from './proxy/memory.ts';
import { printResult, type Row, type Way, ways } from './proxy/report.ts';
import { type Running, startBeside, startNginx, startNode } from './proxy/subjects.ts';
import { type BenchTurn, forSession, turnOf } from './proxy/turn.ts';

/**
 * Measures turns of the official client through the built proxy and through other proxies, beside the same turns sent
 * directly to the backend. Each is a process of its own on one machine. A row is measured in several rounds, in which
 * the subjects take turns, so that other load on the machine affects all of them. The median of the rounds counts.
 */
const settings = {
  /** Seconds per round. */
  seconds: Number(process.env.BENCH_SECONDS ?? 0.4),
  rounds: Number(process.env.BENCH_ROUNDS ?? 5),
  /** Seconds of unmeasured turns for each subject and way: it takes thousands of turns until a program is compiled. */
  warmUp: Number(process.env.BENCH_WARMING ?? 3),
  /** Turns during which the memory must not grow. */
  turns: Number(process.env.BENCH_TURNS ?? 20_000),
  /** Events per response. */
  events: (process.env.BENCH_EVENTS ?? '20,2000').split(',').map(Number),
  /** The ways to measure. */
  ways: ways.filter((way) => (process.env.BENCH_WAYS?.split(',') ?? ways).includes(way)),
  /** Concurrent sessions. */
  sessions: (process.env.BENCH_SESSIONS ?? '1,20,256').split(',').map(Number),
  /**
   * Other proxies to measure, one a line: `NAME=COMMAND`, in which `{port}` and `{upstream}` are replaced. They receive the
   * requests of all ways at /backend-api/codex/responses.
   */
  beside: (process.env.BENCH_BESIDE ?? '').split('\n').filter((line) => line.trim() !== ''),
};

type Subject = { readonly name: string; readonly program: Running; readonly ways: readonly Way[] };

/** One round, with the CPU time of all its turns in milliseconds, and the memory after them. */
type Round = Measured & { readonly cpu: number; readonly memory: number };

type RoundOptions = {
  readonly way: Way;
  readonly events: number;
  readonly sessions: number;
  readonly seconds: number;
};

const repository = join(import.meta.dirname, '..');
const codex = '0.169.0';
const path = '/backend-api/codex/responses';
const goldens = join(repository, 'traces', codex, 'chatgpt');
const work = mkdtempSync(join(tmpdir(), 'codex-parity-bench-'));
const running: Running[] = [];
try {
  const turn = await turnOf(join(goldens, 'default.golden.jsonl'));
  const httpTurn = await turnOf(join(goldens, 'http-fallback.golden.jsonl'));
  const newSession = (way: Way) => sessionFor(way, way === 'official post' ? httpTurn : turn);
  const backend = await keep(startNode([join(import.meta.dirname, 'proxy', 'backend.ts')]));
  const subjects = await startSubjects(backend);

  const setEvents = async (events: number) => {
    // Without a kept connection: the backend ends one that was idle for some seconds, perhaps just then.
    const headers = { connection: 'close' };
    await (await fetch(`http://127.0.0.1:${backend.port}/events?n=${events}`, { headers })).text();
  };
  const round = async (
    { program }: Subject,
    { way, events, sessions, seconds }: RoundOptions,
  ): Promise<Round> => {
    const all = await Promise.all(Array.from({ length: sessions }, () => newSession(way)));
    await setEvents(20);
    let before = 0;
    const onWarm = async () => {
      await setEvents(events);
      before = program.cpu();
    };
    const { port } = program;
    const measured = await measure({ port, path, sessions: all, onWarm, duration: seconds * 1000 });
    return { ...measured, cpu: program.cpu() - before, memory: program.memory() };
  };

  for (const subject of subjects) {
    process.stderr.write(`warming up ${subject.name}\n`);
    for (const way of settings.ways.filter((one) => subject.ways.includes(one))) {
      await round(subject, { way, events: 20, sessions: 20, seconds: settings.warmUp });
    }
  }
  const rows: Row[] = [];
  for (const events of settings.events) {
    for (const sessions of settings.sessions) {
      for (const way of settings.ways) {
        process.stderr.write(`${way}, ${events} events, ${sessions} sessions\n`);
        const capable = subjects.filter((subject) => subject.ways.includes(way));
        const measured = new Map<Subject, Round[]>(capable.map((subject) => [subject, []]));
        for (let n = 0; n < settings.rounds; n += 1) {
          for (const [subject, list] of measured) {
            list.push(await round(subject, { way, events, sessions, seconds: settings.seconds }));
          }
        }
        for (const [{ name }, list] of measured) {
          rows.push({ subject: name, way, events, sessions, ...medianOf(list) });
        }
      }
    }
  }

  await setEvents(20);
  // A new process, whose memory has not grown during the rows above.
  const proxy = await keep(startOwnProxy(backend.port));
  let failure: string | undefined;
  const memory = await measureMemory({ proxy, path, turns: settings.turns, newSession }).catch(
    (error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      failure = `the memory could not be measured: ${reason}; last output of the proxy: ${proxy.lastOutput()}`;
      return undefined;
    },
  );
  const { seconds, rounds } = settings;
  mkdirSync(join(repository, '.codex-parity'), { recursive: true });
  writeFileSync(
    join(repository, '.codex-parity', 'bench-proxy.json'),
    JSON.stringify({ seconds, rounds, rows, memory, failure }, null, 2),
  );
  printResult({ rows, memory, failure });
} finally {
  for (const program of running.reverse()) await program.stop();
  rmSync(work, { recursive: true, force: true });
}

/** Remembers a program, to stop it at the end. */
async function keep(starting: Promise<Running>): Promise<Running> {
  const program = await starting;
  running.push(program);
  return program;
}

function startOwnProxy(upstream: number, workers = 1): Promise<Running> {
  const auth = join(work, 'auth.json');
  const account = { accountId: 'acct-bench', userId: 'user-bench', email: 'bench@example.com' };
  writeFileSync(auth, authJson(madeUpSignIn({ ...account, plan: 'pro' })));
  const args = [
    ...[join(repository, 'dist', 'cli', 'main.js'), 'proxy', '--port', '0', '--auth', auth, '--codex', codex],
    ...['--upstream', `http://127.0.0.1:${upstream}/backend-api/codex`, '--workers', String(workers)],
  ];
  return startNode(args, /listening on http:\/\/127\.0\.0\.1:(\d+)/);
}

async function startSubjects(backend: Running): Promise<Subject[]> {
  const own = await keep(startOwnProxy(backend.port));
  const twoWorkers = await keep(startOwnProxy(backend.port, 2));
  const nginx = await startNginx(backend.port);
  if (nginx === undefined)
    process.stderr.write('nginx is not installed; skipping it: apt-get install nginx-light\n');
  else running.push(nginx);
  const others = await Promise.all(
    ['http-proxy-3', 'mockttp', 'bare'].map(async (name): Promise<Subject> => {
      const script = join(import.meta.dirname, 'proxy', `${name}.ts`);
      const program = await keep(startNode([script, String(backend.port)]));
      return {
        name,
        program,
        ways: name === 'http-proxy-3' ? ['websocket', 'post', 'official post'] : ['websocket', 'post'],
      };
    }),
  );
  const beside: Subject[] = [];
  for (const line of settings.beside) {
    const [, name, command] = /^\s*([^=\s]+)=(.*)$/.exec(line) ?? [];
    if (name === undefined || command === undefined)
      throw new RangeError(`BENCH_BESIDE: "${line}" is not NAME=COMMAND`);
    const upstream = `http://127.0.0.1:${backend.port}/backend-api/codex`;
    beside.push({ name, program: await keep(startBeside(command, upstream)), ways });
  }
  return [
    { name: 'direct', program: backend, ways },
    ...(nginx === undefined ? [] : [{ name: 'nginx', program: nginx, ways }]),
    ...others,
    ...beside,
    { name: 'codex-parity', program: own, ways },
    { name: '--workers 2', program: twoWorkers, ways },
  ];
}

/** Returns the requests of a new session with an id of its own. */
async function sessionFor(way: Way, turn: BenchTurn): Promise<LoadSession> {
  const { handshake, message, post } = forSession(turn, uuid7());
  if (way === 'websocket') return { transport: 'websocket', handshake, message };
  if (way === 'rewritten websocket') {
    // A client of another provider names no version.
    const others = handshake.filter(([name]) => name.toLowerCase() !== 'version');
    return { transport: 'websocket', handshake: others, message };
  }
  if (way === 'post') {
    return { transport: 'http', headers: [['content-type', 'application/json']], body: Buffer.from(post) };
  }
  const headers = handshake.filter(([name]) => name.toLowerCase() !== 'content-length');
  return { transport: 'http', headers, body: await compressZstd(Buffer.from(message)) };
}

/** Returns the median of each figure; all turns and failures of the rounds, the CPU time for a turn of all, and the most memory. */
function medianOf(rounds: readonly Round[]): Round {
  const sum = (key: 'cpu' | 'turns') => rounds.reduce((total, round) => total + round[key], 0);
  const spread = (key: 'first' | 'last') => ({
    p50: median(rounds.map((round) => round[key].p50)),
    p99: median(rounds.map((round) => round[key].p99)),
  });
  return {
    turns: sum('turns'),
    turnsPerSecond: median(rounds.map(({ turnsPerSecond }) => turnsPerSecond)),
    first: spread('first'),
    last: spread('last'),
    generatorBusy: median(rounds.map(({ generatorBusy }) => generatorBusy)),
    failures: rounds.flatMap(({ failures }) => failures),
    cpu: sum('cpu') / sum('turns'),
    memory: Math.max(...rounds.map(({ memory }) => memory)),
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
