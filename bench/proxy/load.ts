import { connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { HeaderList } from '../../src/wire/headers.ts';
import { encodeFrame, newMask } from '../../src/wire/websocket-frame.ts';

/** The requests of one session, prepared before the measurement. */
export type LoadSession =
  | { readonly transport: 'websocket'; readonly handshake: HeaderList; readonly message: string }
  | { readonly transport: 'http'; readonly headers: HeaderList; readonly body: Buffer };

export type Load = {
  readonly port: number;
  /** The path of all requests. */
  readonly path: string;
  /** Concurrent sessions. Each sends one turn after the other. */
  readonly sessions: readonly LoadSession[];
  /** Called after the first turn of every session, which is not measured. */
  readonly onWarm: () => Promise<void>;
  /** Milliseconds in which turns start. Each session sends at least one turn, and every turn is completed. */
  readonly duration: number;
};

/** Times in milliseconds from the request to the first and the last byte of events. */
export type Measured = {
  readonly turns: number;
  readonly turnsPerSecond: number;
  readonly first: Spread;
  readonly last: Spread;
  /** Why turns failed, including unmeasured ones. A session ends with its first failure. */
  readonly failures: readonly string[];
  /** The load of the generator's only thread. Close to 1, the generator is the bottleneck. */
  readonly generatorBusy: number;
};
export type Spread = { readonly p50: number; readonly p99: number };

/** Milliseconds after which a turn fails. */
const turnTimeout = 30_000;

/** Sends turns over raw sockets. Searches each response for its end and parses nothing. */
export async function measure({ port, path, sessions, onWarm, duration }: Load): Promise<Measured> {
  const failures: string[] = [];
  const failed = (error: unknown) =>
    void failures.push(error instanceof Error ? error.message : String(error));
  const opened = await Promise.all(
    sessions.map(async (session) => {
      const connection = await openConnection(session, port, path).catch(failed);
      const turn = await connection?.turn().catch(failed);
      return turn === undefined ? undefined : connection;
    }),
  );
  const connections = opened.filter((connection) => connection !== undefined);
  await onWarm();
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

/** Opens a connection and upgrades it for a websocket. Rejects if the subject refuses or disconnects. */
export async function openConnection(session: LoadSession, port: number, path: string): Promise<Connection> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  // The close event reports all errors.
  socket.on('error', () => {});
  const close = () => socket.destroy();
  if (session.transport === 'http') {
    const request = requestOf(session, port, path);
    return { turn: () => exchange(socket, request, { status: '200', last: '\r\n0\r\n\r\n' }), close };
  }
  const offer = `GET ${path} HTTP/1.1\r\n${lines([['Host', `127.0.0.1:${port}`], ...session.handshake])}\r\n`;
  await exchange(socket, Buffer.from(offer), { status: '101', events: false, last: '\r\n\r\n' });
  const frame = encodeFrame({ opcode: 'text', payload: Buffer.from(session.message), mask: newMask() });
  return { turn: () => exchange(socket, frame, { last: completed }), close };
}

/** Text in the first and the last event of a response, with any framing. */
const [created, completed] = ['"type":"response.created"', '"type":"response.completed"'];

type ExpectedResponse = {
  /** The status; undefined if the response has no head. */
  readonly status?: string;
  /** Whether the response has events. Default: true. */
  readonly events?: boolean;
  /** The text at the end of the response. */
  readonly last: string;
};

/**
 * Sends bytes and waits for the response. Rejects and closes the connection after an unexpected response, a timeout, and
 * the end of the connection.
 */
function exchange(
  socket: Socket,
  bytes: Buffer,
  { status, events = true, last }: ExpectedResponse,
): Promise<{ readonly first: number; readonly last: number }> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    let received = '';
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
    const late = setTimeout(() => fail(`no complete response within ${turnTimeout / 1000} s`), turnTimeout);
    const lost = () => fail('the connection ended before the response');
    const take = (chunk: Buffer) => {
      // The text may be split across two chunks.
      received = received.slice(-2 * completed.length) + chunk.toString('latin1');
      if (!headed) {
        if (!received.startsWith(`HTTP/1.1 ${status}`))
          return fail(`unexpected response: ${received.split('\r\n')[0]}`);
        headed = true;
      }
      if (!events || received.includes(created)) first ??= performance.now();
      whole ||= received.includes(completed);
      if (!whole || !received.includes(last)) return;
      settle();
      if (first === undefined) return reject(new Error('the response has no first event'));
      resolve({ first: first - started, last: performance.now() - started });
    };
    socket.on('data', take).once('close', lost);
    if (socket.destroyed) return lost();
    socket.write(bytes);
  });
}

function requestOf(session: LoadSession & { transport: 'http' }, port: number, path: string): Buffer {
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
