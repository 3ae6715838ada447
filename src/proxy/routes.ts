import { proxyError } from './http/errors.ts';

/** What is served, by path. */
export type Route =
  | { readonly kind: 'responses' | 'compact' | 'models' | 'chat' | 'health' | 'metrics' }
  /** What the official client asks its backend besides; `path` stands below the backend's origin. */
  | { readonly kind: 'backend' };

const paths: ReadonlyMap<string, Route['kind']> = new Map([
  ['/backend-api/codex/responses', 'responses'],
  ['/v1/responses', 'responses'],
  ['/backend-api/codex/responses/compact', 'compact'],
  ['/v1/responses/compact', 'compact'],
  ['/backend-api/codex/models', 'models'],
  ['/v1/models', 'models'],
  ['/v1/chat/completions', 'chat'],
  ['/healthz', 'health'],
  ['/metrics', 'metrics'],
]);

/** The route of a request target. Throws ApiError for what is served nowhere, and for targets that make no sense. */
export function routeOf(target: string): Route {
  const [path = ''] = target.split('?');
  if (!path.startsWith('/') || /[\\\s#]|%(?:2e|2f|5c|00)/i.test(path) || /\/\.{1,2}(?:\/|$)/.test(path)) {
    throw proxyError(400, 'bad_target', 'the request target is not a plain path');
  }
  const kind = paths.get(path);
  if (kind !== undefined) return { kind };
  if (path.startsWith('/backend-api/')) return { kind: 'backend' };
  throw proxyError(404, 'not_found', `nothing is served at ${path}`);
}

/** Below which path of the upstream's base the client's own paths stand. */
const own = /^\/(?:backend-api\/codex|v1)(?=\/|$)/;

/**
 * Where a target goes upstream. Paths of the responses API stand below the base; those of the rest of the backend
 * beside it: `/backend-api/wham/usage` is `…/wham/usage` where the base ends in `/codex`.
 */
export function upstreamUrl(base: URL, target: string): URL {
  const root = base.href.replace(/\/$/, '');
  if (own.test(target)) return new URL(root + target.replace(own, ''));
  return new URL(root.replace(/\/codex$/, '') + target.replace(/^\/backend-api/, ''));
}
