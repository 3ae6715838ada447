import { connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { HeaderList } from '../../src/wire/headers.ts';
import { encodeFrame, newMask } from '../../src/wire/websocket-frame.ts';

/** What one session says, prepared before the clock starts. */
export type Session =
  | { readonly transport: 'websocket'; readonly handshake: HeaderList; readonly message: string }
  | { readonly transport: 'http'; readonly headers: HeaderList; readonly body: Buffer };

export type Load = {
  readonly port: number;
  /** The path the sessions ask for. */
  readonly path: string;
  /** All that run side by side; each makes one turn after the other. */
  readonly sessions: readonly Session[];
  /** Called when every session has made its first turn, which is not measured. */
  readonly warmed: () => Promise<void>;
  /** Milliseconds in which turns are begun; each session makes one at least, and what was begun is waited for. */
  readonly duration: number;
};

/** Times in milliseconds from the request to the first and the last byte of events. */
export type Measured = {
  readonly turns: number;
  readonly turnsPerSecond: number;
  readonly first: Spread;
  readonly last: Spread;
  /** Why turns failed, the first turn of a session among them. A session is given up with its first failure. */
  readonly failures: readonly string[];
  /** The share of its one thread that the generator was busy; near 1, it is itself what is measured. */
  readonly generatorBusy: number;
};
export type Spread = { readonly p50: number; readonly p99: number };

/** Milliseconds after which an answer counts as failed. */
const patience = 30_000;

/**
 * Makes turns over raw sockets for a while. The generator only looks for the end of each answer, and parses nothing.
 */
export async function measure({ port, path, sessions, warmed, duration }: Load): Promise<Measured> {
  const failures: string[] = [];
  const failed = (error: unknown) =>
    void failures.push(error instanceof Error ? error.message : String(error));
  const opened = await Promise.all(
    sessions.map(async (session) => {
      const connection = await open(session, port, path).catch(failed);
      const turn = await connection?.turn().catch(failed);
      return turn === undefined ? undefined : connection;
    }),
  );
  const connections = opened.filter((connection) => connection !== undefined);
  await warmed();
  const first: number[] = [];
  const last: number[] = [];
  const start = performance.now();
  const idle = performance.eventLoopUtilization();
  await Promise.all(
    connections.map(async (connection) => {
      do {
        const turn = await connection.turn().catch(failed);
        if (turn === undefined) return;
        first.push(turn.first);
        last.push(turn.last);
      } while (performance.now() < start + duration);
    }),
  );
  const elapsed = performance.now() - start;
  const generatorBusy = performance.eventLoopUtilization(idle).utilization;
  for (const connection of connections) connection.close();
  return {
    turns: last.length,
    turnsPerSecond: last.length / (elapsed / 1000),
    first: spread(first),
    last: spread(last),
    failures,
    generatorBusy,
  };
}

export type Connection = {
  readonly turn: () => Promise<{ readonly first: number; readonly last: number }>;
  readonly close: () => void;
};

/** Opens one session and, over a websocket, sees it upgraded. Rejects where the subject refuses or leaves. */
export async function open(session: Session, port: number, path: string): Promise<Connection> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  // What is wrong is told by its closing.
  socket.on('error', () => {});
  const close = () => socket.destroy();
  if (session.transport === 'http') {
    const request = requestOf(session, port, path);
    return { turn: () => ask(socket, request, { status: '200', last: '\r\n0\r\n\r\n' }), close };
  }
  const offer = `GET ${path} HTTP/1.1\r\n${lines([['Host', `127.0.0.1:${port}`], ...session.handshake])}\r\n`;
  await ask(socket, Buffer.from(offer), { status: '101', events: false, last: '\r\n\r\n' });
  const frame = encodeFrame({ opcode: 'text', payload: Buffer.from(session.message), mask: newMask() });
  return { turn: () => ask(socket, frame, { last: completed }), close };
}

/** What the first and the last event of an answer hold, however they are framed. */
const [created, completed] = ['"type":"response.created"', '"type":"response.completed"'];

type Answer = {
  /** The status it must have; undefined where it has no head. */
  readonly status?: string;
  /** Whether it consists of events, from the first to the last; it does unless told. */
  readonly events?: boolean;
  /** The text after which nothing more is awaited. */
  readonly last: string;
};

/**
 * Sends bytes and follows those that come back. Rejects for another answer, for one that is late, and when the
 * connection ends before; the connection is then of no more use.
 */
function ask(
  socket: Socket,
  bytes: Buffer,
  { status, events = true, last }: Answer,
): Promise<{ readonly first: number; readonly last: number }> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    let heard = '';
    let headed = status === undefined;
    let first: number | undefined;
    let whole = !events;
    const settle = () => {
      clearTimeout(late);
      socket.off('data', take).off('close', lost);
    };
    const fail = (reason: string) => {
      settle();
      socket.destroy();
      reject(new Error(reason));
    };
    const late = setTimeout(() => fail(`no whole answer within ${patience / 1000} s`), patience);
    const lost = () => fail('the connection ended before the answer did');
    const take = (chunk: Buffer) => {
      // What is looked for may lie across two chunks.
      heard = heard.slice(-2 * completed.length) + chunk.toString('latin1');
      if (!headed) {
        if (!heard.startsWith(`HTTP/1.1 ${status}`)) return fail(`answered ${heard.split('\r\n')[0]}`);
        headed = true;
      }
      if (!events || heard.includes(created)) first ??= performance.now();
      whole ||= heard.includes(completed);
      if (!whole || !heard.includes(last)) return;
      settle();
      if (first === undefined) return reject(new Error('an answer without its first event'));
      resolve({ first: first - started, last: performance.now() - started });
    };
    socket.on('data', take).once('close', lost);
    if (socket.destroyed) return lost();
    socket.write(bytes);
  });
}

function requestOf(session: Session & { transport: 'http' }, port: number, path: string): Buffer {
  const head = lines([
    ['Host', `127.0.0.1:${port}`],
    ...session.headers,
    ['content-length', String(session.body.length)],
  ]);
  return Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\n${head}\r\n`, 'latin1'), session.body]);
}

function lines(headers: HeaderList): string {
  return headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
}

function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99) };
}
