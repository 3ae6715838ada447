import { once } from 'node:events';
import type { Server } from 'node:net';
import { ParityError } from './errors.ts';

/** Binds a server to 127.0.0.1, to the given port or any free one, and returns the port. Throws as `listenAt`. */
export function listenLocally(server: Server, port = 0): Promise<number> {
  return listenAt(server, port, '127.0.0.1');
}

/**
 * Binds a server to an address, to the given port or any free one, and returns the port.
 * Throws ParityError `port-in-use`, or `usage` for what is no port or no address of this machine; any other error as
 * Node gives it.
 */
export async function listenAt(server: Server, port: number, host: string): Promise<number> {
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new ParityError(
      'usage',
      `a port must be a whole number up to 65535, and 0 takes any free one; this is ${port}`,
    );
  }
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
      throw new ParityError(
        'port-in-use',
        `port ${port} is taken: choose another, or stop what listens there`,
        {
          cause: error,
        },
      );
    }
    if (
      error instanceof Error &&
      'code' in error &&
      /^(?:EADDRNOTAVAIL|ENOTFOUND|EAI_AGAIN)$/.test(`${error.code}`)
    ) {
      throw new ParityError('usage', `cannot listen on ${host}: it is no address of this machine`, {
        cause: error,
      });
    }
    throw error;
  }
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}
