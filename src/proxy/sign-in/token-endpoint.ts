import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { text } from 'node:stream/consumers';
import type { HeaderList } from '../../wire/headers.ts';
import { stringAt, tryParseJson } from '../../wire/json.ts';
import type { RefreshReason, Tokens } from './stored.ts';

/** Where tokens are renewed, and how whoever asks calls itself: as in its other requests. */
export type TokenEndpoint = {
  readonly url: URL;
  readonly originator: string;
  readonly userAgent: string;
};

/** How the endpoint answered. `reason` holds no part of the answer but a code that is known. */
export type Refreshed =
  | { readonly outcome: 'renewed'; readonly tokens: Tokens }
  /** It will not be granted however often it is asked for. */
  | { readonly outcome: 'refused'; readonly reason: string }
  /** It may be granted another time. */
  | { readonly outcome: 'failed'; readonly reason: string };

export const officialTokenUrl = new URL('https://auth.openai.com/oauth/token');

/** The official client's registration; the same in 0.118.0 and 0.169.0 (measured). */
const clientId = 'app_EMoamEEZ73f0CkXaXp7hrann';

/** Milliseconds for one attempt. */
const timeLimit = 10_000;

/**
 * With these the official client gives up, whatever the status; without them, at status 401 only (measured: codex
 * 0.169.0).
 */
const refusals: ReadonlySet<string> = new Set([
  'invalid_grant',
  'refresh_token_expired',
  'refresh_token_reused',
  'refresh_token_invalidated',
]);

/**
 * Asks once for new tokens, as the official client does: headers, their order, and body (measured: codex 0.169.0).
 * Never rejects.
 */
export async function refreshTokens(
  { url, originator, userAgent }: TokenEndpoint,
  refreshToken: string,
  reason: RefreshReason,
): Promise<Refreshed> {
  const body = JSON.stringify({
    client_id: clientId,
    grant_type: 'refresh_token',
    refresh_reason: reason,
    refresh_token: refreshToken,
  });
  const headers: HeaderList = [
    ['content-type', 'application/json'],
    ['originator', originator],
    ['user-agent', userAgent],
    ['accept', '*/*'],
    ['host', url.host],
    ['content-length', String(Buffer.byteLength(body))],
  ];
  try {
    const answer = await post(url, headers, body);
    return understood(answer.status, answer.body);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const late = error instanceof Error && error.name === 'AbortError';
    return {
      outcome: 'failed',
      reason: late ? `no answer in ${timeLimit / 1000} s` : String(code ?? 'no answer'),
    };
  }
}

function understood(status: number, body: string): Refreshed {
  const answer = tryParseJson(body)?.node;
  if (status >= 200 && status < 300) {
    const accessToken = stringAt(answer, 'access_token');
    if (!accessToken) return { outcome: 'failed', reason: 'an answer without a token' };
    const idToken = stringAt(answer, 'id_token') || undefined;
    const refreshToken = stringAt(answer, 'refresh_token') || undefined;
    return { outcome: 'renewed', tokens: { idToken, accessToken, refreshToken } };
  }
  const code = stringAt(answer, 'error', 'code') ?? stringAt(answer, 'error') ?? '';
  if (refusals.has(code)) return { outcome: 'refused', reason: code };
  return { outcome: status === 401 ? 'refused' : 'failed', reason: `status ${status}` };
}

function post(url: URL, headers: HeaderList, body: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'http:' ? requestHttp : requestHttps;
    const request = send(url, { method: 'POST', signal: AbortSignal.timeout(timeLimit) });
    // Node sets these of itself, unless told that they are not wanted.
    for (const name of [...request.getHeaderNames(), 'connection']) request.removeHeader(name);
    for (const [name, value] of headers) request.appendHeader(name, value);
    request.once('error', reject);
    request.once('response', (response) => {
      text(response).then((heard) => resolve({ status: response.statusCode ?? 0, body: heard }), reject);
    });
    request.end(body);
  });
}
