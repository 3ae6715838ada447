import type { Server as Http1Server, IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createHttp2Server, type Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { createServer, type Server } from 'node:net';
import type { Writable } from 'node:stream';
import type { HeaderList } from '../wire/headers.ts';
import { beginsHttp2 } from '../wire/http2-frame.ts';
import { peek } from '../wire/peek.ts';

/** Over either version of HTTP. */
export type Request = IncomingMessage | Http2ServerRequest;
export type Response = ServerResponse | Http2ServerResponse;

/** A client that never reads its responses must not fill the backend. */
const settings = { maxConcurrentStreams: 100 };

/**
 * A server for both versions of HTTP on one port without TLS: HTTP/2 for clients that begin with its preface (RFC 9113,
 * section 3.3), `http1` for all others.
 */
export function bothVersions(
  http1: Http1Server,
  serve: (request: Http2ServerRequest, response: Http2ServerResponse) => void,
): Server {
  const http2 = createHttp2Server({ settings }, (request, response) => {
    // Clients may reset a stream at any time.
    for (const part of [request, response, request.stream]) part.on('error', () => {});
    serve(request, response);
  });
  http2.on('sessionError', () => {});
  return createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on('error', () => {});
    void peek(socket, (bytes) => beginsHttp2(bytes) !== undefined).then((bytes) => {
      if (!socket.destroyed) (beginsHttp2(bytes) ? http2 : http1).emit('connection', socket);
    });
  });
}

/** Headers of HTTP/1.1 that HTTP/2 does not allow (RFC 9113, section 8.2.2). */
const ofConnection = /^(?:connection|keep-alive|proxy-connection|transfer-encoding|upgrade)$/i;

/**
 * Sends the head of a response. Returns what its body is written to: over HTTP/2 the stream itself, as Node then ends it with the
 * last DATA frame. A client that has what it needs resets a stream that is still open, so a frame of its own for the end would make
 * the end of each response a race.
 */
export function beginResponse(
  response: Response,
  { status, headers }: { readonly status: number; readonly headers: HeaderList },
): Writable {
  if (!(response instanceof Http2ServerResponse)) {
    response.writeHead(status, headers.flat());
    return response;
  }
  const allowed = headers.filter(([name]) => !ofConnection.test(name));
  // Node 22 takes an object alone. A list of one value is sent as that value.
  const values = Map.groupBy(allowed, ([name]) => name.toLowerCase());
  const fields = [...values].map(([name, list]) => [name, list.map(([, value]) => value)] as const);
  response.stream.respond({ ':status': status, ...Object.fromEntries(fields) });
  return response.stream;
}

/** Ends a response before its time: over HTTP/2 its stream alone, with INTERNAL_ERROR, over HTTP/1.1 the connection. */
export function cutOff(response: Response): void {
  // Closing the stream with a code would end it first, and leave out the reset if the client has ended too.
  if (response instanceof Http2ServerResponse) response.stream.destroy(new Error('cut off'));
  else response.destroy();
}
