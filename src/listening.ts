import { once } from 'node:events';
import type { Server } from 'node:net';
import { ParityError } from './errors.ts';

/** Binds a server to 127.0.0.1 and a port; 0 is any free one. Returns the port. Throws like `listenAt`. */
export function listenLocally(server: Server, port = 0): Promise<number> {
  return listenAt(server, port, '127.0.0.1');
}

/**
 * Binds a server to an address and a port; 0 is any free one. Returns the port. Throws ParityError `port-in-use`, or
 * `usage` for an invalid port or an address of another machine. Passes on other errors of Node.
 */
export async function listenAt(server: Server, port: number, host: string): Promise<number> {
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new ParityError(
      'usage',
      `${port} is not a port: use a whole number up to 65535; 0 is any free port`,
    );
  }
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code === 'EADDRINUSE') {
      const message = `port ${port} is in use: choose another one, or stop the program that uses it`;
      throw new ParityError('port-in-use', message, { cause: error });
    }
    if (/^(?:EADDRNOTAVAIL|ENOTFOUND|EAI_AGAIN)$/.test(code)) {
      const message = `cannot listen on ${host}: it is not an address of this machine`;
      throw new ParityError('usage', message, { cause: error });
    }
    throw error;
  }
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}
