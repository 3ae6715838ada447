import { type HeaderList, headerValue } from '../wire/headers.ts';
import type { PendingFaults } from './faults.ts';
import { type HttpResponse, json } from './http-response.ts';
import { mcpResponse } from './mcp.ts';
import { refreshedTokens } from './oauth-token.ts';

/** A plain request as a route sees it. */
export type SideRequest = {
  readonly method: string;
  /**
   * The path alone: without the query, and with runs of slashes made one (0.118 asks for `/backend-api//connectors/…`).
   */
  readonly path: string;
  readonly headers: HeaderList;
  readonly body: string;
};

type BackendRoute = readonly [
  method: string,
  path: string,
  answer: (request: SideRequest, trouble: PendingFaults) => HttpResponse,
];

/**
 * What the official client asks for besides responses, seen from 0.118.0 and 0.169.0;
 * with these answers neither logs an error. All its hosts (chatgpt.com, ab.chatgpt.com, auth.openai.com) share the
 * table, since their paths do not overlap.
 */
const routes: readonly BackendRoute[] = [
  ['GET', '/backend-api/wham/accounts/check', accountsCheck],
  ['GET', '/backend-api/codex/models', models],
  ['GET', '/backend-api/wham/settings/user', () => json(200, {})],
  // Asked for by business, enterprise and edu accounts, which do not start a turn without an answer.
  ['GET', '/backend-api/wham/config/bundle', () => json(200, {})],
  ['GET', '/backend-api/wham/config/requirements', () => json(200, {})],
  ['GET', '/backend-api/wham/usage', usage],
  ['GET', '/backend-api/ps/plugins/installed', () => json(200, { plugins: [], pagination: { limit: 200 } })],
  ['GET', '/backend-api/ps/plugins/suggested/codex', () => json(200, { plugins: [], pagination: {} })],
  ['GET', '/backend-api/plugins/featured', () => json(200, [])],
  ['GET', '/backend-api/connectors/directory/list', () => json(200, { apps: [], nextToken: null })],
  ['POST', '/backend-api/wham/apps', ({ body }) => mcpResponse(body)],
  ['POST', '/backend-api/ps/mcp', ({ body }) => mcpResponse(body)],
  ['POST', '/backend-api/codex/analytics-events/events', () => json(200, {})],
  ['POST', '/otlp/v1/metrics', () => json(200, {})],
  ['POST', '/oauth/token', refresh],
];

/** The answer of the table, or undefined where it has none. */
export function sideResponse(request: SideRequest, trouble: PendingFaults): HttpResponse | undefined {
  const route = routes.find(([method, path]) => method === request.method && path === request.path);
  return route?.[2](request, trouble);
}

export function notFound(): HttpResponse {
  return json(404, { detail: 'Not Found' });
}

/**
 * From 0.158 on no turn starts before this is answered. The account must be the one that asks, the origin must be
 * https, and of the overrides tried (`us`, `eu`, `none`, empty, null) only `us` was accepted.
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
  return json(200, { accounts: [account], account_ordering: [id], default_account_id: id });
}

/**
 * An empty list leaves the client's bundled catalogue in place: its responses traffic is then the same as after a 404,
 * but it asks half as often and logs no error.
 */
function models(): HttpResponse {
  return json(200, { models: [] });
}

function usage(): HttpResponse {
  return json(200, { plan_type: 'pro', rate_limit: null, credits: null });
}

/** The error's code tells the client whether to sign in again (measured: codex 0.169.0, scenario refresh-refused). */
function refresh(_: SideRequest, trouble: PendingFaults): HttpResponse {
  const code = trouble.refreshRefusal();
  if (code === undefined) return json(200, refreshedTokens());
  return json(401, {
    error: { type: 'invalid_request_error', code, message: 'The tokens are not refreshed.' },
  });
}
