import { once } from 'node:events';
import { type Agent, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { HeaderList } from '../../../wire/headers.ts';

export type UpstreamRequest = {
  readonly url: URL;
  readonly method: string;
  /** In the order and case in which they are sent; nothing is added to them. */
  readonly headers: HeaderList;
  readonly body: Buffer;
  /** Gives the request up when it fires. */
  readonly signal: AbortSignal;
  /** Milliseconds until the head of the answer must be there. */
  readonly firstByte: number;
  /** Keeps connections for the next request; none is kept unless given. */
  readonly agent?: Agent;
};

/**
 * Sends a request; resolves to the answer's head, its body still to be read. Rejects when there is no answer in time.
 */
export async function askUpstream(asked: UpstreamRequest): Promise<IncomingMessage> {
  const { url, method, headers, body, signal, firstByte, agent } = asked;
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  const request = send(url, { method, setHost: false, agent: agent ?? false, signal });
  // Node adds a Connection header of its own, which the official client does not send.
  request.removeHeader('connection');
  for (const [name, value] of headers) request.appendHeader(name, value);
  const late = setTimeout(
    () => request.destroy(new Error(`no answer within ${firstByte / 1000} s`)),
    firstByte,
  );
  try {
    request.end(body);
    const [response]: IncomingMessage[] = await once(request, 'response');
    if (response === undefined) throw new Error('an answer without a head');
    return response;
  } finally {
    clearTimeout(late);
    // What fails from now on is told by the answer's own events.
    request.on('error', () => {});
  }
}

/** The whole body of an answer, `limit` bytes at most. Rejects where it is longer, or cut off. */
export async function readAll(message: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of message) {
    const bytes: Buffer = chunk;
    length += bytes.length;
    if (length > limit) throw new RangeError(`a body of more than ${limit} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}
