import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { closingResponse } from '../../wire/closing-response.ts';
import { type HeaderList, headerValue, pairHeaders } from '../../wire/headers.ts';
import { uuid4 } from '../../wire/ids.ts';
import { encodeSse } from '../../wire/sse.ts';
import { ApiError } from './errors.ts';
import { countPassedBytes } from './passed-bytes.ts';
import type { BackendMessage } from './upstream/backend-message.ts';
import { type BackendResponse, endToEnd, headersForClient } from './upstream/send-upstream.ts';

/** What Node accepts as the name and the value of a header. */
const headerName = /^[\w!#$%&'*+.^`|~-]+$/;
const headerText = /^[\t\x20-\x7e\x80-\xff]*$/;

/** The name of a request's id. OpenAI's libraries show it to their programs. */
const requestIdName = 'x-request-id';

/** The ids of requests, by their responses. */
const requestIds = new WeakMap<ServerResponse, string>();

/** Gives a request an id, which its response will state. An id of the backend takes its place. */
export function addRequestId(response: ServerResponse): void {
  requestIds.set(response, `req_${uuid4().split('-').join('')}`);
}

/**
 * Begins a response. Node throws for a status, reason or header that it cannot send. An error response must not fail
 * for what the backend sent, so replace such a status by 502 and leave out the others.
 */
export function writeHead(
  response: ServerResponse,
  { status, reason, headers }: { status: number; reason?: string | undefined; headers: HeaderList },
): void {
  const sendable = headers.filter(([name, value]) => headerName.test(name) && headerText.test(value));
  const id = requestIds.get(response);
  const sent =
    id === undefined || headerValue(sendable, requestIdName) !== undefined ? [] : [requestIdName, id];
  for (const [name, value] of sendable) sent.push(name, value);
  const known = Number.isInteger(status) && status >= 200 && status <= 999 ? status : 502;
  if (reason !== undefined && headerText.test(reason)) response.writeHead(known, reason, sent);
  else response.writeHead(known, sent);
}

const json: HeaderList = [['content-type', 'application/json']];

export function sendJson(
  response: ServerResponse,
  text: string,
  { status = 200, headers = [] }: { readonly status?: number; readonly headers?: HeaderList } = {},
): void {
  const length = ['content-length', String(Buffer.byteLength(text))] as const;
  writeHead(response, { status, headers: [...json, length, ...headers] });
  response.end(text);
}

/** Sends an error. A response that has begun is cut off instead. */
export function sendError(response: ServerResponse, error: ApiError): void {
  if (response.headersSent) response.destroy();
  else sendJson(response, error.body, error);
}

/** Sends a response of the backend, with `headers` added. */
export function sendBackendResponse(
  response: ServerResponse,
  { status, headers, body }: BackendResponse,
  added: HeaderList,
): void {
  writeHead(response, { status, headers: [...headersForClient(headers), ...added] });
  response.end(body);
}

/**
 * Streams a response of the backend to the client: status, headers in their order and case, body byte for byte. A
 * response that breaks off is cut off for the client too. One that falls silent lasts until the client leaves: its own
 * patience counts, which the official client lets its users set. If `signal` has an ApiError as its reason, a stream of
 * events ends with that.
 */
export function streamBackendResponse(
  backend: BackendMessage,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  writeHead(response, {
    status: backend.statusCode ?? 502,
    reason: backend.statusMessage,
    headers: endToEnd(pairHeaders(backend.rawHeaders)),
  });
  let begun = false;
  backend.on('data', (chunk: Buffer) => {
    begun = true;
    countPassedBytes(chunk.length);
    if (!response.write(chunk)) backend.pause();
  });
  backend.once('end', () => response.end());
  response.on('drain', () => backend.resume());
  // If the body has begun already, the head leaves with it.
  if (backend.readableLength === 0) {
    setImmediate(() => {
      if (!begun && !response.destroyed && !response.writableEnded) response.flushHeaders();
    });
  }
  return new Promise((resolve) => {
    const end = () => {
      const cut: unknown = signal.reason;
      const isStream = () => backend.headers['content-type']?.startsWith('text/event-stream') === true;
      // The line ends close an event that was cut off. Clients ignore what is not JSON.
      if (cut instanceof ApiError && isStream()) response.end(`\n\n${encodeSse(cut.event, 'error')}`);
      else if (!backend.complete) response.destroy();
      resolve();
    };
    backend.on('error', () => {});
    if (backend.closed) return end();
    backend.once('close', end);
    response.once('close', () => backend.destroy());
  });
}

/** Responds to an upgrade with a response of the backend, and ends the connection. */
export function refuseUpgrade(socket: Duplex, { status, headers, body }: BackendResponse): void {
  socket.end(closingResponse({ status, headers: headersForClient(headers), body }));
}

/** Sends an error over a raw socket, and ends the connection. `body` is the error's body unless given. */
export function endWithError(socket: Duplex, error: ApiError, body = error.body): void {
  socket.end(closingResponse({ status: error.status, headers: json, body }));
}
