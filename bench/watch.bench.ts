import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { uuid7 } from '../src/wire/ids.ts';
import { goal } from './goal.ts';
import { type Connection, openConnection } from './proxy/load.ts';
import { type Running, startNode } from './proxy/subjects.ts';
import { forSession, turnOf } from './proxy/turn.ts';

/**
 * Measures turns of the official client through `watch`, beside the same turns through a plain relay and without one. The
 * three take turns, one turn each with a pause, as a session has them: so other load on the machine affects all of them
 * alike. Then it measures the memory of `watch` over many turns.
 */
const settings = {
  /** Measured turns of each subject for each number of events. */
  rounds: Number(process.env.BENCH_ROUNDS ?? 200),
  /** Unmeasured turns of each subject before them. */
  warmUp: Number(process.env.BENCH_WARMING ?? 60),
  events: (process.env.BENCH_EVENTS ?? '20,500').split(',').map(Number),
  /** Milliseconds between two turns: in a session they are seconds apart, so that the analysis of one is over before the next. */
  pause: 40,
  /** Turns during which the memory must not grow. */
  turns: Number(process.env.BENCH_TURNS ?? 10_000),
};
/** How much longer than through the relay a turn may take, and how much the memory may grow after a quarter. */
const goals = { ratio: 1.1, growth: 1.1 };

const repository = join(import.meta.dirname, '..');
const path = '/backend-api/codex/responses';
const turn = await turnOf(join(repository, 'traces', '0.169.0', 'chatgpt', 'default.golden.jsonl'));
const running: Running[] = [];
try {
  const backend = await keep(startNode([join(import.meta.dirname, 'proxy', 'backend.ts')]));
  const relay = await keep(startNode([join(import.meta.dirname, 'watch', 'relay.ts'), String(backend.port)]));
  const watch = await keep(startWatch(backend.port));
  const setEvents = async (events: number) => {
    await (
      await fetch(`http://127.0.0.1:${backend.port}/events?n=${events}`, { headers: { connection: 'close' } })
    ).text();
  };

  const rows: Record<string, number | string>[] = [];
  for (const events of settings.events) {
    await setEvents(events);
    const subjects = new Map<string, { connection: Connection; first: number[]; last: number[] }>();
    for (const [name, { port }] of Object.entries({ direct: backend, relay, watch }))
      subjects.set(name, { connection: await open(port), first: [], last: [] });
    for (let round = -settings.warmUp; round < settings.rounds; round += 1) {
      for (const { connection, first, last } of subjects.values()) {
        const times = await connection.turn();
        if (round >= 0) {
          first.push(times.first);
          last.push(times.last);
        }
        await sleep(settings.pause);
      }
    }
    const times = (name: string) => {
      const { first = [], last = [] } = subjects.get(name) ?? {};
      return { first: median(first), last: median(last) };
    };
    for (const { connection } of subjects.values()) connection.close();
    for (const name of subjects.keys()) {
      const own = times(name);
      rows.push({
        events,
        subject: name,
        'first ms': own.first.toFixed(2),
        'last ms': own.last.toFixed(2),
        'of relay': (own.last / times('relay').last).toFixed(2),
      });
    }
    const ratio = {
      first: times('watch').first / times('relay').first,
      last: times('watch').last / times('relay').last,
    };
    console.table(rows.filter((row) => row.events === events));
    const worst = Math.max(ratio.first, ratio.last);
    goal(
      worst <= goals.ratio,
      `a turn of ${events} events through watch takes ${worst.toFixed(2)} times as long as through a plain relay`,
      `at most ${goals.ratio} times`,
    );
  }

  await setEvents(20);
  const own = await keep(startWatch(backend.port));
  const connection = await open(own.port);
  const after = async (until: number) => {
    for (; sent < until; sent += 1) {
      await connection.turn();
      // The analysis takes every turn: nothing is left out.
      while (seenTurns(own) < sent - 50) await sleep(2);
    }
    while (seenTurns(own) < until - 1) await sleep(20);
    return own.memory() / 1e6;
  };
  let sent = 0;
  const quarter = await after(settings.turns / 4);
  const all = await after(settings.turns);
  connection.close();
  const memory = { turns: settings.turns, quarter, all };
  goal(
    all / quarter <= goals.growth,
    `watch has ${quarter.toFixed(0)} MB after ${settings.turns / 4} turns and ${all.toFixed(0)} MB after ${settings.turns}`,
    `at most ${goals.growth} times as much`,
  );
  mkdirSync(join(repository, '.codex-parity'), { recursive: true });
  writeFileSync(
    join(repository, '.codex-parity', 'bench-watch.json'),
    JSON.stringify({ rows, memory }, null, 2),
  );
} finally {
  for (const program of running.reverse()) await program.stop();
}

/** Remembers a program, to stop it at the end. */
async function keep(starting: Promise<Running>): Promise<Running> {
  const program = await starting;
  running.push(program);
  return program;
}

function startWatch(upstream: number): Promise<Running> {
  const args = [
    ...[join(repository, 'dist', 'cli', 'main.js'), 'watch', '--listen', '0', '--page', '0'],
    ...['--upstream', `http://127.0.0.1:${upstream}${path.replace('/responses', '')}`],
  ];
  return startNode(args, /listening on http:\/\/127\.0\.0\.1:(\d+)/);
}

async function open(port: number): Promise<Connection> {
  const { handshake, message } = forSession(turn, uuid7());
  // Each time that the request is sent is a turn of its own.
  const withoutTurn = message.replaceAll(/(\\?"turn_id\\?":\\?")[^"\\]*/g, '$1');
  return openConnection({ transport: 'websocket', handshake, message: withoutTurn }, port, path);
}

/** The turn in the last line that was printed. */
function seenTurns({ lastOutput }: Running): number {
  return Number(/.*\bturn (\d+)/.exec(lastOutput())?.[1] ?? 0);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
