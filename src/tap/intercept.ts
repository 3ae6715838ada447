import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { type SecureContext, TLSSocket } from 'node:tls';
import { offeredProtocols, parseClientHello } from '../wire/client-hello.ts';
import { closingResponse } from '../wire/closing-response.ts';
import { createServer } from '../wire/node-http.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import { connectionProblem, connectTcp, ready, secureUpstream } from './connect-upstream.ts';
import { firstTlsRecord } from './first-record.ts';
import { type Leg, relayBytes } from './relay-bytes.ts';
import {
  announceConnection,
  openTap,
  type Tap,
  type TapContext,
  type TapOptions,
  tapConnection,
} from './tap.ts';

/** The hosts that the official client contacts for models and sign-in. Connections to others are not decoded. */
export const interceptedHosts: readonly string[] = [
  'chatgpt.com',
  '*.chatgpt.com',
  'api.openai.com',
  'auth.openai.com',
];

export type InterceptingTapOptions = TapOptions & {
  /** Signs the certificates of intercepted hosts. The client must trust it. */
  readonly authority: CertificateAuthority;
  /** Host patterns to intercept (see matchesHost). Default: the hosts of the official client. */
  readonly hosts?: readonly string[];
  /** Where intercepted connections go: to the real hosts, verified, or all to one plain address. */
  readonly upstream:
    | { readonly kind: 'real' }
    | {
        readonly kind: 'fixed';
        readonly host: string;
        readonly port: number;
        readonly tls: false;
        /** Whether it serves HTTP/2 without TLS too, to clients that offer it. Absent: false. */
        readonly http2?: boolean;
      };
  /** May make the TLS handshake of a client fail. Returns whether it does. */
  readonly failHandshake?: (client: Socket) => boolean;
  /** Other hosts are tunnelled unchanged and unobserved (the default), or refused with 502 without connecting. */
  readonly onOtherHost?: 'tunnel' | 'refuse';
};

/** The host and port of a CONNECT request, without the brackets of an IPv6 address. */
type Destination = { readonly host: string; readonly port: number };

/**
 * Starts an HTTP CONNECT proxy on 127.0.0.1. It terminates TLS for the hosts it intercepts, with its own certificates,
 * and observes the traffic inside. Throws ParityError `port-in-use`.
 */
export async function startInterceptingTap(options: InterceptingTapOptions): Promise<Tap> {
  const server = createServer((_, response) => {
    response.writeHead(405, { 'content-type': 'text/plain', allow: 'CONNECT', connection: 'close' });
    response.end('This is the tap of codex-parity: an HTTPS proxy that accepts only CONNECT requests.\n');
  });
  const { tap, context } = await openTap(server, options);
  server.on('connect', (request: IncomingMessage, client: Socket, head: Buffer) => {
    // Bytes sent right after the request already belong to the tunnel.
    if (head.length > 0) client.unshift(head);
    void serveConnect(client, request.url ?? '', options, context);
  });
  return tap;
}

/** Serves one CONNECT request until its connection is closed. */
async function serveConnect(
  client: Socket,
  target: string,
  options: InterceptingTapOptions,
  context: TapContext,
): Promise<void> {
  const destination = parseDestination(target);
  if (destination === null) return refuse(client, 400, 'The target of a CONNECT must be host:port.');
  const { host } = destination;
  const intercepted = matchesHost(host, options.hosts ?? interceptedHosts);
  if (!intercepted && options.onOtherHost === 'refuse') {
    return refuse(client, 502, `${host} is not a host that this tap allows.`);
  }

  let backend: Socket;
  let secureContext: SecureContext | null;
  try {
    secureContext = intercepted ? await options.authority.contextFor(host) : null;
    backend = await connectTcp(upstreamOf(destination, intercepted, options), context.sockets);
  } catch (error) {
    const problem = connectionProblem(host, error);
    context.onProblem(problem);
    return refuse(client, 502, problem);
  }
  if (client.destroyed) {
    backend.destroy();
    return;
  }
  client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
  if (secureContext !== null && options.failHandshake?.(client) === true) {
    backend.destroy();
    return;
  }
  if (secureContext === null) {
    await relayBytes(
      { stream: client, tcp: client },
      { stream: backend, tcp: backend },
      unobserved,
      context.stop,
    );
  } else await intercept({ client, secureContext, backend, destination }, options, context);
}

