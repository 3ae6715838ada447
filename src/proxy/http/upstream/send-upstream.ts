import { once } from 'node:events';
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { type HeaderList, pairHeaders } from '../../../wire/headers.ts';

export type UpstreamRequest = {
  readonly url: URL;
  readonly method: string;
  /** Sent in this order and case. Nothing is added. */
  readonly headers: HeaderList;
  readonly body: Buffer;
  readonly signal: AbortSignal;
  /** Milliseconds within which the response's head must arrive. Default: no limit. */
  readonly firstByte?: number;
};

/** A whole response of the backend that is not a stream of events. */
export type BackendResponse = {
  readonly status: number;
  /** As the backend sent them. */
  readonly headers: HeaderList;
  readonly body: Buffer;
};

const longestTimer = 2 ** 31 - 1;

/** Sends a request. Resolves to the response's head, before its body. Rejects when no response begins in time. */
export async function sendUpstream(options: UpstreamRequest): Promise<IncomingMessage> {
  const { url, method, headers, body, signal, firstByte = longestTimer } = options;
  const create = url.protocol === 'https:' ? requestHttps : requestHttp;
  const request = create(url, { method, setHost: false, agent: false, signal });
  // Node adds a Connection header, which the official client does not send.
  request.removeHeader('connection');
  for (const [name, value] of headers) request.appendHeader(name, value);
  const cancel = () => request.destroy(new Error(`no response within ${firstByte / 1000} s`));
  const late = setTimeout(cancel, firstByte);
  try {
    request.end(body);
    const [response]: IncomingMessage[] = await once(request, 'response');
    if (response === undefined) throw new Error('a response without a head');
    return response;
  } finally {
    clearTimeout(late);
    // Later failures also reach the response's own listeners.
    request.on('error', () => {});
  }
}

/** Reads a response to its end. Rejects when the body is longer than `limit` bytes, or cut off. */
export async function readResponse(message: IncomingMessage, limit: number): Promise<BackendResponse> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of message) {
    const bytes: Buffer = chunk;
    length += bytes.length;
    if (length > limit) throw new RangeError(`a body of more than ${limit} bytes`);
    chunks.push(bytes);
  }
  const headers = pairHeaders(message.rawHeaders);
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
