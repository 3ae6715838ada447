import { type HeaderList, headerValue } from '../wire/headers.ts';
import type { PendingFaults } from './faults.ts';
import { type HttpResponse, jsonResponse } from './http-response.ts';
import { mcpResponse } from './mcp.ts';
import { refreshedTokens } from './oauth-token.ts';

/** An HTTP request for anything but a response. */
export type SideRequest = {
  readonly method: string;
  /** Without the query, and with single slashes: 0.118 requests `/backend-api//connectors/…`. */
  readonly path: string;
  readonly headers: HeaderList;
  readonly body: string;
};

type BackendRoute = readonly [
  method: string,
  path: string,
  respond: (request: SideRequest, faults: PendingFaults) => HttpResponse,
];

/**
 * What the official client requests besides responses (measured: codex 0.118.0 and 0.169.0). With these responses
 * neither logs an error. Its hosts (chatgpt.com, ab.chatgpt.com, auth.openai.com) share the table, as their paths do
 * not overlap.
 */
const routes: readonly BackendRoute[] = [
  ['GET', '/backend-api/wham/accounts/check', accountsCheck],
  ['GET', '/backend-api/codex/models', models],
  ['GET', '/backend-api/wham/settings/user', () => jsonResponse(200, {})],
  // Business, enterprise and edu accounts request it, and start no turn before the response.
  ['GET', '/backend-api/wham/config/bundle', () => jsonResponse(200, {})],
  ['GET', '/backend-api/wham/config/requirements', () => jsonResponse(200, {})],
  ['GET', '/backend-api/wham/usage', usage],
  [
    'GET',
    '/backend-api/ps/plugins/installed',
    () => jsonResponse(200, { plugins: [], pagination: { limit: 200 } }),
  ],
  [
    'GET',
    '/backend-api/ps/plugins/suggested/codex',
    () => jsonResponse(200, { plugins: [], pagination: {} }),
  ],
  ['GET', '/backend-api/plugins/featured', () => jsonResponse(200, [])],
  ['GET', '/backend-api/connectors/directory/list', () => jsonResponse(200, { apps: [], nextToken: null })],
  ['POST', '/backend-api/wham/apps', ({ body }) => mcpResponse(body)],
  ['POST', '/backend-api/ps/mcp', ({ body }) => mcpResponse(body)],
  ['POST', '/backend-api/codex/analytics-events/events', () => jsonResponse(200, {})],
  ['POST', '/otlp/v1/metrics', () => jsonResponse(200, {})],
  ['POST', '/oauth/token', refresh],
];

/** The response from the table; undefined for a request that is not in it. */
export function sideResponse(request: SideRequest, faults: PendingFaults): HttpResponse | undefined {
  const route = routes.find(([method, path]) => method === request.method && path === request.path);
  return route?.[2](request, faults);
}

export function notFound(): HttpResponse {
  return jsonResponse(404, { detail: 'Not Found' });
}

/**
 * Since 0.158 no turn starts before this response. The account must be that of the request, the origin must be https,
 * and of the overrides tried (`us`, `eu`, `none`, empty, null) only `us` was accepted.
 */
function accountsCheck({ headers }: SideRequest): HttpResponse {
  const id = headerValue(headers, 'chatgpt-account-id') ?? 'account-unnamed';
  const account = {
    id,
    name: 'Simulated account',
    plan_type: 'pro',
    workspace_backend_origin: 'https://chatgpt.com',
    account_routing_override: 'us',
  };
  return jsonResponse(200, { accounts: [account], account_ordering: [id], default_account_id: id });
}

/**
 * With an empty list the client keeps its bundled catalogue. Its other traffic is the same as after a 404, but it
 * requests the list half as often and logs no error.
 */
function models(): HttpResponse {
  return jsonResponse(200, { models: [] });
}

function usage(): HttpResponse {
  return jsonResponse(200, { plan_type: 'pro', rate_limit: null, credits: null });
}

/** The error code decides whether the client must sign in again (measured: codex 0.169.0, scenario refresh-refused). */
function refresh(_: SideRequest, faults: PendingFaults): HttpResponse {
  const code = faults.refreshRefusal();
  if (code === undefined) return jsonResponse(200, refreshedTokens());
  return jsonResponse(401, {
    error: { type: 'invalid_request_error', code, message: 'The tokens are not refreshed.' },
  });
}
