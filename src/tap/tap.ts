import { once } from 'node:events';
import type { Server, Socket } from 'node:net';
import { listenLocally } from '../listening.ts';
import type { Observe } from '../trace/observation.ts';
import type { ConnectionEvent } from '../trace/trace-event.ts';
import { ConnectionDecoder } from './connection-decoder.ts';
import { type Leg, type RelayListener, relayBytes } from './relay-bytes.ts';

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
  readonly onProblem: (problem: string) => void;
  readonly listen: ((connection: number) => RelayListener) | undefined;
  /** Returns the next number, starting from 1. */
  readonly nextConnection: () => number;
  readonly nextExchange: () => number;
  /** All open sockets, of both sides. */
  readonly sockets: OpenSockets;
  /** Aborted when the tap closes. */
  readonly stop: AbortSignal;
};

export type TapOptions = {
  /** Must not throw. */
  readonly observe: Observe;
  /** Gets a sentence for each connection that could not be made: to the upstream, or with the client's TLS. */
  readonly onProblem?: (problem: string) => void;
  /** Default: any free port. */
  readonly port?: number;
  /** Receives the bytes of a connection, instead of a decoder that observes what they carry. Must not throw. */
  readonly listen?: (connection: number) => RelayListener;
};

/**
 * Listens on 127.0.0.1 and tracks every connection of the server. Throws ParityError `port-in-use`.
 */
export async function openTap(
  server: Server,
  { observe, onProblem = () => {}, port: requestedPort, listen }: TapOptions,
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
  const numbers = { nextConnection: counter(), nextExchange: counter() };
  return { tap, context: { observe, onProblem, listen, ...numbers, sockets, stop: stop.signal } };
}

function counter(): () => number {
  let last = 0;
  return () => ++last;
}

/** Numbers a new connection, observes it, and returns the number. */
export function announceConnection(
  context: TapContext,
  facts: Omit<ConnectionEvent, 'type' | 'connection'>,
): number {
  const connection = context.nextConnection();
  context.observe({ type: 'connection', connection, ...facts });
  return connection;
}

/** Relays bytes between the two sides of a connection and observes what they carry. Resolves when both are closed. */
export async function tapConnection(
  context: TapContext,
  connection: number,
  client: Leg,
  backend: Leg,
): Promise<void> {
  const listener = context.listen?.(connection) ?? new ConnectionDecoder({ connection, ...context });
  await relayBytes(client, backend, listener, context.stop);
}

/** The sockets of a tap, so that closing it leaves none behind. */
export class OpenSockets {
  readonly #sockets = new Set<Socket>();
  #closed = false;

  /** Tracks a socket and returns it. Destroys it at once when the tap is already closed. */
  add<S extends Socket>(socket: S): S {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    // Users of the socket react to its close. Without a listener an error would end the process.
    socket.on('error', () => {});
    if (this.#closed) socket.destroy();
    return socket;
  }

  /** Destroys all sockets, and any added later. Resolves when all are closed. */
  async destroyAll(): Promise<void> {
    this.#closed = true;
    const open = [...this.#sockets].filter((socket) => !socket.closed);
    await Promise.all(
      open.map((socket) => {
        const closed = once(socket, 'close');
        socket.destroy();
        return closed;
      }),
    );
  }
}
