import { connect, createServer, type Socket } from 'node:net';
import { listenLocally } from '../listening.ts';
import { errorCode } from '../wire/http2.ts';
import { beginsHttp2, encodeFrame, numberPayload } from '../wire/http2-frame.ts';
import type { Side } from '../wire/message.ts';
import { peek } from '../wire/peek.ts';
import { type Fault, PendingWireFaults } from './fault.ts';
import { RelayedConnection, tlsAlert } from './relayed-connection.ts';
import { Variation } from './variation.ts';

export type FaultRelayOptions = {
  /** The server that connections are passed on to. */
  readonly upstream: { readonly host: string; readonly port: number };
  /** TCP port on 127.0.0.1; absent or 0 uses a free one. */
  readonly port?: number;
  /** The side whose messages vary and fail. */
  readonly side: Side;
  readonly faults?: readonly Fault[];
  /** The seed of the variation; absent passes on bytes as they arrive. */
  readonly vary?: number | undefined;
};

export type FaultRelay = {
  readonly port: number;
  /** Replaces the faults, and counts their occasions anew. */
  arm(faults: readonly Fault[]): void;
  /** Passes new connections on to another port of the server's host. */
  forwardTo(port: number): void;
  /**
   * Makes the TLS handshake of a connection fail if a fault says so, and returns whether it does. Call it in a server in front of the
   * relay that terminates TLS, before anything is read. A connection that fails needs nothing more.
   */
  failHandshake(client: Socket): boolean;
  /** How many websockets the side that does not fail has left open. */
  openWebSockets(): number;
  /** The faults that have not happened, as they were written. */
  left(): string[];
  /** Stops listening and ends every connection. */
  close(): Promise<void>;
};

/**
 * Starts a relay on loopback in front of a server, without TLS. It plays one side of each connection as that side might
 * behave on a bad day: with the given faults, and varied in what the protocols leave open. All else passes unchanged. While faults can
 * happen, it refuses HTTP/2.
 *
 * @throws ParityError `port-in-use` when the port is in use.
 */
export async function startFaultRelay(options: FaultRelayOptions): Promise<FaultRelay> {
  const { upstream, port = 0, side, faults = [], vary } = options;
  const pending = new PendingWireFaults(faults);
  const open = new Set<Socket>();
  const relaying = new Set<RelayedConnection>();
  let target = upstream;
  let connections = 0;
  const track = (socket: Socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    // The connection reads errors as ends. Without a listener they would end the process.
    socket.on('error', () => {});
    return socket;
  };
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    connections += 1;
    const backend = connect({ ...target, allowHalfOpen: true, noDelay: true });
    const variation = vary === undefined ? undefined : new Variation(vary, connections);
    const sockets = { client: track(client), backend: track(backend) };
    const relayed = new RelayedConnection(sockets, { side, faults: pending, variation, number: connections });
    relaying.add(relayed);
    void peek(client, (bytes) => beginsHttp2(bytes) !== undefined)
      .then((bytes) => {
        if (beginsHttp2(bytes) !== true) return relayed.run();
        return pending.isArmed ? refuseHttp2(sockets) : relayed.runHttp2();
      })
      .catch(() => {
        client.destroy();
        backend.destroy();
      })
      .finally(() => relaying.delete(relayed));
  });
  return {
    port: await listenLocally(server, port),
    arm: (next) => pending.arm(next),
    forwardTo: (next) => {
      target = { ...target, port: next };
    },
    failHandshake: (client) => {
      const fault = pending.at({ at: 'handshake' }, 0);
      if (fault === undefined) return false;
      client.once('data', () => failAfterHello(track(client), fault));
      return true;
    },
    openWebSockets: () => [...relaying].filter(({ isOpenWebSocket }) => isOpenWebSocket).length,
    left: () => pending.left(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}

/** Refuses a client that begins with HTTP/2 (RFC 9113, section 7: HTTP_1_1_REQUIRED). */
async function refuseHttp2({ client, backend }: Readonly<Record<Side, Socket>>): Promise<void> {
  backend.destroy();
  const goaway = [numberPayload(0), numberPayload(errorCode('HTTP_1_1_REQUIRED')), Buffer.from(http1Only)];
  client.end(Buffer.concat([encodeFrame('SETTINGS'), encodeFrame('GOAWAY', Buffer.concat(goaway))]));
  client.resume();
}

const http1Only = 'faults happen over HTTP/1.1 only: connect without HTTP/2';

/** Fails after the first message of a client's TLS handshake. */
function failAfterHello(client: Socket, { kind }: Fault): void {
  if (kind === 'tls-alert') client.end(tlsAlert);
  else if (kind === 'reset') client.resetAndDestroy();
  else if (kind === 'drop') client.end();
  else client.pause();
}
