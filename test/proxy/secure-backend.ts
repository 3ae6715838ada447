import { createPrivateKey } from 'node:crypto';
import {
  createSecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type SecureServerOptions,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import {
  createServer as createTlsServer,
  getCACertificates,
  setDefaultCACertificates,
  type TLSSocket,
} from 'node:tls';
import { onTestFinished } from 'vitest';
import { listenLocally } from '../../src/listening.ts';
import { createAuthority, createLeaf } from '../../src/tap/certificates.ts';
import { type HeaderList, pairHeaders } from '../../src/wire/headers.ts';

const trusted = new Set<string>();

/** Makes this process trust an authority until the end of the test, besides others of the test only. */
export function trust(certificate: string): void {
  const before = getCACertificates('default');
  setDefaultCACertificates([...trusted.add(certificate)]);
  onTestFinished(() => {
    trusted.delete(certificate);
    setDefaultCACertificates(before);
  });
}

async function createLocal() {
  const { certificate, key } = await createAuthority();
  return { certificate, leaf: await createLeaf('localhost', certificate, createPrivateKey(key)) };
}

let local: ReturnType<typeof createLocal> | undefined;

/** A key and a certificate for `localhost` that this process trusts until the end of the test. */
export async function trustedCertificate(): Promise<{ readonly cert: string; readonly key: string }> {
  local ??= createLocal();
  const { certificate, leaf } = await local;
  trust(certificate);
  return { cert: leaf.certificate, key: leaf.key };
}

/** A request that a backend received over TLS. */
export type SecureRequest = {
  readonly version: string;
  readonly target: string;
  readonly headers: HeaderList;
  readonly body: Buffer;
};

export type SecureBackend = {
  readonly url: URL;
  readonly received: SecureRequest[];
  /** All HTTP/2 sessions so far. */
  readonly sessions: ServerHttp2Session[];
  /** The ALPN protocols that each connection offered. */
  readonly offered: readonly string[][];
  /** How many connections were accepted, and how many of them are open. */
  readonly connections: { accepted: number; open: number };
};

/** What serves the requests: whole ones, over either version, or the streams of HTTP/2 as they begin. Both get an ordinal, from 1. */
export type Serve =
  | { readonly request: (response: Http2ServerResponse, count: number) => void }
  | { readonly stream: (stream: ServerHttp2Stream, count: number) => void };

export type SecureBackendOptions = SecureServerOptions & {
  /** The protocol that it chooses from those that a client offers. Default: h2. */
  readonly chosen?: string;
};

/** A backend over TLS that serves HTTP/2 to clients that offer it, and HTTP/1.1 to all others. */
export async function startSecureBackend(
  serve: Serve,
  { chosen = 'h2', ...options }: SecureBackendOptions = {},
): Promise<SecureBackend> {
  const received: SecureRequest[] = [];
  const sessions: ServerHttp2Session[] = [];
  const connections = { accepted: 0, open: 0 };
  const offered: string[][] = [];
  const server = createSecureServer({
    ...(await trustedCertificate()),
    allowHTTP1: true,
    ALPNCallback: ({ protocols }) => {
      offered.push(protocols);
      return chosen;
    },
    ...options,
  });
  server.on('sessionError', () => {});
  server.on('secureConnection', (socket) => {
    connections.accepted += 1;
    connections.open += 1;
    socket
      .on('error', () => {})
      .once('close', () => {
        connections.open -= 1;
      });
    onTestFinished(() => void socket.destroy());
  });
  server.on('session', (session) => void sessions.push(session.on('error', () => {})));
  if ('stream' in serve) {
    let count = 0;
    server.on('stream', (stream) => {
      count += 1;
      serve.stream(
        stream.on('error', () => {}),
        count,
      );
    });
  } else {
    server.on('request', (request: Http2ServerRequest, response: Http2ServerResponse) => {
      const chunks: Buffer[] = [];
      for (const part of [request, response]) part.on('error', () => {});
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { httpVersion: version, method, url, rawHeaders } = request;
        const headers = pairHeaders(rawHeaders);
        received.push({ version, target: `${method} ${url}`, headers, body: Buffer.concat(chunks) });
        serve.request(response, received.length);
      });
    });
  }
  const port = await listenLocally(server);
  onTestFinished(() => void server.close());
  return {
    url: new URL(`https://localhost:${port}/backend-api/codex`),
    received,
    sessions,
    offered,
    connections,
  };
}

/** A backend that chooses HTTP/2 and then does what `serve` does with the bytes. */
export async function startRawBackend(serve: (socket: TLSSocket) => void): Promise<URL> {
  const server = createTlsServer(
    { ...(await trustedCertificate()), ALPNProtocols: ['h2'], allowHalfOpen: true },
    (socket) => {
      socket.on('error', () => {});
      onTestFinished(() => void socket.destroy());
      serve(socket);
    },
  );
  const port = await listenLocally(server);
  onTestFinished(() => void server.close());
  return new URL(`https://localhost:${port}/backend-api/codex`);
}
