import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { authJson, madeUpSignIn } from '../src/client/official/made-up-sign-in.ts';
import { uuid7 } from '../src/wire/ids.ts';
import { compressZstd } from '../src/wire/zstd.ts';
import { goal } from './goal.ts';
import { type Connection, type Measured, measure, open, type Session } from './proxy/load.ts';
import { type Running, startNginx, startNode } from './proxy/subjects.ts';
import { forSession, type Turn, turnOf } from './proxy/turn.ts';

const repository = join(import.meta.dirname, '..');
const codex = '0.169.0';
const path = '/backend-api/codex/responses';

const ways = ['websocket', 'post', 'official post'] as const;
/** How a client speaks: the official one over its websocket or by its packed POST, or an API client by a plain POST. */
type Way = (typeof ways)[number];
type Subject = { readonly name: string; readonly port: number; readonly ways: readonly Way[] };
type Row = Measured & {
  readonly subject: string;
  readonly way: Way;
  readonly events: number;
  readonly sessions: number;
};

/**
 * A turn of the official client through this proxy, as it is packed for use, and through others, beside the same turn
 * straight to the backend. All are processes of their own on one machine. Each row is measured in several rounds, in
 * which the subjects take turns, so that what else the machine does meets all of them; its median round counts.
 *
 * `BENCH_SECONDS` is how long a round of a row takes, `BENCH_ROUNDS` how many there are, `BENCH_WARMING`
 * how many seconds go before for each subject and way, `BENCH_TURNS` in how many
 * turns nothing may grow; `BENCH_EVENTS` and `BENCH_SESSIONS` choose fewer rows.
 */
const seconds = Number(process.env.BENCH_SECONDS ?? 0.4);
const rounds = Number(process.env.BENCH_ROUNDS ?? 3);
const warming = Number(process.env.BENCH_WARMING ?? 3);
const longRun = Number(process.env.BENCH_TURNS ?? 20_000);
const replies = (process.env.BENCH_EVENTS ?? '20,2000').split(',').map(Number);
const crowds = (process.env.BENCH_SESSIONS ?? '1,20,256').split(',').map(Number);
const work = mkdtempSync(join(tmpdir(), 'codex-parity-bench-'));
const running: Running[] = [];
let failure: string | undefined;
try {
  const turn = await turnOf(join(repository, 'traces', codex, 'chatgpt', 'default.golden.jsonl'));
  const packed = await turnOf(join(repository, 'traces', codex, 'chatgpt', 'http-fallback.golden.jsonl'));
  const backend = await started(startNode([join(import.meta.dirname, 'proxy', 'backend.ts')]));
  const own = await started(startOwn(backend.port));
  const subjects = await subjectsBeside(backend.port, own.port);

  const rows: Row[] = [];
  const answerWith = async (events: number) => {
    await (await fetch(`http://127.0.0.1:${backend.port}/events?n=${events}`)).text();
  };
  const round = async (
    { port }: Subject,
    way: Way,
    events: number,
    sessions: number,
    time = seconds,
  ): Promise<Measured> => {
    const all = await Promise.all(
      Array.from({ length: sessions }, () => sessionOf(way, way === 'official post' ? packed : turn)),
    );
    await answerWith(20);
    const warmed = () => answerWith(events);
    return measure({ port, path, sessions: all, warmed, duration: time * 1000 });
  };
  // In its first some thousand turns a program is still being compiled.
  for (const subject of subjects) {
    process.stderr.write(`${subject.name} warms up\n`);
    for (const way of subject.ways) await round(subject, way, 20, 20, warming);
  }
  for (const events of replies) {
    for (const sessions of crowds) {
      for (const way of ways) {
        process.stderr.write(`${way}, ${events} events, ${sessions} sessions\n`);
        const taking = subjects.filter((subject) => subject.ways.includes(way));
        const measured = new Map<Subject, Measured[]>(taking.map((subject) => [subject, []]));
        for (let n = 0; n < rounds; n += 1) {
          for (const [subject, list] of measured) list.push(await round(subject, way, events, sessions));
        }
        for (const [{ name }, list] of measured) {
          rows.push({ subject: name, way, events, sessions, ...medianOf(list) });
        }
      }
    }
  }
  await answerWith(20);
  // Another process, that has not grown in the rows before.
  const fresh = await started(startOwn(backend.port));
  const memory = await memoryOf(fresh, turn).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    failure = `the memory could not be measured: ${reason}; the proxy said last: ${fresh.said()}`;
    return undefined;
  });
  const result = { seconds, rounds, rows, memory, failure };
  mkdirSync(join(repository, '.codex-parity'), { recursive: true });
  writeFileSync(join(repository, '.codex-parity', 'bench-proxy.json'), JSON.stringify(result, null, 2));
  print(rows, memory);
} finally {
  for (const one of running.reverse()) await one.stop();
  rmSync(work, { recursive: true, force: true });
}

