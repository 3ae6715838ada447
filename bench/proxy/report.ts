import { goal } from '../goal.ts';
import type { Measured } from './load.ts';
import type { Memory } from './memory.ts';

export const ways = ['websocket', 'rewritten websocket', 'post', 'official post'] as const;

/**
 * How a client sends: the official one over its websocket, which the proxy tunnels, or as a client of another provider, whose
 * messages the proxy completes; or by a compressed POST. An API client by a plain POST.
 */
export type Way = (typeof ways)[number];

export type Row = Measured & {
  readonly subject: string;
  readonly way: Way;
  readonly events: number;
  readonly sessions: number;
  /** CPU time of the subject for each turn, in milliseconds; of the backend in the direct rows. It depends least on other load. */
  readonly cpu: number;
  /** Resident memory of the subject, in bytes. */
  readonly memory: number;
};

export type Result = {
  readonly rows: readonly Row[];
  readonly memory: Memory | undefined;
  /** Why the memory was not measured. */
  readonly failure: string | undefined;
};

/** Prints each row beside the direct row of the same way, events and sessions, and then each goal. */
export function printResult({ rows, memory, failure }: Result): void {
  console.table(
    rows.map((row) => {
      const direct = directRow(rows, row);
      return {
        subject: row.subject,
        way: row.way,
        events: row.events,
        sessions: row.sessions,
        'turns/s': Math.round(row.turnsPerSecond),
        'of direct': (row.turnsPerSecond / direct.turnsPerSecond).toFixed(2),
        'CPU ms/turn': row.cpu.toFixed(3),
        MB: Math.round(row.memory / 1_000_000),
        'first p50 +ms': (row.first.p50 - direct.first.p50).toFixed(2),
        'first p99 +ms': (row.first.p99 - direct.first.p99).toFixed(2),
        'last p50 +ms': (row.last.p50 - direct.last.p50).toFixed(2),
        'last p99 +ms': (row.last.p99 - direct.last.p99).toFixed(2),
        failed: row.failures.length,
        'generator busy': row.generatorBusy.toFixed(2),
      };
    }),
  );
  for (const row of rows) printWarnings(row);
  printTurnGoals(rows);
  if (memory === undefined) goal(false, failure ?? '', 'a measurement of the memory');
  else printMemoryGoals(memory);
}

/** Prints what limits the significance of a row. */
function printWarnings({ subject, way, events, sessions, failures, generatorBusy }: Row): void {
  const row = `${subject}, ${way}, ${events} events, ${sessions} sessions`;
  if (failures.length > 0) console.log(`${row}: ${failures.length} turns failed, first: ${failures[0]}`);
  if (generatorBusy > 0.9) {
    console.log(`${row}: the load generator was busy; the subject may be faster than measured`);
  }
}

function directRow(rows: readonly Row[], { way, events, sessions }: Row): Row {
  const direct = rowOf(rows, { subject: 'direct', way, events, sessions });
  if (direct === undefined) throw new RangeError('there is no direct row to compare with');
  return direct;
}

function rowOf(
  rows: readonly Row[],
  { subject, way, events, sessions }: Pick<Row, 'subject' | 'way' | 'events' | 'sessions'>,
): Row | undefined {
  return rows.find(
    (row) => row.subject === subject && row.way === way && row.sessions === sessions && row.events === events,
  );
}

/** The added time is the difference of the medians of the last event. */
function printTurnGoals(rows: readonly Row[]): void {
  const failed = rows
    .filter(({ subject }) => subject === 'codex-parity' || subject === '--workers 2')
    .flatMap(({ failures }) => failures);
  goal(failed.length === 0, `${failed.length} requests through the proxy failed`, 'none');
  for (const { events, sessions } of rows.filter(
    (row) => row.subject === 'direct' && row.way === rows[0]?.way,
  )) {
    const added = (subject: string, way: Way) => {
      const row = rowOf(rows, { subject, way, events, sessions });
      return row === undefined ? Number.NaN : row.last.p50 - directRow(rows, row).last.p50;
    };
    const load = `${events} events, ${sessions} sessions`;
    for (const way of ['websocket', 'official post'] as const) {
      if (!rows.some((row) => row.way === way)) continue;
      const { own, share, cpu } = comparison(rows, { way, events, sessions }, 'http-proxy-3');
      goal(
        share >= 0.9,
        `${load}: a tunnelled ${way} makes ${own} turns per second, ${share.toFixed(2)} of http-proxy-3's, with ${cpu.toFixed(2)} of its CPU time`,
        '0.9',
      );
      const [adds, httpProxy] = [added('codex-parity', way), added('http-proxy-3', way)];
      goal(
        adds <= httpProxy * 1.1,
        `${load}: a tunnelled ${way} adds ${adds.toFixed(2)} ms`,
        `at most http-proxy-3's ${httpProxy.toFixed(2)} ms and a tenth`,
      );
    }
    if (!rows.some((row) => row.way === 'post')) continue;
    if (sessions === 1) {
      const [translated, mockttp] = [added('codex-parity', 'post'), added('mockttp', 'post')];
      goal(
        translated < mockttp,
        `${load}: HTTP to websocket adds ${translated.toFixed(2)} ms`,
        `less than mockttp's ${mockttp.toFixed(2)} ms`,
      );
    }
    if (sessions === 20) {
      const wanted = events < 1000 ? 0.75 : 1;
      const { own, share, cpu } = comparison(rows, { way: 'post', events, sessions }, 'bare');
      goal(
        share >= wanted,
        `${load}: HTTP to websocket makes ${own} turns per second, ${share.toFixed(2)} of bare's, with ${cpu.toFixed(2)} times its CPU time`,
        String(wanted),
      );
    }
  }
}

/** The proxy's turns beside those of another subject, and the quotients of both speeds and both CPU times. */
function comparison(
  rows: readonly Row[],
  load: Pick<Row, 'way' | 'events' | 'sessions'>,
  other: string,
): { readonly own: number; readonly share: number; readonly cpu: number } {
  const [row, otherRow] = ['codex-parity', other].map((subject) => rowOf(rows, { subject, ...load }));
  const own = row?.turnsPerSecond ?? Number.NaN;
  return {
    own: Math.round(own),
    share: own / (otherRow?.turnsPerSecond ?? Number.NaN),
    cpu: (row?.cpu ?? Number.NaN) / (otherRow?.cpu ?? Number.NaN),
  };
}

function printMemoryGoals({ idleSessions, idle, turns, afterAQuarter, afterAll }: Memory): void {
  const megabytes = (bytes: number) => `${Math.round(bytes / 1_000_000)} MB`;
  goal(
    idle > 0 && idle < 120_000_000,
    `${idleSessions} idle sessions use ${megabytes(idle)}`,
    'less than 120 MB',
  );
  goal(
    idle > 0 && afterAll < afterAQuarter * 1.1,
    `${megabytes(afterAQuarter)} after ${turns / 4} turns, ${megabytes(afterAll)} after ${turns}`,
    'at most a tenth more',
  );
}
