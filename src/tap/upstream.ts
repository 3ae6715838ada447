import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { OpenSockets } from './open-sockets.ts';
import type { Leg } from './relay.ts';

/** Where to connect to; with `tls`, the certificate must be valid for `host`. */
export type Target = { readonly host: string; readonly port: number; readonly tls: boolean };

/** Connects to a target. Rejects with Node's own error when it cannot be reached, or its certificate not be verified. */
export async function connectUpstream({ host, port, tls }: Target, sockets: OpenSockets): Promise<Leg> {
  const tcp = sockets.add(connect({ host, port, allowHalfOpen: true, noDelay: true }));
  await ready(tcp, 'connect');
  if (!tls) return { stream: tcp, tcp };
  // Only HTTP/1.1 is offered, since it is all that the tap decodes.
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

/** Resolves at the event; rejects when the socket fails, or is closed, before it. */
export function ready(socket: Socket, event: 'connect' | 'secureConnect' | 'secure'): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once(event, () => resolve());
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the connection was closed before it was ready')));
  });
}
