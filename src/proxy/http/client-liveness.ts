import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Limits } from '../limits.ts';
import { everyTick } from './timeout.ts';

/** Bytes of an empty pong from a client, and of the empty ping that it responds to. */
const pongLength = 6;
const pingLength = 2;

export type WatchedClient = {
  readonly client: WebSocket;
  /** The raw socket below it. */
  readonly socket: Duplex;
  readonly limits: Limits;
  /** Whether the backend still owes it a response. */
  readonly isRunning: () => boolean;
};

/**
 * Sends pings on a client's websocket. Ends it if nothing comes back for two of them, or, while data waits to be sent,
 * for `idle` milliseconds. Closes it when it was used for nothing else for `sessionIdle` milliseconds.
 */
export function watchClient({ client, socket, limits, isRunning }: WatchedClient): void {
  if (!(socket instanceof Socket)) return;
  const { ping, idle, sessionIdle } = limits;
  let { bytesRead, bytesWritten } = socket;
  let unheard = 0;
  let unused = 0;
  const end = everyTick(ping, (elapsed) => {
    const read = socket.bytesRead - bytesRead;
    const written = socket.bytesWritten - bytesWritten;
    ({ bytesRead, bytesWritten } = socket);
    // A client that the proxy does not read from at present cannot be heard.
    unheard = read > 0 || client.isPaused ? 0 : unheard + elapsed;
    unused = read > pongLength || written > pingLength || isRunning() ? 0 : unused + elapsed;
    if (unheard > (socket.writableLength > 0 ? idle : 2 * ping)) client.terminate();
    else if (unused > sessionIdle) client.close(1001, 'idle');
    else client.ping();
  });
  client.once('close', end);
}
