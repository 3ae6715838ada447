import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import { type HeaderList, pairHeaders } from '../wire/headers.ts';

/** The largest message the backend takes or sends: 16 MiB. */
export const maximumMessageBytes = 16 * 1024 * 1024;

/** Milliseconds in which the backend must answer an upgrade. */
const handshakeTimeout = 30_000;

/** How the backend answered an upgrade. */
export type Upgrade =
  | { readonly accepted: true; readonly socket: WebSocket; readonly response: IncomingMessage }
  | {
      readonly accepted: false;
      readonly status: number;
      readonly headers: HeaderList;
      readonly body: Buffer;
    };

export type UpgradeRequest = {
  /** `ws:` or `wss:` URL. */
  readonly url: URL;
  readonly compresses: boolean;
  /** Gives the attempt up, or ends the connection, when it fires. */
  readonly signal: AbortSignal;
  /** The handshake's headers for the Sec-WebSocket-Key that the library made. */
  readonly headers: (key: string) => HeaderList;
};

/**
 * Opens a websocket with the handshake given. The library would put its own headers first and Host last, so they are
 * all taken away again before the request goes out, and the given ones set in their order and case. Rejects when the
 * backend cannot be reached.
 */
export function openUpstream({ url, compresses, signal, headers }: UpgradeRequest): Promise<Upgrade> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, {
      // The official client compresses every message, however short (measured: codex 0.169.0).
      perMessageDeflate: compresses ? { threshold: 0 } : false,
      maxPayload: maximumMessageBytes,
      handshakeTimeout,
      finishRequest: (request) => {
        const shaped = headers(String(request.getHeader('sec-websocket-key')));
        for (const name of request.getHeaderNames()) request.removeHeader(name);
        for (const [name, value] of shaped) request.appendHeader(name, value);
        request.end();
      },
    });
    signal.addEventListener('abort', () => socket.terminate(), { once: true });
    if (signal.aborted) socket.terminate();
    // Paused until somebody listens: the backend may speak first.
    socket.once('upgrade', (response) => {
      socket.once('open', () => {
        socket.pause();
        resolve({ accepted: true, socket, response });
      });
    });
    socket.once('unexpected-response', (_request, response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('end', () => {
        resolve({
          accepted: false,
          status: response.statusCode ?? 502,
          headers: pairHeaders(response.rawHeaders),
          body: Buffer.concat(chunks),
        });
      });
      response.once('error', reject);
    });
    socket.once('error', reject);
  });
}
