import { type RawData, WebSocket } from 'ws';
import { ApiError } from '../http/errors.ts';
import { FrameWriter, toBuffer } from '../http/frame-writer.ts';
import { isLastEvent } from '../http/upstream-events.ts';
import type { UpgradeContext } from '../request-context.ts';
import { rawString, requestMembers } from '../shape/raw-json.ts';
import type { RequestShaper } from '../shape/request-shaper.ts';

/** While more bytes than this wait to be sent to one side, the other side is paused. */
const highWater = 1024 * 1024;

export type JoinedWebSockets = {
  readonly client: WebSocket;
  readonly backend: WebSocket;
  /** The client's messages that came before the backend was connected. */
  readonly waiting: readonly Buffer[];
};

/**
 * Joins a client's websocket and the backend's. Requests go upstream in the golden's shape, events go downstream
 * unchanged, and closes and lost connections are passed on in both directions.
 */
export function joinWebSockets(
  { socket, metrics, signal }: UpgradeContext,
  shaper: RequestShaper,
  { client, backend, waiting }: JoinedWebSockets,
): void {
  let running = false;
  const setRunning = (value: boolean) => {
    if (value !== running) metrics.add('running_turns', value ? 1 : -1);
    running = value;
  };
  const shaped = (data: Buffer) => {
    const members = requestMembers(data.toString('utf8'));
    // `response.interrupt` (since 0.166) steers a running turn. It is not a request, so forward it unchanged.
    if (members === undefined || rawString(members, 'type') !== 'response.create') return data;
    setRunning(true);
    return shaper.body(members).text;
  };
  for (const message of waiting) backend.send(shaped(message), { binary: false });
  sendUp(client, backend, shaped);
  const frames = new FrameWriter(socket);
  backend.on('message', (raw: RawData, binary: boolean) => {
    const data = toBuffer(raw);
    if (endsResponse(data)) setRunning(false);
    if (client.readyState !== WebSocket.OPEN) return;
    frames.send(binary ? 'binary' : 'text', data);
    if (!frames.full || backend.isPaused) return;
    backend.pause();
    void frames.drained().then(() => backend.resume());
  });
  backend.on('ping', (data: Buffer) => {
    if (client.readyState !== WebSocket.OPEN) return;
    frames.flush();
    client.ping(data);
  });
  // The official client ends its connections without a close message (measured: codex 0.169.0).
  client.once('close', () => {
    setRunning(false);
    backend.terminate();
  });
  signal.addEventListener('abort', () => {
    // The proxy stops. A client that has left is not open any more.
    if (!running || !(signal.reason instanceof ApiError) || client.readyState !== WebSocket.OPEN) return;
    frames.flush();
    client.send(signal.reason.event);
    client.close(1012);
    setRunning(false);
  });
  backend.once('close', (code, reason) => {
    if (client.readyState !== WebSocket.OPEN) return;
    frames.flush();
    if (code === 1006) client.terminate();
    // 1005 stands for a close without a code. No close message may contain it.
    else if (code === 1005) client.close();
    else client.close(code, reason);
  });
  client.on('error', () => backend.terminate());
  backend.on('error', () => client.terminate());
  client.resume();
  backend.resume();
}

/** Sends the client's messages upstream. The client is paused while too many bytes wait. */
function sendUp(client: WebSocket, backend: WebSocket, shaped: (data: Buffer) => Buffer | string): void {
  client.on('message', (raw: RawData, binary: boolean) => {
    const data = toBuffer(raw);
    if (backend.readyState !== WebSocket.OPEN) return;
    backend.send(binary ? data : shaped(data), { binary }, () => {
      if (backend.bufferedAmount < highWater && client.isPaused) client.resume();
    });
    if (backend.bufferedAmount >= highWater) client.pause();
  });
}

/** Whether a message is the last event of a response. Reads only its first bytes: no event is parsed on its way. */
function endsResponse(data: Buffer): boolean {
  // Nearly all events can be excluded by one letter of their type.
  if (data[9] === letter('r') && !lastEventLetters.has(data[18] ?? 0)) return false;
  return isLastEvent(/^\{"type":"([\w.]+)"/.exec(data.toString('latin1', 0, 64))?.[1] ?? '');
}

const letter = (text: string) => text.charCodeAt(0);

/** First letters after `{"type":"response.`: completed, incomplete, failed. */
const lastEventLetters: ReadonlySet<number> = new Set(['c', 'i', 'f'].map(letter));
