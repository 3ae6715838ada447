import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { onTestFinished } from 'vitest';
import { type CertificateAuthority, openCertificateAuthority } from '../../src/tap/certificate-authority.ts';
import type { Tap } from '../../src/tap/tap.ts';
import type { Observation } from '../../src/trace/observation.ts';

/** A new authority, deleted after the test. */
export async function temporaryAuthority(): Promise<CertificateAuthority> {
  const folder = await mkdtemp(join(tmpdir(), 'tap-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return openCertificateAuthority(folder);
}

/** Binds the server to any free port of 127.0.0.1 until the end of the test. */
export async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** A backend that calls `serve` for each connection. Half-open, so that nothing ends by itself. */
export async function backend(serve: (socket: Socket) => void): Promise<number> {
  return listening(
    createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {});
      onTestFinished(() => void socket.destroy());
      serve(socket);
    }),
  );
}

/** A port without a listener: reserved, and below the ports that the system assigns. */
export async function closedPort(): Promise<number> {
  return 1;
}

export async function connected(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** Requests a tunnel from a proxy. Returns the socket and the head of the proxy's response. */
export async function tunnelled(
  proxyPort: number,
  target: string,
): Promise<{ socket: Socket; response: string }> {
  const socket = await connected(proxyPort);
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
  const [response] = await once(socket, 'data');
  return { socket, response: String(response) };
}

/** TLS to a host through a proxy, trusting only the given authority. */
export async function securely(
  proxyPort: number,
  host: string,
  authority: CertificateAuthority,
  options: ConnectionOptions = {},
): Promise<TLSSocket> {
  const { socket } = await tunnelled(proxyPort, `${host}:443`);
  const secure = connectTls({ socket, servername: host, ca: authority.certificate, ...options });
  await once(secure, 'secureConnect');
  // A test that ends here would destroy the socket from within OpenSSL, see ready() in src/tap/connect-upstream.ts.
  await setImmediate();
  return secure;
}

/** Collects observations. `until` waits for a number of observations of a type. */
export function observing() {
  const observed: Observation[] = [];
  let wake = () => {};
  const observe = (observation: Observation) => {
    observed.push(observation);
    wake();
  };
  const until = async (type: Observation['type'], count = 1): Promise<void> => {
    while (observed.filter(({ type: actual }) => actual === type).length < count) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return { observed, observe, until };
}

/** Closes the tap at the end of the test. */
export function closing(tap: Tap): Tap {
  onTestFinished(() => tap.close());
  return tap;
}

/** The bytes in chunks of up to 100 kB. */
export function* inRandomChunks(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const size = randomInt(1, 100_000);
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

/** All bytes until the end of the stream. The socket stays writable. */
export async function everything(socket: Duplex): Promise<Buffer> {
  const parts: Buffer[] = [];
  socket.on('data', (part: Buffer) => parts.push(part));
  await once(socket, 'end');
  return Buffer.concat(parts);
}

/** Resolves when the socket is closed, with or without an error. */
export function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.on('error', () => {}).on('close', () => resolve());
  });
}
