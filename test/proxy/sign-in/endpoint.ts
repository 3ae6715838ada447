import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { listenLocally } from '../../../src/listening.ts';
import type { TokenEndpoint } from '../../../src/proxy/sign-in/token-endpoint.ts';

export type Answer = { readonly status: number; readonly body: string } | 'hang up';

/** A token that runs out in so many seconds; `jti` tells one from another. */
export function token(seconds: number, jti: string): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + seconds;
  return `${part({ alg: 'none' })}.${part({ exp, jti })}.${Buffer.from('unsigned').toString('base64url')}`;
}

/** New tokens as the endpoint answers them: the `n`-th. */
export function granted(n: number): Answer {
  const tokens = { id_token: token(3600, `id-${n}`), access_token: token(3600, `access-${n}`) };
  return { status: 200, body: JSON.stringify({ ...tokens, refresh_token: `refresh-${n}` }) };
}

/** A token endpoint on loopback; `answer` is asked with the number of the request, from 1. */
export async function tokenEndpoint(answer: (n: number) => Answer | Promise<Answer> = granted) {
  const requests: { headers: readonly string[]; body: string }[] = [];
  const server = createServer(async (request: IncomingMessage, response) => {
    const body = await text(request);
    requests.push({ headers: request.rawHeaders, body });
    const said = await answer(requests.length);
    if (said === 'hang up') return request.socket.destroy();
    response.writeHead(said.status, { 'content-type': 'application/json' });
    return response.end(said.body);
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
  };
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'codex-parity-sign-in-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}

/** An auth.json of one's own in a fresh folder, whose access token runs out in so many seconds. */
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

/** What a file of the official client's form holds. */
export function held(path: string): { refreshToken: unknown; accessToken: unknown } {
  const { tokens } = JSON.parse(readFileSync(path, 'utf8'));
  return { refreshToken: tokens.refresh_token, accessToken: tokens.access_token };
}
