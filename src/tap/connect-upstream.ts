import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Leg } from './relay-bytes.ts';
import type { OpenSockets } from './tap.ts';

/** An address to connect to. With `tls`, the certificate must be valid for `host`. */
export type UpstreamTarget = { readonly host: string; readonly port: number; readonly tls: boolean };

/**
 * Connects to a target. Rejects with Node's own error when the target is unreachable or its certificate is invalid.
 */
export async function connectUpstream(
  { host, port, tls }: UpstreamTarget,
  sockets: OpenSockets,
): Promise<Leg> {
  const tcp = sockets.add(connect({ host, port, allowHalfOpen: true, noDelay: true }));
  await ready(tcp, 'connect');
  if (!tls) return { stream: tcp, tcp };
  // The tap decodes only HTTP/1.1, so it offers nothing else.
  const servername = isIP(host) === 0 ? { servername: host } : {};
  const stream = sockets.add(connectTls({ socket: tcp, host, ALPNProtocols: ['http/1.1'], ...servername }));
  try {
    await ready(stream, 'secureConnect');
  } catch (error) {
    tcp.destroy();
    throw error;
  }
  return { stream, tcp };
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
