import type { HeaderList } from '../../wire/headers.ts';
import { stringAt, tryParseJson } from '../../wire/json.ts';
import { Timeout } from '../http/timeout.ts';
import type { HttpForm } from '../http/upstream/http-form.ts';
import { longestRefusal, readResponse, sendUpstream } from '../http/upstream/send-upstream.ts';
import { type IssuedTokens, isCredential, type RefreshReason } from './stored-sign-in.ts';

/** Where tokens are renewed, and how the client names itself there: as in its other requests. */
export type TokenEndpoint = {
  readonly url: URL;
  readonly originator: string;
  readonly userAgent: string;
  /** How the client connects, as for its other requests. */
  readonly form: HttpForm;
};

/** The result of a refresh. `reason` contains nothing of the response except known error codes. */
export type RefreshResult =
  | { readonly outcome: 'renewed'; readonly tokens: IssuedTokens }
  /** A retry may succeed after `failed`, but not after `refused`. */
  | { readonly outcome: 'refused' | 'failed'; readonly reason: string };

export const officialTokenUrl = new URL('https://auth.openai.com/oauth/token');

/** The official client's OAuth client id (measured: codex 0.118.0 and 0.169.0). */
const clientId = 'app_EMoamEEZ73f0CkXaXp7hrann';

const attemptTimeout = 10_000;

/**
 * Error codes after which the official client gives up, whatever the status. Without one of them it gives up only at
 * status 401 (measured: codex 0.169.0).
 */
const refusalCodes: ReadonlySet<string> = new Set([
  'invalid_grant',
  'refresh_token_expired',
  'refresh_token_reused',
  'refresh_token_invalidated',
]);

/** Requests new tokens once, with the official client's headers and body (measured: codex 0.169.0). Never rejects. */
export async function refreshTokens(
  { url, originator, userAgent, form }: TokenEndpoint,
  refreshToken: string,
  reason: RefreshReason,
): Promise<RefreshResult> {
  const body = Buffer.from(
    JSON.stringify({
      client_id: clientId,
      grant_type: 'refresh_token',
      refresh_reason: reason,
      refresh_token: refreshToken,
    }),
  );
  const headers: HeaderList = [
    ['content-type', 'application/json'],
    ['originator', originator],
    ['user-agent', userAgent],
    ['accept', '*/*'],
    ['host', url.host],
    ['content-length', String(body.length)],
  ];
  const attempt = new AbortController();
  const { signal } = attempt;
  const timeout = new Timeout(attemptTimeout, () => attempt.abort());
  try {
    const response = await sendUpstream({ url, method: 'POST', headers, body, signal, form });
    const { status, body: received } = await readResponse(response, {
      bytes: longestRefusal,
      milliseconds: attemptTimeout,
    });
    return decodeResult(status, received.toString('utf8'));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    return {
      outcome: 'failed',
      reason: signal.aborted ? `no response in ${attemptTimeout / 1000} s` : String(code ?? 'no response'),
    };
  } finally {
    timeout.end();
  }
}

function decodeResult(status: number, body: string): RefreshResult {
  const response = tryParseJson(body)?.node;
  if (status >= 200 && status < 300) {
    const accessToken = stringAt(response, 'access_token');
    if (accessToken === undefined || !isCredential(accessToken))
      return { outcome: 'failed', reason: 'a response without a token' };
    const idToken = stringAt(response, 'id_token') || undefined;
    const refreshToken = stringAt(response, 'refresh_token') || undefined;
    return { outcome: 'renewed', tokens: { idToken, accessToken, refreshToken } };
  }
  const code = stringAt(response, 'error', 'code') ?? stringAt(response, 'error') ?? '';
  if (refusalCodes.has(code)) return { outcome: 'refused', reason: code };
  return { outcome: status === 401 ? 'refused' : 'failed', reason: `status ${status}` };
}
