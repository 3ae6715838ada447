import { createServer, type Socket } from 'node:net';
import type { Observe } from '../trace/observation.ts';
import { connectUpstream, type UpstreamTarget } from './connect-upstream.ts';
import type { Leg } from './relay-bytes.ts';
import { announceConnection, openTap, type Tap, type TapContext, tapConnection } from './tap.ts';

type ReverseTapOptions = {
  /** The server that connections are passed on to. With `tls`, its certificate must be valid for `host`. */
  readonly upstream: { readonly host: string; readonly port: number; readonly tls?: boolean };
  readonly observe: Observe;
  /** Default: any free port. */
  readonly port?: number;
  /** The host to record as the client's destination. Default: the tap's own `127.0.0.1:PORT`. */
  readonly authority?: string;
};

/**
 * Starts a plain listener on 127.0.0.1 in front of one server, for clients that take its URL. When the server cannot be
 * reached, the connection is recorded and closed. Throws ParityError `port-in-use`.
 */
export async function startReverseTap(options: ReverseTapOptions): Promise<Tap> {
  const server = createServer({ allowHalfOpen: true, noDelay: true });
  const { tap, context } = await openTap(server, options.observe, options.port);
  const { host, port, tls = false } = options.upstream;
  const authority = options.authority ?? `127.0.0.1:${tap.port}`;
  server.on('connection', (socket) => {
    const connection = announceConnection(context, { authority, tls: null });
    void serveConnection(socket, connection, { host, port, tls }, context);
  });
  return tap;
}

/** Serves one connection until it is closed. */
async function serveConnection(
  client: Socket,
  connection: number,
  target: UpstreamTarget,
  context: TapContext,
): Promise<void> {
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
