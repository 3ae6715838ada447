import { type RawData, WebSocket } from 'ws';
import { ApiError } from '../http/errors.ts';
import { FrameWriter, toBuffer } from '../http/frame-writer.ts';
import { isMessageTooBig, messageTooBig } from '../http/message-too-big.ts';
import type { UpgradeContext } from '../request-context.ts';
import type { Identity } from '../shape/identity.ts';
import { printMembers, rawMember, rawString, requestMembers } from '../shape/raw-json.ts';
import type { RequestShaper } from '../shape/request-shaper.ts';
import { stoppingCode, whenStopping } from '../stopping.ts';
import { lastEventOf, mayBeLastEvent } from './last-event.ts';
import { type RelayedAccount, reportEvent } from './relayed-account.ts';
import { useHttp } from './use-http.ts';

/** While more bytes than this wait to be sent to one side, the other side is paused. */
const highWater = 1024 * 1024;

/** An upgrade of an official client, and what shapes its requests. */
export type RelayedUpgrade = {
  readonly context: UpgradeContext;
  readonly identity: Identity;
  readonly shaper: RequestShaper;
};

export type JoinedWebSockets = {
  readonly client: WebSocket;
  readonly backend: WebSocket;
  readonly account: RelayedAccount;
  /** The client's messages that came before the backend was connected. */
  readonly waiting: readonly Buffer[];
};

/**
 * Joins a client's websocket and the backend's. Requests go upstream in the golden's shape, events go downstream
 * unchanged, and closes and lost connections are passed on in both directions.
 */
export function joinWebSockets(
  { context, identity, shaper }: RelayedUpgrade,
  { client, backend, account, waiting }: JoinedWebSockets,
): void {
  const { socket, countRunning, signal, limits, heldBytes } = context;
  let running = false;
  let isPrewarm = false;
  const setRunning = (value: boolean) => {
    if (value !== running) countRunning(value ? 1 : -1);
    running = value;
  };
  const shaped = (data: Buffer) => {
    const members = requestMembers(data.toString('utf8'));
    // `response.interrupt` (since 0.166) steers a running turn. It is not a request, so forward it unchanged.
    if (members === undefined || rawString(members, 'type') !== 'response.create') return data;
    setRunning(true);
    isPrewarm = rawMember(members, 'generate') !== undefined;
    return printMembers(shaper.body(members).members);
  };
  const frames = new FrameWriter(socket);
  const forward = (data: Buffer, binary: boolean, onSent?: () => void) => {
    const forget = heldBytes.complete();
    if (backend.readyState !== WebSocket.OPEN) return forget();
    const message = binary ? data : shaped(data);
    if (Buffer.byteLength(message) < limits.messageBytes) {
      return backend.send(message, { binary }, () => {
        forget();
        onSent?.();
      });
    }
    forget();
    // The client connects again, and then learns to use HTTP. After 1009 alone it would try six times (measured: codex
    // 0.118.0 and 0.169.0; 0.171.0 uses HTTP then).
    useHttp(context, identity);
    frames.flush();
    client.close(messageTooBig);
    backend.terminate();
  };
  const closeIdle = () => {
    if (!context.stopping.aborted || running || client.readyState !== WebSocket.OPEN) return;
    frames.flush();
    client.close(stoppingCode);
  };
  for (const message of waiting) forward(message, false);
  whenStopping(context, closeIdle);
  client.on('message', (raw: RawData, binary: boolean) => {
    forward(toBuffer(raw), binary, () => {
      if (backend.bufferedAmount < highWater && client.isPaused) client.resume();
    });
    if (backend.bufferedAmount >= highWater) client.pause();
  });
  backend.on('message', (raw: RawData, binary: boolean) => {
    const data = toBuffer(raw);
    const last = mayBeLastEvent(data, 0, data.length)
      ? lastEventOf(data.toString('latin1', 0, 64))
      : undefined;
    if (last !== undefined) setRunning(false);
    if (client.readyState !== WebSocket.OPEN) return;
    frames.send(binary ? 'binary' : 'text', data);
    const isFailure = last === 'error' || last === 'response.failed';
    // A prewarm that succeeds says nothing about the account.
    const isReported = account.signIns.hasSeveral && last !== undefined && (isFailure || !isPrewarm);
    if (isReported && reportEvent(account, last, data.toString('utf8'))) {
      // The next request goes to another account, so it needs another connection.
      frames.flush();
      client.close(1000);
      backend.terminate();
      return;
    }
    if (last !== undefined) closeIdle();
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
    client.close(stoppingCode);
    setRunning(false);
  });
  backend.once('close', (code, reason) => {
    if (code === messageTooBig) useHttp(context, identity);
    if (client.readyState !== WebSocket.OPEN) return;
    frames.flush();
    if (code === 1006) client.terminate();
    // 1005 stands for a close without a code. No close message may contain it.
    else if (code === 1005) client.close();
    else client.close(code, reason);
  });
  client.on('error', (error) => {
    if (isMessageTooBig(error)) useHttp(context, identity);
    backend.terminate();
  });
  backend.on('error', () => client.terminate());
  client.resume();
  backend.resume();
}
