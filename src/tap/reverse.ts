import { createServer, type Socket } from 'node:net';
import type { Observe } from '../trace/observation.ts';
import { connectUpstream, type Target } from './connect-upstream.ts';
import type { Leg } from './relay-bytes.ts';
import { openTap, type Tap, type TapContext } from './tap.ts';
import { announce, tapConnection } from './tap-connection.ts';

export type ReverseTapOptions = {
  /** Where every connection goes on to; with `tls`, verified against that host name. */
  readonly upstream: { readonly host: string; readonly port: number; readonly tls?: boolean };
  readonly observe: Observe;
  /** Any free port unless given. */
  readonly port?: number;
  /** What to record as the host the client meant to reach; the tap's own `127.0.0.1:PORT` unless given. */
  readonly authority?: string;
};

/**
 * Starts a plain listener on 127.0.0.1 that stands in front of one server, for a client that is pointed at it by URL.
 * A connection for which the server cannot be reached is recorded and ended. Throws ParityError `port-in-use`.
 */
export async function startReverseTap(options: ReverseTapOptions): Promise<Tap> {
  const server = createServer({ allowHalfOpen: true, noDelay: true });
  const { tap, context } = await openTap(server, options.observe, options.port);
  const { host, port, tls = false } = options.upstream;
  const authority = options.authority ?? `127.0.0.1:${tap.port}`;
  server.on('connection', (socket) => {
    const connection = announce(context, { authority, tls: null });
    void serve(socket, connection, { host, port, tls }, context);
  });
  return tap;
}

/** Serves one connection, until it is closed. */
async function serve(client: Socket, connection: number, target: Target, context: TapContext): Promise<void> {
  let backend: Leg;
  try {
    backend = await connectUpstream(target, context.sockets);
  } catch {
    context.observe({ type: 'end', connection, by: 'backend' });
    client.destroy();
    return;
  }
  await tapConnection(context, connection, { stream: client, tcp: client }, backend);
}
