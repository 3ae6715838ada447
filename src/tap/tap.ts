import type { Server } from 'node:net';
import { listenLocally } from '../listening.ts';
import type { Observe } from '../trace/observation.ts';
import { OpenSockets } from './open-sockets.ts';

/** A tap that is listening. */
export type Tap = {
  readonly port: number;
  /** What to point a client at: `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** Breaks every connection off and resolves when nothing is open any more. */
  close(): Promise<void>;
};

/** What all connections of one tap share. */
export type TapContext = {
  /** Must not throw. */
  readonly observe: Observe;
  /** The next number, from 1. */
  readonly nextConnection: () => number;
  readonly nextExchange: () => number;
  /** Everything that is open, of both sides. */
  readonly sockets: OpenSockets;
  /** Aborted when the tap closes. */
  readonly stop: AbortSignal;
};

/**
 * Listens on 127.0.0.1, on the given port or any free one, and takes every connection of the server into account.
 * Throws ParityError `port-in-use`.
 */
export async function openTap(
  server: Server,
  observe: Observe,
  wantedPort?: number,
): Promise<{ tap: Tap; context: TapContext }> {
  const stop = new AbortController();
  const sockets = new OpenSockets();
  server.on('connection', (socket) => sockets.add(socket));
  const port = await listenLocally(server, wantedPort);
  const tap = {
    port,
    url: `http://127.0.0.1:${port}`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      stop.abort();
      await sockets.destroyAll();
      await closed;
    },
  };
  const context = { observe, nextConnection: counter(), nextExchange: counter(), sockets, stop: stop.signal };
  return { tap, context };
}

function counter(): () => number {
  let last = 0;
  return () => {
    last += 1;
    return last;
  };
}
