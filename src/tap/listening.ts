import { once } from 'node:events';
import type { Server } from 'node:net';
import { ParityError } from '../errors.ts';

/**
 * Binds a server to 127.0.0.1, to the given port or any free one, and returns the port.
 * Throws ParityError `port-in-use`; any other error as Node gives it.
 */
export async function listenLocally(server: Server, port = 0): Promise<number> {
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
