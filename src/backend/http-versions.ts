import type { Server as Http1Server } from 'node:http';
import {
  createServer as createHttp2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2';
import { createServer, type Server } from 'node:net';
import { beginsHttp2 } from '../wire/http2-frame.ts';
import { peek } from '../wire/peek.ts';

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
