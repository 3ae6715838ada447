import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import { type HeaderList, pairHeaders } from '../../../wire/headers.ts';

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
  /** `http:` or `https:`, as plain requests have it. */
  readonly url: URL;
  readonly compresses: boolean;
  /** Milliseconds in which the backend must answer. */
  readonly connectTime: number;
  /** The largest message that is taken from the backend. */
  readonly maximumBytes: number;
  /** Gives the attempt up when it fires; a connection that is open is its owner's. */
  readonly signal: AbortSignal;
  /** The handshake's headers for the Sec-WebSocket-Key that the library made. */
  readonly headers: (key: string) => HeaderList;
};

/**
 * Answers a close message as the official client does: by ending the connection, without one of its own (measured:
 * codex 0.169.0, scenario close-1011).
 */
class UpstreamSocket extends WebSocket {
  override close(): void {
    this.terminate();
  }
}

/**
 * Opens a websocket with the handshake given. The library would put its own headers first and Host last, so they are
 * all taken away again before the request goes out, and the given ones set in their order and case. Rejects when the
 * backend cannot be reached.
 */
export function openUpstream(asked: UpgradeRequest): Promise<Upgrade> {
  const { url, compresses, connectTime, maximumBytes, signal, headers } = asked;
  return new Promise((resolve, reject) => {
    const socket = new UpstreamSocket(url.href.replace(/^http/, 'ws'), {
      // The official client compresses every message, however short (measured: codex 0.169.0).
      perMessageDeflate: compresses ? { threshold: 0 } : false,
      maxPayload: maximumBytes,
      handshakeTimeout: connectTime,
      finishRequest: (request) => {
        const shaped = headers(String(request.getHeader('sec-websocket-key')));
        for (const name of request.getHeaderNames()) request.removeHeader(name);
        for (const [name, value] of shaped) request.appendHeader(name, value);
        request.end();
      },
    });
    const giveUp = () => socket.terminate();
    signal.addEventListener('abort', giveUp, { once: true });
    if (signal.aborted) socket.terminate();
    // Paused until somebody listens: the backend may speak first.
    socket.once('upgrade', (response) => {
      socket.once('open', () => {
        socket.pause();
        signal.removeEventListener('abort', giveUp);
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