async function started(starting: Promise<Running>): Promise<Running> {
  const one = await starting;
  running.push(one);
  return one;
}

function startOwn(upstream: number): Promise<Running> {
  const auth = join(work, 'auth.json');
  const account = { accountId: 'acct-bench', userId: 'user-bench', email: 'bench@example.com' };
  writeFileSync(auth, authJson(madeUpSignIn({ ...account, plan: 'pro' })));
  const words = [
    ...[join(repository, 'dist', 'cli', 'main.js'), 'proxy', '--port', '0', '--auth', auth, '--codex', codex],
    ...['--upstream', `http://127.0.0.1:${upstream}/backend-api/codex`],
  ];
  return startNode(words, /listening on http:\/\/127\.0\.0\.1:(\d+)/);
}

async function subjectsBeside(backend: number, own: number): Promise<Subject[]> {
  const plain: readonly Way[] = ['websocket', 'post'];
  const script = (name: string) => [join(import.meta.dirname, 'proxy', `${name}.ts`), String(backend)];
  const nginx = await startNginx(backend);
  if (nginx === undefined)
    process.stderr.write('nginx is not installed and left out: apt-get install nginx-light\n');
  else running.push(nginx);
  const others = ['http-proxy-3', 'mockttp', 'bare'];
  const ports = await Promise.all(others.map(async (name) => (await started(startNode(script(name)))).port));
  return [
    { name: 'direct', port: backend, ways },
    ...(nginx === undefined ? [] : [{ name: 'nginx', port: nginx.port, ways }]),
    ...others.map((name, at) => ({ name, port: ports[at] ?? 0, ways: plain })),
    { name: 'codex-parity', port: own, ways },
  ];
}

/** What a new session says, each with an id of its own. */
async function sessionOf(way: Way, pattern: Turn): Promise<Session> {
  const { handshake, message, post } = forSession(pattern, uuid7());
  if (way === 'websocket') return { transport: 'websocket', handshake, message };
  if (way === 'post') {
    const headers: (readonly [string, string])[] = [['content-type', 'application/json']];
    return { transport: 'http', headers, body: Buffer.from(post) };
  }
  const headers = handshake.filter(([name]) => name.toLowerCase() !== 'content-length');
  return { transport: 'http', headers, body: await compressZstd(Buffer.from(message)) };
}

/** The round of median speed, with the failures of all. */
function medianOf(list: readonly Measured[]): Measured {
  const bySpeed = list.toSorted((one, other) => one.turnsPerSecond - other.turnsPerSecond);
  const median = bySpeed[Math.floor(bySpeed.length / 2)];
  if (median === undefined) throw new RangeError('no round');
  return { ...median, failures: list.flatMap(({ failures }) => failures) };
}

/** What the proxy holds, in bytes: with idle sessions, and in the course of many turns. */
type Memory = {
  readonly idleSessions: number;
  readonly idle: number;
  readonly turns: number;
  readonly afterAQuarter: number;
  readonly afterAll: number;
};

/** Rejects for a turn that fails. */
async function memoryOf(own: Running, turn: Turn): Promise<Memory> {
  const idleSessions = 1000;
  const connections: Connection[] = [];
  for (let n = 0; n < idleSessions; n += 1) {
    const connection = await open(await sessionOf('websocket', turn), own.port, path);
    await connection.turn();
    connections.push(connection);
  }
  await quiet();
  const idle = own.memory();
  for (const connection of connections) connection.close();

  const busy = await Promise.all(Array.from({ length: 20 }, () => sessionOf('post', turn)));
  const make = async (count: number) => {
    await Promise.all(
      busy.map(async (session) => {
        const connection = await open(session, own.port, path);
        for (let n = 0; n < count / busy.length; n += 1) await connection.turn();
        connection.close();
      }),
    );
    await quiet();
    return own.memory();
  };
  const afterAQuarter = await make(longRun / 4);
  const afterAll = await make((longRun * 3) / 4);
  return { idleSessions, idle, turns: longRun, afterAQuarter, afterAll };
}

/** Long enough for the proxy to find that there is nothing to do, and to give back what it does not need. */
function quiet(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 11_000));
}

