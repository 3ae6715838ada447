import type { Server, Socket } from 'node:net';
import type { Fault } from '../fault/fault.ts';
import { type FaultRelay, startFaultRelay } from '../fault/relay.ts';
import { listenLocally } from '../listening.ts';

type ListeningOptions = {
  /** TCP port on 127.0.0.1; 0 uses a free one. */
  readonly port: number;
  readonly faults: readonly Fault[];
  readonly vary: number | undefined;
};

/**
 * Binds a backend to a port on loopback; with faults or a variation, behind a relay that makes them. `close` ends every
 * connection. Throws ParityError `port-in-use`.
 */
export async function listenWithFaults(
  server: Server,
  { port, faults, vary }: ListeningOptions,
): Promise<Pick<FaultRelay, 'port' | 'left' | 'failHandshake' | 'close'>> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const closeServer = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  if (faults.length === 0 && vary === undefined)
    return {
      port: await listenLocally(server, port),
      left: () => [],
      failHandshake: () => false,
      close: closeServer,
    };
  const upstream = { host: '127.0.0.1', port: await listenLocally(server) };
  try {
    const relay = await startFaultRelay({ upstream, port, side: 'backend', faults, vary });
    const close = async () => {
      await relay.close();
      await closeServer();
    };
    return { ...relay, close };
  } catch (error) {
    await closeServer();
    throw error;
  }
}
