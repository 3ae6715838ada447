import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { connectionError, wayOut } from './way-out.ts';

export type SecureOptions = {
  /** The ALPN protocols to offer. */
  readonly alpn: readonly string[];
  /** Milliseconds for a forward proxy to open a tunnel. */
  readonly tunnelTime: number;
  readonly signal: AbortSignal;
};

/**
 * Opens a TLS connection to the host of a URL, through a forward proxy if the environment names one. Resolves when the handshake is
 * complete: `alpnProtocol` has what the other side chose.
 */
export function openSecure(url: URL, { alpn, tunnelTime, signal }: SecureOptions): Promise<TLSSocket> {
  signal.throwIfAborted();
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const agent = wayOut(url, tunnelTime);
  return new Promise<TLSSocket>((resolve, reject) => {
    let first: Duplex | null | undefined;
    const settle = () => signal.removeEventListener('abort', abort);
    const fail = (error: Error, socket?: Duplex) => {
      settle();
      reject(connectionError(error));
      socket?.destroy();
      first?.destroy();
    };
    const abort = () => fail(signal.reason);
    const succeed = (socket: TLSSocket) => {
      settle();
      if (signal.aborted) socket.destroy();
      else resolve(socket);
    };
    signal.addEventListener('abort', abort, { once: true });
    // Node calls back if there is a tunnel. Otherwise it returns the connection.
    const onTunnel = (error: Error | null, socket?: Duplex) => {
      if (error === null && socket instanceof TLSSocket) succeed(socket);
      else fail(error ?? new Error(endedEarly), socket);
    };
    const options = {
      ...{ host, port: Number(url.port || 443), noDelay: true, keepAlive: true },
      ...{ timeout: tunnelTime, ALPNProtocols: [...alpn] },
      ...(isIP(host) === 0 ? { servername: host } : {}),
    };
    first = agent.createConnection(options, onTunnel);
    if (first instanceof TLSSocket && first.listenerCount('secureConnect') === 0) {
      // It is the connection itself. One to a forward proxy over TLS has Node's own listener.
      const socket = first;
      socket.once('secureConnect', () => succeed(socket));
    }
    first?.on('error', fail).once('close', () => fail(new Error(endedEarly)));
  });
}

const endedEarly = 'the connection ended before it was secure';
