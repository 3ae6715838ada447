import type { Socket } from 'node:net';
import type { Side } from '../wire/message.ts';

/** One end of a tapped connection. */
export type Leg = {
  /** Where the plain bytes are read and written: the TCP socket itself, or TLS on top of it. */
  readonly stream: Socket;
  /** The TCP socket underneath: only that can send a reset. */
  readonly tcp: Socket;
};

/** What the relay tells while it passes bytes on; told before the bytes go, so that no answer can come first. */
export type RelayListener = {
  /** The bytes are on their way to the other side: they must not be changed. */
  said(side: Side, bytes: Buffer): void;
  /** A side has said its last byte. */
  finished(side: Side): void;
  /** A side reset the connection or broke it off without an end, or the tap did (null). Told once. */
  cut(by: Side | null): void;
};

/**
 * Passes bytes between two sockets, unchanged: a side that is slow to read slows the other down, the end of one
 * direction leaves the other one open, a reset is a reset on the other side. Both sockets must allow half-open
 * connections and have nothing read from them. Resolves when both are closed; `stop` breaks both off.
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
    listener.cut(by);
    reset(client);
    reset(backend);
  };
  const stopped = () => breakOff(null);
  stop.addEventListener('abort', stopped);
  if (stop.aborted) stopped();
  await Promise.all([
    passOn('client', client, backend, listener, breakOff),
    passOn('backend', backend, client, listener, breakOff),
  ]);
  stop.removeEventListener('abort', stopped);
}

function passOn(
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
    stream.on('data', (bytes: Buffer) => listener.said(side, bytes));
    if (stream.readableEnded) listener.finished(side);
    else stream.on('end', () => listener.finished(side));
    // A write that fails is reported here too: a side that no longer takes bytes has broken off.
    stream.on('error', () => breakOff(side));
    stream.on('close', () => {
      if (!stream.readableEnded || !stream.writableFinished) breakOff(side);
      resolve();
    });
    stream.pipe(to.stream);
  });
}

/** Ends a connection with a RST, as the other side did. */
function reset({ stream, tcp }: Leg): void {
  // A socket that is saying its last word cannot be reset any more: Node would neither close it nor ever end.
  if (!tcp.destroyed && !tcp.writableEnded) tcp.resetAndDestroy();
  stream.destroy();
}
