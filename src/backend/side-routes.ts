import { randomBytes } from 'node:crypto';
import { type HeaderList, headerValue } from '../wire/headers.ts';
import { unsignedToken } from '../wire/ids.ts';
import {
  type JsonNode,
  jsonObject,
  member,
  printJson,
  stringAt,
  toNode,
  tryParseJson,
} from '../wire/json.ts';
import type { PendingFaults } from './faults.ts';
import { type HttpResponse, jsonResponse } from './scripted-response.ts';

/** An HTTP request for anything but a response. */
type SideRequest = {
  readonly method: string;
  /** Without the query, and with single slashes: 0.118 requests `/backend-api//connectors/…`. */
  readonly path: string;
  readonly headers: HeaderList;
  readonly body: string;
};

/** What the responses depend on besides the request. */
type SideRun = { readonly faults: PendingFaults; readonly models: readonly string[] };

type SideResponder = (request: SideRequest, run: SideRun) => HttpResponse;

const always = (value: object): SideResponder => {
  return () => jsonResponse(200, value);
};

/**
 * What the official client requests besides responses (measured: codex 0.118.0 and 0.169.0). With these responses
 * neither logs an error. Its hosts (chatgpt.com, ab.chatgpt.com, auth.openai.com) share the table, as their paths do
 * not overlap.
 */
const routes: ReadonlyMap<string, SideResponder> = new Map([
  ['GET /backend-api/wham/accounts/check', accountsCheck],
  // With an empty list the client keeps its bundled catalogue. Its other traffic is the same as after a 404, but it
  // requests the list half as often and logs no error.
  ['GET /backend-api/codex/models', modelList],
  ['GET /backend-api/wham/settings/user', always({})],
  // Business, enterprise and edu accounts request it, and start no turn before the response.
  ['GET /backend-api/wham/config/bundle', always({})],
  ['GET /backend-api/wham/config/requirements', always({})],
  ['GET /backend-api/wham/usage', always({ plan_type: 'pro', rate_limit: null, credits: null })],
  ['GET /backend-api/ps/plugins/installed', always({ plugins: [], pagination: { limit: 200 } })],
  ['GET /backend-api/ps/plugins/suggested/codex', always({ plugins: [], pagination: {} })],
  ['GET /backend-api/plugins/featured', always([])],
  ['GET /backend-api/connectors/directory/list', always({ apps: [], nextToken: null })],
  ['POST /backend-api/wham/apps', mcp],
  ['POST /backend-api/ps/mcp', mcp],
  ['POST /backend-api/codex/analytics-events/events', always({})],
  ['POST /otlp/v1/metrics', always({})],
  ['POST /oauth/token', refresh],
]);

/** The response from the table; undefined for a request that is not in it. */
export function sideResponse(request: SideRequest, run: SideRun): HttpResponse | undefined {
  return routes.get(`${request.method} ${request.path}`)?.(request, run);
}

function modelList(_: SideRequest, { models }: SideRun): HttpResponse {
  return jsonResponse(200, {
    models: models.map((slug, priority) => ({
      ...{ slug, display_name: slug, visibility: 'list', supported_in_api: true, priority },
      context_window: 272_000,
    })),
  });
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
 * A token refresh grants new tokens without an account. The client reads their expiry and sends the access token; its
 * account stays that of its auth.json. In a refusal, the error code decides whether the client must sign in again
 * (measured: codex 0.169.0, scenario refresh-refused).
 */
function refresh(_: SideRequest, { faults }: SideRun): HttpResponse {
  const code = faults.refreshRefusal();
  if (code === undefined) {
    const refresh_token = `refresh-${randomHex()}`;
    return jsonResponse(200, { id_token: newToken(), access_token: newToken(), refresh_token });
  }
  return jsonResponse(401, {
    error: { type: 'invalid_request_error', code, message: 'The tokens are not refreshed.' },
  });
}

/** A token that expires in ten days. */
function newToken(): string {
  const now = Math.floor(Date.now() / 1000);
  return unsignedToken({ iat: now, exp: now + 10 * 24 * 60 * 60, jti: randomHex() });
}

function randomHex(): string {
  return randomBytes(16).toString('hex');
}

/**
 * A minimal MCP server over streamable HTTP: it initialises, and has no tools. After a 404 instead, the client would
 * log a failed MCP start-up.
 *
 * @see https://modelcontextprotocol.io/specification/2025-06-18/basic/transports#streamable-http
 */
function mcp({ body }: SideRequest): HttpResponse {
  const message = tryParseJson(body)?.node;
  if (message?.kind !== 'object') return rpc(null, 'error', { code: -32700, message: 'Parse error' });
  const id = member(message, 'id');
  // A notification has no id, and gets no result.
  if (id === undefined) return { status: 202, headers: [], body: '' };
  switch (stringAt(message, 'method')) {
    case 'initialize': {
      const protocolVersion = stringAt(message, 'params', 'protocolVersion') ?? '2025-06-18';
      const serverInfo = { name: 'simulated-backend', version: '1' };
      return rpc(id, 'result', { protocolVersion, capabilities: { tools: {} }, serverInfo });
    }
    case 'tools/list':
      return rpc(id, 'result', { tools: [] });
    case 'ping':
      return rpc(id, 'result', {});
    default:
      return rpc(id, 'error', { code: -32601, message: 'Method not found' });
  }
}

function rpc(id: JsonNode | null, key: 'result' | 'error', value: object): HttpResponse {
  return {
    ...jsonResponse(200, {}),
    body: printJson(jsonObject({ jsonrpc: '2.0', id, [key]: toNode(value) })),
  };
}
