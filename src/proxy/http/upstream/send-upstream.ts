import { once } from 'node:events';
import { type Agent, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { type HeaderList, pairHeaders } from '../../../wire/headers.ts';

export type UpstreamRequest = {
  readonly url: URL;
  readonly method: string;
  /** Sent in this order and case. Nothing is added. */
  readonly headers: HeaderList;
  readonly body: Buffer;
  /** Cancels the request. */
  readonly signal: AbortSignal;
  /** Milliseconds within which the response's head must arrive. */
  readonly firstByte: number;
  /** Keeps connections for later requests. By default each request has its own connection. */
  readonly agent?: Agent;
};

/** A whole response of the backend that is not a stream of events. */
export type BackendResponse = {
  readonly status: number;
  /** As the backend sent them. */
  readonly headers: HeaderList;
  readonly body: Buffer;
};

/** Sends a request. Resolves to the response's head, before its body. Rejects when no response begins in time. */
export async function sendUpstream(options: UpstreamRequest): Promise<IncomingMessage> {
  const { url, method, headers, body, signal, firstByte, agent } = options;
  const create = url.protocol === 'https:' ? requestHttps : requestHttp;
  const request = create(url, { method, setHost: false, agent: agent ?? false, signal });
  // Node adds a Connection header, which the official client does not send.
  request.removeHeader('connection');
  for (const [name, value] of headers) request.appendHeader(name, value);
  const late = setTimeout(
    () => request.destroy(new Error(`no response within ${firstByte / 1000} s`)),
    firstByte,
  );
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
