import type { HeaderField, RequestEvent } from '../../trace/trace-event.ts';

/**
 * The headers of a request as its client sends them over HTTP/1.1. The official client sends the same headers in the same order
 * over both versions, and names the host in `host` before the length instead of in `:authority` (measured: codex 0.130.0 to
 * 0.171.0, scenarios http-fallback and http2-fallback).
 */
export function headersOverHttp1({ http2, headers }: RequestEvent): readonly HeaderField[] {
  if (http2?.authority === undefined) return headers;
  const length = headers.findIndex(([name]) => name.toLowerCase() === 'content-length');
  return headers.toSpliced(length === -1 ? headers.length : length, 0, ['host', http2.authority]);
}

/** The headers of a request as its client sends them over HTTP/2, with the host that it names as `:authority` before them. */
export function headersOverHttp2({ http2, headers }: RequestEvent): readonly HeaderField[] {
  if (http2 !== undefined)
    return http2.authority === undefined ? headers : [[':authority', http2.authority], ...headers];
  const isHost = ([name]: HeaderField) => name.toLowerCase() === 'host';
  const host = headers.find(isHost);
  return host === undefined ? headers : [[':authority', host[1]], ...headers.filter((one) => !isHost(one))];
}

/** The request as its client sends it over the version of HTTP of another request. */
export function requestInVersionOf(request: RequestEvent, { version: chosen }: RequestEvent): RequestEvent {
  if ((request.version === '2') === (chosen === '2')) return request;
  if (chosen === '2') return { ...request, version: '2' };
  const { version, http2, ...rest } = request;
  return { ...rest, headers: headersOverHttp1(request) };
}