const unobserved = { onData: () => {}, onFinished: () => {}, onCut: () => {} };

function upstreamOf(
  destination: Destination,
  intercepted: boolean,
  { upstream }: InterceptingTapOptions,
): Destination {
  return intercepted && upstream.kind === 'fixed' ? upstream : destination;
}

type Interception = {
  readonly client: Socket;
  readonly secureContext: SecureContext;
  /** Before its TLS, if it has any. */
  readonly backend: Socket;
  readonly destination: Destination;
};

/**
 * Terminates the client's TLS and taps the traffic inside. The client gets the ALPN protocol that the backend chose from
 * those that the client offers. A handshake that fails is observed as undecodable.
 */
async function intercept(
  { client, secureContext, backend, destination }: Interception,
  options: InterceptingTapOptions,
  context: TapContext,
): Promise<void> {
  const record = await firstTlsRecord(client);
  const hello = record === null ? undefined : await parseClientHello(record);
  let offered = record === null ? [] : await offeredProtocols(record);
  let upstream: TappedBackend;
  try {
    upstream = await agreeUpstream(backend, destination, offered, options, context);
  } catch (error) {
    context.onProblem(connectionProblem(destination.host, error));
    client.destroy();
    return;
  }
  const secure = context.sockets.add(
    new TLSSocket(client, {
      isServer: true,
      secureContext,
      ALPNCallback({ protocols }) {
        // A ClientHello in several records was not read before.
        offered = protocols;
        return protocols.includes(upstream.protocol) ? upstream.protocol : undefined;
      },
    }),
  );
  const failure = await ready(secure, 'secure').then(
    () => null,
    (error: Error) => error,
  );
  if (context.stop.aborted) return;
  const tls = {
    offered,
    chosen: secure.alpnProtocol || null,
    ...(hello === undefined ? {} : { hello }),
  };
  const connection = announceConnection(context, { authority: authorityOf(destination), tls });
  if (failure === null)
    return tapConnection(context, connection, { stream: secure, tcp: client }, upstream.leg);

  // OpenSSL's message contains memory addresses. Its code has the same meaning and is the same in every run.
  const cause = 'code' in failure ? failure.code : failure.message;
  const reason = `the client did not complete the TLS handshake: ${cause}`;
  context.onProblem(`${destination.host}: ${reason}. The client must trust the authority of codex-parity`);
  context.observe({ type: 'undecodable', connection, from: 'client', reason });
  context.observe({ type: 'end', connection, by: 'client' });
  client.destroy();
  upstream.leg.stream.destroy();
}

/** A backend, and the ALPN protocol that it speaks. */
type TappedBackend = { readonly leg: Leg; readonly protocol: Protocol };

/** The ALPN protocols that the tap decodes. */
type Protocol = 'h2' | 'http/1.1';

/** Agrees with the backend on a protocol that the client offers. Rejects when the certificate of the backend is invalid. */
async function agreeUpstream(
  tcp: Socket,
  { host }: Destination,
  offered: readonly string[],
  { upstream }: InterceptingTapOptions,
  { sockets }: TapContext,
): Promise<TappedBackend> {
  if (upstream.kind === 'fixed') {
    const isHttp2 = upstream.http2 === true && offered.includes('h2');
    return { leg: { stream: tcp, tcp }, protocol: isHttp2 ? 'h2' : 'http/1.1' };
  }
  const decoded = offered.filter((protocol) => protocol === 'h2' || protocol === 'http/1.1');
  const leg = await secureUpstream(tcp, host, decoded, sockets);
  return { leg, protocol: leg.stream.alpnProtocol === 'h2' ? 'h2' : 'http/1.1' };
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

/** The authority as a client writes it in a URL: without the default HTTPS port. */
function authorityOf({ host, port }: Destination): string {
  const name = host.includes(':') ? `[${host}]` : host;
  return port === 443 ? name : `${name}:${port}`;
}

/** True when a pattern matches the host, ignoring case. A leading `*.` matches one or more labels. */
export function matchesHost(host: string, patterns: readonly string[]): boolean {
  const lower = host.toLowerCase();
  return patterns.some((pattern) =>
    pattern.startsWith('*.')
      ? lower.endsWith(pattern.slice(1).toLowerCase())
      : lower === pattern.toLowerCase(),
  );
}
