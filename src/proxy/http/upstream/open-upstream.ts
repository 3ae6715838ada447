import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import { type HeaderList, pairHeaders } from '../../../wire/headers.ts';
import type { ProxyContext } from '../../proxy-context.ts';
import { Timeout } from '../timeout.ts';
import { longestHead } from './backend-message.ts';
import { type BackendResponse, longestRefusal, readResponse } from './send-upstream.ts';
import { connectionError, wayOut } from './way-out.ts';

/** How the backend responded to an upgrade. */
export type UpgradeResult =
  | {
      readonly kind: 'accepted';
      readonly socket: WebSocket;
      /** The socket below it. */
      readonly raw: Duplex;
      readonly headers: HeaderList;
    }
  | RefusedUpgrade;

export type RefusedUpgrade = { readonly kind: 'refused'; readonly response: BackendResponse };

export type UpgradeRequest = {
  readonly url: URL;
  /** Cancels the attempt. It does not end a websocket that is open. */
  readonly signal: AbortSignal;
  /**
   * Whether texts are passed on as they come, even if they are not UTF-8. Otherwise the library ends the connection, but not
   * before it has read some later bytes as a message (measured: ws 8.23.0, test/proxy/hostile-peers.test.ts).
   */
  readonly passesAnyText?: true;
  /** Returns the handshake's headers. `key` is the Sec-WebSocket-Key that the library chose. */
  readonly headers: (key: string) => HeaderList;
};

/**
 * Responds to a close message as the official client does: ends the connection without a close message of its own
 * (measured: codex 0.169.0, scenario close-1011).
 */
class UpstreamSocket extends WebSocket {
  override close(): void {
    this.terminate();
  }
}

/** The backend does not respond to an upgrade. */
export class SilentUpgrade extends Error {
  override readonly name = 'SilentUpgrade';
}

/** Opens a websocket with the given handshake, and counts it. Rejects when the backend cannot be reached. */
export async function openUpstream(context: ProxyContext, request: UpgradeRequest): Promise<UpgradeResult> {
  const upgrade = await connect(context, request);
  countUpgrade(context, upgrade);
  return upgrade;
}

/** Counts an upgrade that the backend has responded to. */
export function countUpgrade(
  { metrics, log }: ProxyContext,
  upgrade: RefusedUpgrade | { readonly kind: 'accepted' },
): void {
  metrics.add('upstream_connections_total', 1, 'transport=websocket');
  if (upgrade.kind === 'accepted') return;
  const { status } = upgrade.response;
  metrics.add('upstream_refusals_total', 1, `status=${status}`);
  log.info({ status }, `the backend refused the upgrade with ${status}`);
}

/**
 * The library would send its own headers first and Host last, so this replaces them all just before the request goes
 * out.
 */
function connect(
  { shape, limits }: ProxyContext,
  { url, signal, headers, passesAnyText }: UpgradeRequest,
): Promise<UpgradeResult> {
  return new Promise((resolve, reject) => {
    const socket = new UpstreamSocket(url.href.replace(/^http/, 'ws'), {
      // The official client compresses every message, however short (measured: codex 0.169.0).
      perMessageDeflate: shape.compresses ? { threshold: 0 } : false,
      maxPayload: limits.bodyBytes,
      skipUTF8Validation: passesAnyText === true,
      maxHeaderSize: longestHead,
      agent: wayOut(url, limits.connectTime),
      finishRequest: (request) => {
        try {
          const handshake = headers(String(request.getHeader('sec-websocket-key')));
          for (const name of request.getHeaderNames()) request.removeHeader(name);
          for (const [name, value] of handshake) request.appendHeader(name, value);
          request.end();
        } catch (error) {
          // The library would abandon its request, whose later errors nobody handles.
          request.destroy(error instanceof Error ? error : undefined);
        }
      },
    });
    const cancel = () => socket.terminate();
    // The library's own timeout does not begin before a tunnel is open.
    const late = new Timeout(limits.connectTime, () => {
      reject(new SilentUpgrade(`no response to the upgrade within ${limits.connectTime / 1000} s`));
      cancel();
    });
    signal.addEventListener('abort', cancel, { once: true });
    if (signal.aborted) socket.terminate();
    const settle = () => {
      late.end();
      signal.removeEventListener('abort', cancel);
    };
    socket.once('upgrade', (response) => {
      socket.once('open', () => {
        // The backend may send first. Its messages wait until there is a listener.
        socket.pause();
        settle();
        resolve({
          kind: 'accepted',
          socket,
          raw: response.socket,
          headers: pairHeaders(response.rawHeaders),
        });
      });
    });
    socket.once('unexpected-response', (_request, message) => {
      settle();
      readResponse(message, { bytes: longestRefusal, milliseconds: limits.connectTime }).then(
        (response) => resolve({ kind: 'refused', response }),
        reject,
      );
    });
    socket.on('error', (error) => {
      settle();
      reject(connectionError(error));
    });
  });
}
