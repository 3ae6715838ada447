import type { RequestOptions } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { Socket, SocketConstructorOpts } from 'node:net';
import { type HeaderList, headerValue, pairHeaders } from '../../../wire/headers.ts';
import { request as requestHttp } from '../../../wire/node-http.ts';
import { acceptKey } from '../../../wire/websocket.ts';
import type { ProxyContext } from '../../proxy-context.ts';
import { Timeout } from '../timeout.ts';
import { longestHead } from './backend-message.ts';
import { countUpgrade, type RefusedUpgrade, SilentUpgrade } from './open-upstream.ts';
import { ReusedReads } from './reused-reads.ts';
import { longestRefusal, readResponse } from './send-upstream.ts';
import { connectionError, isDirect, wayOut } from './way-out.ts';

/** A websocket to the backend, as bytes. */
export type AcceptedTunnel = {
  readonly kind: 'accepted';
  /** Paused. */
  readonly socket: Socket;
  /** The reason and headers of the backend's 101 response, as it sent them. */
  readonly reason: string;
  readonly headers: HeaderList;
  /** What the backend sent after the response. */
  readonly first: Buffer;
  /** How the socket reads. Undefined if a proxy is on the way. */
  readonly reads: ReusedReads | undefined;
};

export type TunnelRequest = {
  readonly url: URL;
  /** Cancels the attempt. It does not end a tunnel that is open. */
  readonly signal: AbortSignal;
  /** The handshake, sent in this order and case. Nothing is added. */
  readonly headers: HeaderList;
};

/**
 * Opens a websocket to the backend with a client's own handshake, and counts it. Checks that the backend has accepted that
 * handshake before any further byte is exchanged. Rejects when the backend cannot be reached, or its response is not valid.
 */
export async function openTunnel(
  context: ProxyContext,
  request: TunnelRequest,
): Promise<AcceptedTunnel | RefusedUpgrade> {
  const upgrade = await connect(context, request);
  countUpgrade(context, upgrade);
  return upgrade;
}

function connect(
  { limits }: ProxyContext,
  { url, signal, headers }: TunnelRequest,
): Promise<AcceptedTunnel | RefusedUpgrade> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const reads = isDirect(url) ? new ReusedReads() : undefined;
    const options: RequestOptions & Pick<SocketConstructorOpts, 'onread'> = {
      method: 'GET',
      setHost: false,
      maxHeaderSize: longestHead,
      agent: wayOut(url, limits.connectTime),
      ...(reads && { onread: reads.onread }),
    };
    const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, options);
    request.once('socket', (socket) => reads?.emitFrom(socket));
    request.removeHeader('connection');
    for (const [name, value] of headers) request.appendHeader(name, value);
    const cancel = (error: Error) => {
      reject(error);
      request.destroy(error);
    };
    const abort = () => cancel(signal.reason);
    const late = new Timeout(limits.connectTime, () =>
      cancel(new SilentUpgrade(`no response to the upgrade within ${limits.connectTime / 1000} s`)),
    );
    signal.addEventListener('abort', abort, { once: true });
    const settle = () => {
      late.end();
      signal.removeEventListener('abort', abort);
    };
    request.once('upgrade', (response, socket: Socket, first) => {
      settle();
      socket.on('error', ignore);
      const received = pairHeaders(response.rawHeaders);
      const fault = faultIn(received, headers);
      if (fault === undefined) {
        resolve({
          kind: 'accepted',
          socket,
          reason: response.statusMessage ?? '',
          headers: received,
          first,
          reads,
        });
      } else {
        socket.destroy();
        reject(new Error(`the backend's response to the upgrade is not valid: ${fault}`));
      }
    });
    let hasResponse = false;
    request.once('response', (response) => {
      hasResponse = true;
      settle();
      readResponse(response, { bytes: longestRefusal, milliseconds: limits.connectTime }).then(
        (refusal) => resolve({ kind: 'refused', response: refusal }),
        reject,
      );
    });
    request.on('error', (error) => {
      settle();
      reject(connectionError(error));
    });
    request.once('close', () => {
      if (!hasResponse) reject(new Error('the connection ended without a response'));
    });
    request.end();
  });
}

/** Shared, since a function of its own would keep the handshake in memory for as long as the websocket lasts. */
function ignore(): void {}

/** Says what is wrong with the headers of a 101 response (RFC 6455 §4.1). Undefined if nothing is. */
function faultIn(received: HeaderList, sent: HeaderList): string | undefined {
  const values = (list: HeaderList, name: string) =>
    list.filter(([one]) => one.toLowerCase() === name).map(([, value]) => value.trim());
  if (values(received, 'upgrade').join().toLowerCase() !== 'websocket')
    return 'it upgrades to another protocol';
  const key = acceptKey(headerValue(sent, 'sec-websocket-key') ?? '');
  if (values(received, 'sec-websocket-accept').join() !== key) return 'its key does not match';
  const offers = values(sent, 'sec-websocket-extensions').join();
  const extensions = values(received, 'sec-websocket-extensions').join();
  // The bits of another extension could not be understood.
  if (extensions !== '' && !(isDeflate(extensions) && /\bpermessage-deflate\b/.test(offers)))
    return 'it has an extension that was not offered';
  const protocol = values(received, 'sec-websocket-protocol').join();
  const protocols = values(sent, 'sec-websocket-protocol')
    .join()
    .split(/\s*,\s*/);
  if (protocol !== '' && !protocols.includes(protocol)) return 'it has a protocol that was not offered';
  return undefined;
}

function isDeflate(extensions: string): boolean {
  return /^permessage-deflate(?:\s*;[^,]*)?$/.test(extensions);
}
