import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { listenLocally } from '../../../src/listening.ts';
import type { TokenEndpoint } from '../../../src/proxy/sign-in/token-endpoint.ts';

export type TokenResponse = { readonly status: number; readonly body: string } | 'hang up';

/** Creates a token that expires in `seconds`. `jti` makes it unique. */
export function token(seconds: number, jti: string): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + seconds;
  return `${part({ alg: 'none' })}.${part({ exp, jti })}.${Buffer.from('unsigned').toString('base64url')}`;
}

/** The endpoint's response with the `n`th new tokens. */
export function granted(n: number): TokenResponse {
  const tokens = { id_token: token(3600, `id-${n}`), access_token: token(3600, `access-${n}`) };
  return { status: 200, body: JSON.stringify({ ...tokens, refresh_token: `refresh-${n}` }) };
}

/** Starts a token endpoint on loopback. `respond` gets the ordinal of the request, from 1. */
export async function tokenEndpoint(
  respond: (n: number) => TokenResponse | Promise<TokenResponse> = granted,
) {
  const requests: { headers: readonly string[]; body: string }[] = [];
  const server = createServer(async (request: IncomingMessage, response) => {
    const body = await text(request);
    requests.push({ headers: request.rawHeaders, body });
    const result = await respond(requests.length);
    if (result === 'hang up') return request.socket.destroy();
    response.writeHead(result.status, { 'content-type': 'application/json' });
    return response.end(result.body);
  });
  const port = await listenLocally(server);
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { endpoint: endpointAt(port), requests };
}

export function endpointAt(port: number): TokenEndpoint {
  return {
    url: new URL(`http://127.0.0.1:${port}/oauth/token`),
    originator: 'codex_exec',
    userAgent: 'codex_exec/0.169.0',
    form: { alpn: [], http2: undefined },
  };
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'codex-parity-sign-in-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}

/** Writes an auth.json to a new folder. Its access token expires in `seconds`. */
export function authFile(seconds: number, more: object = {}): string {
  const path = join(temporaryFolder(), 'auth.json');
  writeFileSync(path, authText(token(seconds, 'access-0'), more), { mode: 0o600 });
  return path;
}

export function authText(accessToken: string, more: object = {}): string {
  return JSON.stringify({
    auth_mode: 'chatgpt',
    OPENAI_API_KEY: null,
    tokens: {
      id_token: token(3600, 'id-0'),
      access_token: accessToken,
      refresh_token: 'refresh-0',
      account_id: 'account-0',
    },
    last_refresh: '2026-01-01T00:00:00Z',
    ...more,
  });
}

/** Returns the tokens in an auth.json. */
export function storedTokens(path: string): { refreshToken: unknown; accessToken: unknown } {
  const { tokens } = JSON.parse(readFileSync(path, 'utf8'));
  return { refreshToken: tokens.refresh_token, accessToken: tokens.access_token };
}
