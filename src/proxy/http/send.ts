import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { closingResponse } from '../../wire/closing-response.ts';
import { type HeaderList, pairHeaders } from '../../wire/headers.ts';
import type { ApiError } from './errors.ts';
import { type BackendResponse, endToEnd, headersForClient } from './upstream/send-upstream.ts';

const json: HeaderList = [['content-type', 'application/json']];

export function sendJson(
  response: ServerResponse,
  text: string,
  { status = 200, headers = [] }: { readonly status?: number; readonly headers?: HeaderList } = {},
): void {
  const length = ['content-length', String(Buffer.byteLength(text))] as const;
  response.writeHead(status, [...json, length, ...headers].flat()).end(text);
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
  response.writeHead(status, [...headersForClient(headers), ...added].flat()).end(body);
}

/**
 * Streams a response of the backend to the client: status, headers in their order and case, body byte for byte. A
 * response that breaks off, or that is silent for `idle` milliseconds, is cut off for the client too.
 */
export function streamBackendResponse(
  backend: IncomingMessage,
  response: ServerResponse,
  idle: number,
): Promise<void> {
  const headers = endToEnd(pairHeaders(backend.rawHeaders)).flat();
  response.writeHead(backend.statusCode ?? 502, backend.statusMessage ?? '', headers);
  response.flushHeaders();
  backend.setTimeout(idle, () => backend.destroy());
  return new Promise((resolve) => {
    backend.once('close', () => {
      if (!backend.complete) response.destroy();
      resolve();
    });
    backend.on('error', () => {});
    response.once('close', () => backend.destroy());
    backend.pipe(response);
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