/** Each row beside the direct one of the same way, events and sessions: times as what they add, turns as a share. */
function print(rows: readonly Row[], memory: Memory | undefined): void {
  const table = rows.map((row) => {
    const base = directOf(rows, row);
    return {
      subject: row.subject,
      way: row.way,
      events: row.events,
      sessions: row.sessions,
      'turns/s': Math.round(row.turnsPerSecond),
      'of direct': (row.turnsPerSecond / base.turnsPerSecond).toFixed(2),
      'first p50 +ms': (row.first.p50 - base.first.p50).toFixed(2),
      'first p99 +ms': (row.first.p99 - base.first.p99).toFixed(2),
      'last p50 +ms': (row.last.p50 - base.last.p50).toFixed(2),
      'last p99 +ms': (row.last.p99 - base.last.p99).toFixed(2),
      failed: row.failures.length,
      'generator busy': row.generatorBusy.toFixed(2),
    };
  });
  console.table(table);
  for (const row of rows) tell(row);
  judge(rows, memory);
}

/** Says what makes a row worth less than it seems. */
function tell({ subject, way, events, sessions, failures, generatorBusy }: Row): void {
  const row = `${subject}, ${way}, ${events} events, ${sessions} sessions`;
  if (failures.length > 0) console.log(`${row}: ${failures.length} failed, the first: ${failures[0]}`);
  if (generatorBusy > 0.9) console.log(`${row}: the generator was busy; the subject may be faster than this`);
}

function directOf(rows: readonly Row[], { way, events, sessions }: Row): Row {
  const found = rows.find(
    (row) =>
      row.subject === 'direct' && row.way === way && row.events === events && row.sessions === sessions,
  );
  if (found === undefined) throw new RangeError('a row without its direct one');
  return found;
}

/** Each goal in words. What is added is told by the median of the last event. */
function judge(rows: readonly Row[], memory: Memory | undefined): void {
  const find = (subject: string, way: Way, events: number, sessions: number) =>
    rows.find(
      (row) =>
        row.subject === subject && row.way === way && row.sessions === sessions && row.events === events,
    );
  const added = (row: Row | undefined) =>
    row === undefined ? Number.NaN : row.last.p50 - directOf(rows, row).last.p50;
  const failed = rows.filter(({ subject }) => subject === 'codex-parity').flatMap(({ failures }) => failures);
  goal(failed.length === 0, `${failed.length} requests through the proxy failed`, 'none');
  for (const events of replies) {
    for (const sessions of crowds) {
      const place = `${events} events, ${sessions} sessions`;
      const [relayed, http] = [
        added(find('codex-parity', 'websocket', events, sessions)),
        added(find('http-proxy-3', 'websocket', events, sessions)),
      ];
      goal(
        relayed <= http,
        `${place}: websocket to websocket adds ${relayed.toFixed(2)} ms`,
        `http-proxy-3's ${http.toFixed(2)} ms at most`,
      );
      const [translated, mockttp] = [
        added(find('codex-parity', 'post', events, sessions)),
        added(find('mockttp', 'post', events, sessions)),
      ];
      goal(
        translated < mockttp,
        `${place}: HTTP to websocket adds ${translated.toFixed(2)} ms`,
        `less than mockttp's ${mockttp.toFixed(2)} ms`,
      );
    }
  }
  const speed = find('codex-parity', 'post', 20, 20)?.turnsPerSecond ?? Number.NaN;
  const nginx = find('nginx', 'post', 20, 20)?.turnsPerSecond;
  goal(
    speed >= 3000 || (nginx !== undefined && speed >= nginx / 2),
    `HTTP to websocket makes ${Math.round(speed)} turns a second at 20 sessions`,
    `3000, or half of nginx's ${nginx === undefined ? '(not installed)' : Math.round(nginx)}`,
  );
  if (memory === undefined) {
    goal(false, failure ?? '', 'memory that can be told');
    return;
  }
  const megabytes = (bytes: number) => `${Math.round(bytes / 1_000_000)} MB`;
  goal(
    memory.idle > 0 && memory.idle < 150_000_000,
    `${memory.idleSessions} idle sessions in ${megabytes(memory.idle)}`,
    'less than 150 MB',
  );
  goal(
    memory.idle > 0 && memory.afterAll < memory.afterAQuarter * 1.1,
    `${megabytes(memory.afterAQuarter)} after ${memory.turns / 4} turns, ${megabytes(memory.afterAll)} after ${memory.turns}`,
    'a tenth more at most',
  );
}
