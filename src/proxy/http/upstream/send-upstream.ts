import type { Agent, IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import { pipeline, Readable, type Transform } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { type HeaderList, pairHeaders } from '../../../wire/headers.ts';
import { request as requestHttp, validateHeaderValue } from '../../../wire/node-http.ts';
import { Timeout } from '../timeout.ts';
import { type BackendMessage, longestHead } from './backend-message.ts';
import type { HttpForm } from './http-form.ts';
import { Http2Connection } from './http2-connection.ts';
import { type KeptConnection, NotServed } from './kept-connection.ts';
import { openConnection, type SecureConnection } from './secure-connection.ts';
import { connectionError, longestTunnel, wayOut } from './way-out.ts';

export type UpstreamRequest = {
  readonly url: URL;
  readonly method: string;
  /** Sent in this order and case. Nothing is added. */
  readonly headers: HeaderList;
  readonly body: Buffer | Readable;
  readonly signal: AbortSignal;
  /** Milliseconds within which the response's head must arrive. Default: no limit. */
  readonly firstByte?: number;
  /** Keeps the connection for the next request. Default: a connection for this request alone. */
  readonly agent?: Agent;
  /** The same for https, or without a forward proxy on the way. A request that it cannot take now gets its own connection. */
  readonly connection?: KeptConnection | SecureConnection;
  /** How to connect over TLS. */
  readonly form: HttpForm;
};

/** A whole response of the backend that is not a stream of events. */
export type BackendResponse = {
  readonly status: number;
  /** As the backend sent them. */
  readonly headers: HeaderList;
  readonly body: Buffer;
};

/** The backend does not begin a response in time. */
export class SilentBackend extends Error {
  override readonly name = 'SilentBackend';
}

/**
 * Sends a request: over TLS with the HTTP version that the backend chooses. Resolves to the response's head, before its body. Rejects
 * with SilentBackend when no response begins in time.
 */
export async function sendUpstream(options: UpstreamRequest): Promise<BackendMessage> {
  const { firstByte, signal } = options;
  if (firstByte === undefined) return dispatch(options);
  const attempt = new AbortController();
  const abort = () => attempt.abort(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  const stopListening = () => signal.removeEventListener('abort', abort);
  const late = new Timeout(firstByte, () =>
    attempt.abort(new SilentBackend(`no response within ${firstByte / 1000} s`)),
  );
  try {
    // Anew when the whole request is sent: before, it may wait for the network.
    const onSent = () => late.refresh();
    const message = await dispatch({ ...options, signal: attempt.signal, onSent });
    message.once('close', stopListening);
    return message;
  } catch (error) {
    stopListening();
    throw error;
  } finally {
    late.end();
  }
}

type Attempt = UpstreamRequest & {
  /** Called when the whole request is sent. */
  readonly onSent?: () => void;
  /** An open connection for this request alone. */
  readonly socket?: TLSSocket;
};

async function dispatch(options: Attempt): Promise<BackendMessage> {
  const { url, method, headers, body, signal, connection } = options;
  if (connection !== undefined && Buffer.isBuffer(body)) {
    const request = { url, method, headers, body, signal };
    if (connection.takes(request)) return connection.send(request);
  }
  const { agent: _, ...others } = options;
  if (url.protocol === 'https:') return sendSecurely(others);
  return send(Buffer.isBuffer(body) ? options : others);
}

/** Sends a request over a TLS connection of its own. */
async function sendSecurely(request: Attempt): Promise<BackendMessage> {
  const { url, form, signal, firstByte, body } = request;
  const tunnelTime = tunnelTimeFor(firstByte);
  const open = () => openConnection(url, { form, signal, tunnelTime, idle: 0 });
  const opened = await open();
  if (!(opened instanceof Http2Connection)) return send({ ...request, socket: opened });
  return opened.send(request).catch(async (error: unknown) => {
    if (!(error instanceof NotServed && Buffer.isBuffer(body))) throw error;
    const again = await open();
    return again instanceof Http2Connection ? again.send(request) : send({ ...request, socket: again });
  });
}

function tunnelTimeFor(firstByte = longestTunnel): number {
  return Math.min(firstByte, longestTunnel);
}

async function send(options: Attempt): Promise<IncomingMessage> {
  const { url, method, headers, body, signal, firstByte, onSent, socket } = options;
  signal.throwIfAborted();
  // A request that has begun must not be abandoned, so check first what Node would refuse.
  for (const [name, value] of headers) validateHeaderValue(name, value);
  const create = url.protocol === 'https:' ? requestHttps : requestHttp;
  const request = create(url, {
    method,
    setHost: false,
    maxHeaderSize: longestHead,
    ...(socket === undefined
      ? { agent: options.agent ?? wayOut(url, tunnelTimeFor(firstByte)) }
      : { createConnection: () => socket }),
    signal,
  });
  // Node adds a Connection header, which the official client does not send.
  request.removeHeader('connection');
  for (const [name, value] of headers) request.appendHeader(name, value);
  let abort = () => {};
  return new Promise<IncomingMessage>((resolve, reject) => {
    abort = () => {
      reject(signal.reason);
      // While a tunnel is opened, Node reports neither the end of a request nor its signal.
      request.destroy();
    };
    if (onSent !== undefined) request.once('finish', onSent);
    signal.addEventListener('abort', abort, { once: true });
    // Stays after the head: later failures also reach the response's own listeners.
    request.on('error', (error) => reject(connectionError(error)));
    request.once('response', resolve);
    request.once('upgrade', (_response, socket) => {
      socket.on('error', () => {}).destroy();
      reject(new Error('the backend switched to another protocol'));
    });
    request.once('close', () => reject(new Error('the connection ended without a response')));
    if (body instanceof Readable) body.pipe(request);
    else request.end(body);
  }).finally(() => signal.removeEventListener('abort', abort));
}

/** How much of a response is read, and for how long. */
export type ReadingBounds = { readonly bytes: number; readonly milliseconds: number };

/** Bytes of a response that only says why something was refused. */
export const longestRefusal = 1024 * 1024;

/**
 * The body of a response without its compression, which the official client offers to take (measured: codex 0.171.0). It
 * ends with an error if the response is cut off.
 */
export function decodedBody(message: BackendMessage): Readable {
  const decoder = decoderFor(message);
  return decoder === undefined ? message : pipeline(message, decoder, () => {});
}

/** Returns what decompresses the body of a response. Undefined if it is not compressed. */
export function decoderFor({ headers }: BackendMessage): Transform | undefined {
  const encoding = headers['content-encoding']?.trim().toLowerCase();
  if (encoding === 'gzip') return createGunzip();
  return encoding === 'zstd' ? createZstdDecompress() : undefined;
}

/**
 * Reads a response: its first `bytes` bytes, without compression. Rejects when it is cut off, or does not end in time.
 */
export async function readResponse(
  message: BackendMessage,
  { bytes: limit, milliseconds }: ReadingBounds,
): Promise<BackendResponse> {
  const chunks: Buffer[] = [];
  let length = 0;
  const late = new Timeout(milliseconds, () => {
    message.destroy(new Error(`the response did not end within ${milliseconds / 1000} s`));
  });
  try {
    for await (const chunk of decodedBody(message)) {
      const bytes: Buffer = chunk;
      chunks.push(bytes.subarray(0, limit - length));
      length += bytes.length;
      if (length >= limit) break;
    }
  } finally {
    late.end();
  }
  const headers = pairHeaders(message.rawHeaders).filter(([name]) => !/^content-encoding$/i.test(name));
  return { status: message.statusCode ?? 502, headers, body: Buffer.concat(chunks) };
}

/** The paths of the responses API, below the proxy's origin. */
const responsesApi = /^\/(?:backend-api\/codex|v1)(?=\/|$)/;

/**
 * The backend's URL for a request target. Targets of the responses API are below the upstream's base; the other paths
 * of the backend are beside it. With base `…/backend-api/codex`: `/v1/responses` is `…/backend-api/codex/responses`,
 * and `/backend-api/wham/usage` is `…/backend-api/wham/usage`.
 */
export function upstreamUrl(base: URL, target: string): URL {
  if (base === lastUrl?.base && target === lastUrl.target) return lastUrl.url;
  const url = newUpstreamUrl(base, target);
  lastUrl = { base, target, url };
  return url;
}

/** Nearly all requests have the same target, and parsing a URL takes long. */
let lastUrl: { readonly base: URL; readonly target: string; readonly url: URL } | undefined;

function newUpstreamUrl(base: URL, target: string): URL {
  const root = base.href.replace(/\/$/, '');
  if (responsesApi.test(target)) return new URL(root + target.replace(responsesApi, ''));
  return new URL(root.replace(/\/codex$/, '') + target.replace(/^\/backend-api/, ''));
}

const hopByHop =
  /^(?:connection|upgrade|keep-alive|proxy-.*|te|trailer|transfer-encoding|sec-websocket-.*)$/i;

/** Removes the headers that belong to one connection, such as `connection` and `transfer-encoding`. */
export function endToEnd(headers: HeaderList): HeaderList {
  return headers.filter(([name]) => !hopByHop.test(name));
}

/** The backend's headers for a client, without the body's length: the proxy writes that itself. */
export function headersForClient(headers: HeaderList): HeaderList {
  return endToEnd(headers).filter(([name]) => name.toLowerCase() !== 'content-length');
}
