import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { Leg } from './relay-bytes.ts';
import type { OpenSockets } from './tap.ts';

/** An address to connect to. With `tls`, the certificate must be valid for `host`. */
export type UpstreamTarget = { readonly host: string; readonly port: number; readonly tls: boolean };

/**
 * Connects to a target. With TLS it offers one protocol by ALPN. Rejects with Node's own error when the target is unreachable or its
 * certificate is invalid.
 */
export async function connectUpstream(
  target: UpstreamTarget,
  sockets: OpenSockets,
  protocol: 'h2' | 'http/1.1' = 'http/1.1',
): Promise<Leg> {
  const tcp = await connectTcp(target, sockets);
  return target.tls ? secureUpstream(tcp, target.host, [protocol], sockets) : { stream: tcp, tcp };
}

/** Connects without TLS. Rejects with Node's own error when the target is unreachable. */
export async function connectTcp(
  { host, port }: Pick<UpstreamTarget, 'host' | 'port'>,
  sockets: OpenSockets,
): Promise<Socket> {
  const tcp = sockets.add(connect({ host, port, allowHalfOpen: true, noDelay: true }));
  await ready(tcp, 'connect');
  return tcp;
}

/** Begins TLS, and offers these ALPN protocols. Rejects with Node's own error when the certificate is invalid. */
export async function secureUpstream(
  tcp: Socket,
  host: string,
  protocols: readonly string[],
  sockets: OpenSockets,
): Promise<Leg & { readonly stream: TLSSocket }> {
  const servername = isIP(host) === 0 ? { servername: host } : {};
  const offers = protocols.length === 0 ? {} : { ALPNProtocols: [...protocols] };
  const stream = sockets.add(connectTls({ socket: tcp, host, ...offers, ...servername }));
  try {
    await ready(stream, 'secureConnect');
  } catch (error) {
    tcp.destroy();
    throw error;
  }
  return { stream, tcp };
}

/** Codes of errors about certificates, as Node and OpenSSL name them. */
const certificateCode =
  /^(?:ERR_TLS_CERT_|CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERROR_IN_CERT_|HOSTNAME_MISMATCH$|INVALID_|PATH_LENGTH_)/;

/** Why a connection to a host failed, in one line. */
export function connectionProblem(host: string, error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!certificateCode.test(code)) return `${host} cannot be reached: ${message || code}`;
  // Node appends advice about its own options.
  const [reason] = message.split(';');
  return (
    `the certificate of ${host} is not valid: ${reason} (${code}). ` +
    'If a proxy on the way has a certificate of its own, name that in NODE_EXTRA_CA_CERTS'
  );
}

/**
 * Resolves after the event. Rejects when the socket fails or closes before it. Resolution is deferred with
 * setImmediate: Node emits the end of a TLS handshake from within OpenSSL, and destroying the socket there crashes the
 * process (SIGSEGV in SSL_read, Node 24.21).
 */
export function ready(socket: Socket, event: 'connect' | 'secureConnect' | 'secure'): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      socket.off(event, succeed).off('error', fail).off('end', end).off('close', end);
      act();
    };
    const succeed = () => settle(() => setImmediate(resolve));
    const fail = (error: Error) => settle(() => reject(error));
    const end = () => fail(new Error('the connection ended before it was ready'));
    socket.on(event, succeed).on('error', fail).on('end', end).on('close', end);
  });
}
