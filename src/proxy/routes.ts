import type { HeaderList } from '../wire/headers.ts';
import { proxyError } from './http/errors.ts';
import { sendJson, writeHead } from './http/send.ts';
import { Metrics } from './metrics.ts';
import { passThrough, relayPost } from './relay/relay-http.ts';
import { relayWebSocket } from './relay/relay-websocket.ts';
import type { HttpContext, UpgradeContext } from './request-context.ts';
import { serveChatCompletions } from './surfaces/chat-completions.ts';
import { serveCompact } from './surfaces/compact.ts';
import { serveModels } from './surfaces/models.ts';
import { serveResponsesHttp } from './surfaces/responses-http.ts';
import { serveResponsesWebSocket } from './surfaces/responses-websocket.ts';

/** What serves the requests to a path. */
export type ProxyRoute = {
  /** The label in the metrics. */
  readonly name: 'responses' | 'compact' | 'models' | 'chat' | 'backend' | 'health' | 'ready' | 'metrics';
  /** The methods that are served; all unless given. */
  readonly methods?: readonly string[];
  /** Whether the route is served without the proxy's key. */
  readonly isPublic?: true;
  readonly http: (context: HttpContext) => Promise<void> | void;
  readonly websocket?: (context: UpgradeContext) => Promise<void>;
};

/** Official clients are relayed: they do their own retries. For all other clients the proxy does them. */
const responses: ProxyRoute = {
  name: 'responses',
  methods: ['POST'],
  http: (context) =>
    context.identity === undefined ? serveResponsesHttp(context) : relayPost(context, context.identity),
  websocket: (context) =>
    context.identity === undefined
      ? serveResponsesWebSocket(context)
      : relayWebSocket(context, context.identity),
};

const compact: ProxyRoute = {
  name: 'compact',
  http: (context) => (context.identity === undefined ? serveCompact(context) : passThrough(context)),
};

const models: ProxyRoute = { name: 'models', http: serveModels };

/** The backend's other paths, below `/backend-api/`, which the official client requests too. */
const backend: ProxyRoute = { name: 'backend', http: passThrough };

/** The API lists completions that it has stored. The backend stores none. */
const chat: ProxyRoute = {
  name: 'chat',
  methods: ['POST', 'GET'],
  http: (context) => {
    if (context.method === 'POST') return serveChatCompletions(context);
    return sendJson(
      context.response,
      '{"object":"list","data":[],"first_id":null,"last_id":null,"has_more":false}',
    );
  },
};

/** A part of the API that the backend has not. `reason` says why, and what to do. */
function notServed(name: ProxyRoute['name'], reason: string): ProxyRoute {
  return {
    name,
    http: () => {
      throw proxyError(404, 'not_found', reason);
    },
  };
}

const routes: ReadonlyMap<string, ProxyRoute> = new Map<string, ProxyRoute>([
  ['/backend-api/codex/responses', responses],
  ['/v1/responses', responses],
  ['/backend-api/codex/responses/compact', compact],
  ['/v1/responses/compact', compact],
  ['/backend-api/codex/models', models],
  ['/v1/models', models],
  ['/v1/responses/input_tokens', notServed('responses', 'the backend counts no tokens before a request')],
  ['/v1/chat/completions', chat],
  ['/healthz', { name: 'health', isPublic: true, http: sendHealth }],
  ['/readyz', { name: 'ready', isPublic: true, http: sendReadiness }],
  ['/metrics', { name: 'metrics', http: sendMetrics }],
]);

const prefixRoutes: readonly (readonly [prefix: string, route: ProxyRoute])[] = [
  ['/backend-api/', backend],
  ['/v1/models/', models],
  [
    '/v1/responses/',
    notServed('responses', 'the backend stores no responses: keep what the response contained'),
  ],
  [
    '/v1/chat/completions/',
    notServed('chat', 'the backend stores no completions: keep what the response contained'),
  ],
];

/** A proxy whose shared state is away still serves its clients. */
function sendHealth({ state, response }: HttpContext): void {
  const shared = state && { state: state.isAway ? 'away' : 'ok' };
  sendJson(response, JSON.stringify({ status: 'ok', ...shared }));
}

/** For balancers. While the proxy stops, it refuses this as every other request. */
function sendReadiness({ isReady, response }: HttpContext): void {
  if (!isReady()) throw proxyError(503, 'stopping', 'the proxy is about to stop');
  sendJson(response, '{"status":"ready"}');
}

async function sendMetrics({ currentMetrics, otherMetrics, response }: HttpContext): Promise<void> {
  const metrics = new Metrics();
  for (const snapshot of [currentMetrics(), ...(await otherMetrics())]) metrics.addAll(snapshot);
  const headers: HeaderList = [['content-type', 'text/plain; version=0.0.4; charset=utf-8']];
  writeHead(response, { status: 200, headers });
  response.end(metrics.print());
}

/**
 * Returns a target in the form of the table: without a slash at its end, and with `/v1`, which some clients leave out of
 * their base URL.
 */
export function usualTarget(target: string): string {
  if (routes.has(target)) return target;
  const [path = '', ...query] = target.split('?');
  const trimmed = path.replace(/(?<=[^/])\/$/, '');
  const prefix = /^\/(?:responses|models|chat\/completions)(?:\/|$)/.test(trimmed) ? '/v1' : '';
  return [prefix + trimmed, ...query].join('?');
}

/** The route of a request target. Throws ApiError for unknown paths, and for targets that are not plain paths. */
export function routeOf(target: string): ProxyRoute {
  const exact = routes.get(target);
  if (exact !== undefined) return exact;
  const [path = ''] = target.split('?');
  if (!path.startsWith('/') || /[\\\s#]|%(?:2e|2f|5c|00)/i.test(path) || /\/\.{1,2}(?:\/|$)/.test(path)) {
    throw proxyError(400, 'bad_target', 'the request target is not a plain path');
  }
  const route = routes.get(path) ?? prefixRoutes.find(([prefix]) => path.startsWith(prefix))?.[1];
  if (route === undefined) throw proxyError(404, 'not_found', `nothing is served at ${path}`);
  return route;
}
