import type { Server } from 'node:net';
import { listenLocally } from '../listening.ts';
import type { Observe } from '../trace/observation.ts';
import { OpenSockets } from './open-sockets.ts';

/** A tap that is listening. */
export type Tap = {
  readonly port: number;
  /** The base URL for clients: `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** Breaks off every connection. Resolves when all are closed. */
  close(): Promise<void>;
};

/** Shared by all connections of one tap. */
export type TapContext = {
  /** Must not throw. */
  readonly observe: Observe;
  /** Returns the next number, starting from 1. */
  readonly nextConnection: () => number;
  readonly nextExchange: () => number;
  /** All open sockets, of both sides. */
  readonly sockets: OpenSockets;
  /** Aborted when the tap closes. */
  readonly stop: AbortSignal;
};

/**
 * Listens on 127.0.0.1, on the given port or any free one, and tracks every connection of the server.
 * Throws ParityError `port-in-use`.
 */
export async function openTap(
  server: Server,
  observe: Observe,
  requestedPort?: number,
): Promise<{ tap: Tap; context: TapContext }> {
  const stop = new AbortController();
  const sockets = new OpenSockets();
  server.on('connection', (socket) => sockets.add(socket));
  const port = await listenLocally(server, requestedPort);
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
