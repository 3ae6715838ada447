import { createServer, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { type SecureContext, TLSSocket } from 'node:tls';
import type { Observe } from '../trace/observation.ts';
import { closingResponse } from '../wire/closing-response.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import { connectUpstream, ready, type Target } from './connect-upstream.ts';
import { interceptedHosts, matchesHost } from './host-patterns.ts';
import { type Leg, relayBytes } from './relay-bytes.ts';
import { openTap, type Tap, type TapContext } from './tap.ts';
import { announce, tapConnection } from './tap-connection.ts';

export type InterceptingTapOptions = {
  /** Signs for the hosts that are intercepted: the client must trust its certificate. */
  readonly authority: CertificateAuthority;
  /** Host patterns to intercept, see matchesHost; the hosts of the official client unless given. */
  readonly hosts?: readonly string[];
  /** What stands behind the tap: the real hosts, fully verified, or one plain address for all of them. */
  readonly upstream:
    | { readonly kind: 'real' }
    | { readonly kind: 'fixed'; readonly host: string; readonly port: number; readonly tls: false };
  /** Other hosts are tunnelled untouched and unobserved (the default), or answered 502 without reaching out. */
  readonly onOtherHost?: 'tunnel' | 'refuse';
  readonly observe: Observe;
  /** Any free port unless given. */
  readonly port?: number;
};

/** The host and port a CONNECT request names, without the brackets of an IPv6 address. */
type Destination = { readonly host: string; readonly port: number };

/**
 * Starts an HTTP CONNECT proxy on 127.0.0.1 that takes the place of the hosts it intercepts: it ends their TLS with a
 * certificate of its own and records what is said inside. Throws ParityError `port-in-use`.
 */
export async function startInterceptingTap(options: InterceptingTapOptions): Promise<Tap> {
  const server = createServer((_, response) => {
    response.writeHead(405, { 'content-type': 'text/plain', allow: 'CONNECT', connection: 'close' });
    response.end('This is the tap of codex-parity: an HTTPS proxy that takes CONNECT requests only.\n');
  });
  const { tap, context } = await openTap(server, options.observe, options.port);
  server.on('connect', (request: IncomingMessage, client: Socket, head: Buffer) => {
    // What the client sent right behind its request is the beginning of what it says through the proxy.
    if (head.length > 0) client.unshift(head);
    void serve(client, request.url ?? '', options, context);
  });
  return tap;
}

/** Serves one CONNECT request, until its connection is closed. */
async function serve(
  client: Socket,
  requested: string,
  options: InterceptingTapOptions,
  context: TapContext,
): Promise<void> {
  const destination = parseDestination(requested);
  if (destination === null) return refuse(client, 400, 'The target of a CONNECT must be host:port.');
  const { host } = destination;
  const intercepted = matchesHost(host, options.hosts ?? interceptedHosts);
  if (!intercepted && options.onOtherHost === 'refuse') {
    return refuse(client, 502, `${host} is not a host that this tap lets through.`);
  }

  let backend: Leg;
  let identity: SecureContext | null;
  try {
    identity = intercepted ? await options.authority.contextFor(host) : null;
    backend = await connectUpstream(upstreamOf(destination, intercepted, options), context.sockets);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return refuse(client, 502, `${host} cannot be reached: ${reason}`);
  }
  if (client.destroyed) {
    backend.stream.destroy();
    return;
  }
  client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
  if (identity === null) await relayBytes({ stream: client, tcp: client }, backend, unobserved, context.stop);
  else await intercept(client, identity, backend, destination, context);
}

const unobserved = { said: () => {}, finished: () => {}, cut: () => {} };

function upstreamOf(
  destination: Destination,
  intercepted: boolean,
  { upstream }: InterceptingTapOptions,
): Target {
  if (!intercepted) return { ...destination, tls: false };
  return upstream.kind === 'real' ? { ...destination, tls: true } : upstream;
}

/** Ends the client's TLS and taps what is inside. A client that does not complete it is told as undecodable. */
async function intercept(
  client: Socket,
  identity: SecureContext,
  backend: Leg,
  destination: Destination,
  context: TapContext,
): Promise<void> {
  let offered: readonly string[] = [];
  const secure = context.sockets.add(
    new TLSSocket(client, {
      isServer: true,
      secureContext: identity,
      ALPNCallback({ protocols }) {
        offered = protocols;
        return protocols.includes('http/1.1') ? 'http/1.1' : undefined;
      },
    }),
  );
  const failure = await ready(secure, 'secure').then(
    () => null,
    (error: Error) => error,
  );
  if (context.stop.aborted) return;
  const tls = { offered, chosen: secure.alpnProtocol || null };
  const connection = announce(context, { authority: authorityOf(destination), tls });
  if (failure === null) return tapConnection(context, connection, { stream: secure, tcp: client }, backend);

  // OpenSSL's message holds addresses of memory; its code says the same and is the same in every run.
  const cause = 'code' in failure ? failure.code : failure.message;
  const reason = `the client did not complete the TLS handshake: ${cause}`;
  context.observe({ type: 'undecodable', connection, from: 'client', reason });
  context.observe({ type: 'end', connection, by: 'client' });
  client.destroy();
  backend.stream.destroy();
}

function refuse(socket: Socket, status: number, text: string): void {
  socket.end(closingResponse({ status, headers: [['content-type', 'text/plain']], body: `${text}\n` }));
  socket.resume();
}

function parseDestination(target: string): Destination | null {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-f:.]+)\]|([^:[\]/]+)):(\d{1,5})$/i.exec(target) ?? [];
  const host = bracketed ?? plain;
  return host === undefined ? null : { host, port: Number(port) };
}

/** As a client would write it in a URL: without the port where it is the one of HTTPS. */
function authorityOf({ host, port }: Destination): string {
  const name = host.includes(':') ? `[${host}]` : host;
  return port === 443 ? name : `${name}:${port}`;
}
