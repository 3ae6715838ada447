import type { Duplex } from 'node:stream';
import { type RawData, WebSocket } from 'ws';
import { isLast } from './response-stream.ts';

/** Above this many bytes waiting to be sent, the other side is not read from. */
const highWater = 1024 * 1024;

/**
 * Joins a client's websocket and the backend's: requests go up as `shape` makes them, where it makes anything of
 * them; events come down untouched; closes and lost connections are passed on. `said` is what the client said before
 * the backend was there; `onTurn` hears whether a response is on its way. `socket` is what the client's websocket
 * runs over.
 */
export function relay(
  client: WebSocket,
  socket: Duplex,
  backend: WebSocket,
  shape: (heard: string) => string | undefined,
  said: readonly Buffer[],
  onTurn: (running: boolean) => void = () => {},
): void {
  const running = once(onTurn);
  const shaped = (data: Buffer) => {
    running(true);
    return shape(data.toString('utf8')) ?? data;
  };
  for (const message of said) backend.send(shaped(message), { binary: false });
  forward(client, backend, shaped);
  forward(backend, client, (data) => {
    gather(socket);
    if (isLastEvent(data)) running(false);
    return data;
  });
  // The official client ends its connections without a close message (measured: codex 0.169.0).
  client.once('close', () => {
    running(false);
    backend.terminate();
  });
  backend.once('close', (code, reason) => {
    if (code === 1006) client.terminate();
    // A close without a code is told by a number that no message may have.
    else if (code === 1005) client.close();
    else client.close(code, reason);
  });
  client.on('error', () => backend.terminate());
  backend.on('error', () => client.terminate());
  client.resume();
  backend.resume();
}

/** Whether a message ends a response, told by its first bytes: no event is parsed on its way. */
function isLastEvent(data: Buffer): boolean {
  // Nearly all are of no such type by their first letter.
  if (data[9] === letter('r') && !firstOfLast.has(data[18] ?? 0)) return false;
  return isLast(/^\{"type":"([\w.]+)"/.exec(data.toString('latin1', 0, 64))?.[1] ?? '');
}

const letter = (text: string) => text.charCodeAt(0);

/** After `{"type":"response.`: completed, incomplete, failed. */
const firstOfLast: ReadonlySet<number> = new Set(['c', 'i', 'f'].map(letter));

/** Passes on what changed alone. */
function once(tell: (value: boolean) => void): (value: boolean) => void {
  let last = false;
  return (value) => {
    if (value !== last) tell(value);
    last = value;
  };
}

function forward(from: WebSocket, to: WebSocket, change: (data: Buffer) => Buffer | string): void {
  from.on('message', (raw: RawData, binary: boolean) => {
    const data = toBuffer(raw);
    if (to.readyState !== WebSocket.OPEN) return;
    to.send(binary ? data : change(data), { binary }, () => {
      if (to.bufferedAmount < highWater && from.isPaused) from.resume();
    });
    if (to.bufferedAmount >= highWater) from.pause();
  });
}

/** What is written in one tick goes out at its end, together, after this was called. */
export function gather(socket: Duplex): void {
  if (socket.writableCorked > 0) return;
  socket.cork();
  process.nextTick(() => socket.uncork());
}

/** Whatever form the library gives a message in, as one buffer. */
export function toBuffer(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}
