import { createServer } from 'node:net';
import { beginsHttp2 } from '../wire/http2-frame.ts';
import { peek } from '../wire/peek.ts';
import { connectionProblem, connectUpstream, type UpstreamTarget } from './connect-upstream.ts';
import { HostRewriter } from './host-rewriter.ts';
import type { Leg } from './relay-bytes.ts';
import {
  announceConnection,
  openTap,
  type Tap,
  type TapContext,
  type TapOptions,
  tapConnection,
} from './tap.ts';

type ReverseTapOptions = TapOptions & {
  /** The server that connections are passed on to. With `tls`, its certificate must be valid for `host`. */
  readonly upstream: {
    readonly host: string;
    readonly port: number;
    readonly tls?: boolean;
    /** With `tls`, whether it chooses HTTP/2, for clients that begin with it. Absent: false. */
    readonly http2?: boolean;
  };
  /** The host to record as the client's destination. Default: the tap's own `127.0.0.1:PORT`. */
  readonly authority?: string;
  /**
   * The value of Host to send upstream, for clients that take the tap for the server: a server that serves several hosts
   * refuses another name. Requests are observed as the client sent them. Default: what the client sent.
   */
  readonly host?: string;
};

/**
 * Starts a plain listener on 127.0.0.1 in front of one server, for clients that take its URL. When the server cannot be
 * reached, the connection is recorded and closed. Throws ParityError `port-in-use`.
 */
export async function startReverseTap(options: ReverseTapOptions): Promise<Tap> {
  const server = createServer({ allowHalfOpen: true, noDelay: true });
  const { tap, context } = await openTap(server, options);
  const { host, port, tls = false, http2 = false } = options.upstream;
  const through = () => (options.host === undefined ? {} : { through: new HostRewriter(options.host) });
  const authority = options.authority ?? `127.0.0.1:${tap.port}`;
  server.on('connection', (socket) => {
    const connection = announceConnection(context, { authority, tls: null });
    void serveConnection(
      { stream: socket, tcp: socket, ...through() },
      connection,
      { host, port, tls, http2 },
      context,
    );
  });
  return tap;
}

/** Serves one connection until it is closed. */
async function serveConnection(
  client: Leg,
  connection: number,
  { http2, ...target }: UpstreamTarget & { readonly http2: boolean },
  context: TapContext,
): Promise<void> {
  let backend: Leg;
  try {
    const isHttp2 = http2 && beginsHttp2(await peek(client.tcp, (bytes) => beginsHttp2(bytes) !== undefined));
    backend = await connectUpstream(target, context.sockets, isHttp2 ? 'h2' : 'http/1.1');
  } catch (error) {
    context.onProblem(connectionProblem(target.host, error));
    context.observe({ type: 'end', connection, by: 'backend' });
    client.stream.destroy();
    return;
  }
  await tapConnection(context, connection, client, backend);
}
