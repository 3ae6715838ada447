import { once } from 'node:events';
import type { Server } from 'node:net';
import { ParityError } from './errors.ts';

/**
 * Binds a server to 127.0.0.1, to the given port or any free one, and returns the port.
 * Throws ParityError `port-in-use`, or `usage` for what is no port; any other error as Node gives it.
 */
export async function listenLocally(server: Server, port = 0): Promise<number> {
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new ParityError(
      'usage',
      `a port must be a whole number up to 65535, and 0 takes any free one; this is ${port}`,
    );
  }
  server.listen(port, '127.0.0.1');
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
    throw error;
  }
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}
