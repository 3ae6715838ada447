import type { Duplex } from 'node:stream';
import { type RawData, WebSocket } from 'ws';
import { FrameWriter } from '../http/frame-writer.ts';
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
    const request = shape(data.toString('utf8'));
    if (request !== undefined) running(true);
    return request ?? data;
  };
  for (const message of said) backend.send(shaped(message), { binary: false });
  up(client, backend, shaped);
  const frames = new FrameWriter(socket);
  backend.on('message', (raw: RawData, binary: boolean) => {
    const data = toBuffer(raw);
    if (isLastEvent(data)) running(false);
    if (client.readyState !== WebSocket.OPEN) return;
    frames.send(binary ? 'binary' : 'text', data);
    if (!frames.full || backend.isPaused) return;
    backend.pause();
    void frames.drained().then(() => backend.resume());
  });
  // The official client ends its connections without a close message (measured: codex 0.169.0).
  client.once('close', () => {
    running(false);
    backend.terminate();
  });
  backend.once('close', (code, reason) => {
    frames.flush();
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

/** Requests on their way up; the client is not read from while they wait. */
function up(client: WebSocket, backend: WebSocket, shaped: (data: Buffer) => Buffer | string): void {
  client.on('message', (raw: RawData, binary: boolean) => {
    const data = toBuffer(raw);
    if (backend.readyState !== WebSocket.OPEN) return;
    backend.send(binary ? data : shaped(data), { binary }, () => {
      if (backend.bufferedAmount < highWater && client.isPaused) client.resume();
    });
    if (backend.bufferedAmount >= highWater) client.pause();
  });
}

/** Whatever form the library gives a message in, as one buffer. */
export function toBuffer(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}
