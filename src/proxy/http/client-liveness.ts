import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Limits } from '../limits.ts';

/** Bytes of an empty pong from a client, and of the empty ping that it responds to. */
const pongLength = 6;
const pingLength = 2;

/**
 * Sends pings on a client's websocket. Ends it if nothing comes back for two of them, or, while data waits to be sent,
 * for `idle` milliseconds. Closes it when it was used for nothing else for `sessionIdle` milliseconds.
 */
export function watchClient(client: WebSocket, socket: Duplex, limits: Limits): void {
  if (!(socket instanceof Socket)) return;
  const { ping, idle, sessionIdle } = limits;
  let { bytesRead, bytesWritten } = socket;
  let heardAt = Date.now();
  let usedAt = heardAt;
  const timer = setInterval(() => {
    const now = Date.now();
    const read = socket.bytesRead - bytesRead;
    const written = socket.bytesWritten - bytesWritten;
    ({ bytesRead, bytesWritten } = socket);
    // A client that the proxy does not read from at present cannot be heard.
    if (read > 0 || client.isPaused) heardAt = now;
    if (read > pongLength || written > pingLength) usedAt = now;
    if (now - heardAt > (socket.writableLength > 0 ? idle : 2 * ping)) client.terminate();
    else if (now - usedAt > sessionIdle) client.close(1001, 'idle');
    else client.ping();
  }, ping).unref();
  client.once('close', () => clearInterval(timer));
}
