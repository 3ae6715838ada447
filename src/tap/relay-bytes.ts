import type { Socket } from 'node:net';
import type { Transform } from 'node:stream';
import type { Side } from '../wire/message.ts';

/** One end of a tapped connection. */
export type Leg = {
  /** Where the plain bytes are read and written: the TCP socket itself, or TLS on top of it. */
  readonly stream: Socket;
  /** The TCP socket underneath. Only this one can send a reset. */
  readonly tcp: Socket;
  /** Changes the bytes that this end sent, on their way to the other one. */
  readonly through?: Transform;
};

/** Receives what passes through a relay. Called before the bytes are sent on, so that no response can arrive first. */
export type RelayListener = {
  /** Bytes that are on their way to the other side. The listener must not change them. */
  onData(side: Side, bytes: Buffer): void;
  /** A side sent its last byte. */
  onFinished(side: Side): void;
  /** A side reset the connection or closed it without an end, or the tap did (null). Called at most once. */
  onCut(by: Side | null): void;
};

/**
 * Passes bytes between two sockets, unchanged unless an end says otherwise. A slow reader slows the other side down, the end of one direction leaves
 * the other open, and a reset becomes a reset on the other side. Both sockets must allow half-open connections, and
 * nothing may have been read from them. Resolves when both are closed. `stop` breaks both off.
 */
export async function relayBytes(
  client: Leg,
  backend: Leg,
  listener: RelayListener,
  stop: AbortSignal,
): Promise<void> {
  let broken = false;
  const breakOff = (by: Side | null) => {
    if (broken) return;
    broken = true;
    listener.onCut(by);
    reset(client);
    reset(backend);
  };
  const onStop = () => breakOff(null);
  stop.addEventListener('abort', onStop);
  if (stop.aborted) onStop();
  await Promise.all([
    relayDirection('client', client, backend, listener, breakOff),
    relayDirection('backend', backend, client, listener, breakOff),
  ]);
  stop.removeEventListener('abort', onStop);
}

function relayDirection(
  side: Side,
  from: Leg,
  to: Leg,
  listener: RelayListener,
  breakOff: (by: Side) => void,
): Promise<void> {
  const { stream } = from;
  if (stream.destroyed) {
    breakOff(side);
    return Promise.resolve();
  }
  return new Promise((resolve) => {
    stream.on('data', (bytes: Buffer) => listener.onData(side, bytes));
    if (stream.readableEnded) listener.onFinished(side);
    else stream.on('end', () => listener.onFinished(side));
    // Failed writes are reported here too: a side that no longer takes bytes has broken off.
    stream.on('error', () => breakOff(side));
    stream.on('close', () => {
      if (!stream.readableEnded || !stream.writableFinished) breakOff(side);
      resolve();
    });
    if (from.through === undefined) stream.pipe(to.stream);
    else stream.pipe(from.through).pipe(to.stream);
  });
}

/** Ends a connection with a RST, as the other side did. */
function reset({ stream, tcp }: Leg): void {
  // After end(), resetAndDestroy would neither close the socket nor ever finish. Under TLS it leaves the shutdown
  // unfinished, and the process then loops when it exits (Node 24.21).
  if (!tcp.destroyed && !tcp.writableEnded && !stream.writableEnded) tcp.resetAndDestroy();
  stream.destroy();
}
