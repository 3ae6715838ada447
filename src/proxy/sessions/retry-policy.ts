import { setTimeout as delay } from 'node:timers/promises';
import { stringAt, tryParseJson } from '../../wire/json.ts';
import { isAccountLimit, retryAfter } from '../http/account-limit.ts';
import { type ApiError, errorFromBackend, errorFromFrame, statedStatus } from '../http/errors.ts';
import type { BackendResponse } from '../http/upstream/send-upstream.ts';

export type PostOutcome =
  /** With the last event of a response. */
  | { readonly kind: 'events'; readonly last: string }
  /** With an HTTP response without events. `isFinal`: it refuses a sign-in that cannot be renewed. */
  | { readonly kind: 'response'; readonly response: BackendResponse; readonly isFinal: boolean }
  /** Without a response, or within one. */
  | { readonly kind: 'failed'; readonly error: ApiError };

export const responseCutOff = 'upstream_lost';

export const backendUnreachable = 'upstream_unreachable';

/** The backend lets the client wait. A retry could take as long again. */
export const backendSilent = 'upstream_silent';

/** The attempts in all when the backend responds with errors. */
export const errorAttempts = 4;

/** Milliseconds. If the backend asks for a longer pause, the client gets the error at once, and can wait by itself. */
const longestPause = 5_000;

/** Statuses below 500 that may be gone at the next attempt. A new connection renews a refused sign-in. */
const passingStatuses: ReadonlySet<number> = new Set([401, 408, 409, 425]);

/**
 * Whether the same request may succeed in a moment. Programs retry by themselves, so an error that they can only fix by
 * another request, such as 404, is theirs at once. The official client retries such errors too, for up to 81 seconds
 * (measured: codex 0.169.0).
 */
function isRetriedError(status: number, error: ApiError): boolean {
  const names = [stringAt(error.error, 'type') ?? '', error.code ?? ''];
  const pause = retryAfter(error.headers);
  if (isAccountLimit(error.error) || (pause !== undefined && pause > longestPause)) return false;
  if (status === 429) return pause !== undefined;
  if (status === 503 && names.includes('server_is_overloaded')) return pause !== undefined;
  return status >= 500 || passingStatuses.has(status);
}

/**
 * Returns the error in an event after which the turn is retried on a new connection, or undefined for any other event.
 * Without the full input, the turn cannot continue from a response that the backend does not find.
 */
export function reconnectError(type: string, text: string, hasFullInput: boolean): ApiError | undefined {
  const frame = type === 'error' ? tryParseJson(text)?.node : undefined;
  if (frame === undefined) return undefined;
  const error = errorFromFrame(frame);
  const code = stringAt(frame, 'error', 'code') ?? '';
  // A client is not left waiting for longer. After these codes the official client opens a new connection, whatever the status.
  if ((retryAfter(error.headers) ?? 0) > longestPause) return undefined;
  if (code === 'websocket_connection_limit_reached') return error;
  if (code === 'previous_response_not_found') return hasFullInput ? error : undefined;
  const status = statedStatus(frame);
  return status !== undefined && isRetriedError(status, error) ? error : undefined;
}

export function isRetriedPost(outcome: PostOutcome): boolean {
  if (outcome.kind === 'failed') {
    return outcome.error.code === responseCutOff || outcome.error.code === backendUnreachable;
  }
  return outcome.kind === 'response' && !outcome.isFinal && isRetriedResponse(outcome.response);
}

/** Whether to retry after an HTTP response without events. */
function isRetriedResponse(response: BackendResponse): boolean {
  return isRetriedError(response.status, errorFromBackend(response));
}

/**
 * What to do after a refused upgrade: retry it, report the refusal, or use HTTP at once. What stands between proxy and
 * backend may refuse upgrades only, with 403 or 404 for example. The official client makes seven upgrades before it uses
 * HTTP (measured: codex 0.169.0, after 402 to 404, 408, 409, 500, 503 and 529); a program would wait for nothing.
 */
export function afterRefusedUpgrade(response: BackendResponse): 'retry' | 'report' | 'use http' {
  const { status } = response;
  if (isRetriedResponse(response)) return 'retry';
  const isFinal = status === 400 || status === 401 || status === 429 || status >= 500;
  return isFinal || passingStatuses.has(status) ? 'report' : 'use http';
}

export type RetryOptions = {
  /** Milliseconds before each retry. */
  readonly pauses: readonly number[];
  readonly shouldRetry: (outcome: PostOutcome) => boolean;
  readonly onRetry: (outcome: PostOutcome) => void;
  readonly signal: AbortSignal;
};

/**
 * Posts until `shouldRetry` returns false or all retries are used up. A pause that the backend asks for replaces the
 * given one, as in the official client (measured: codex 0.169.0).
 */
export async function withRetries(
  post: () => Promise<PostOutcome>,
  { pauses, shouldRetry, onRetry, signal }: RetryOptions,
): Promise<PostOutcome> {
  for (const pause of pauses) {
    const outcome = await post();
    if (signal.aborted || !shouldRetry(outcome)) return outcome;
    onRetry(outcome);
    const requested = outcome.kind === 'response' ? retryAfter(outcome.response.headers) : undefined;
    await delay(requested ?? pause, undefined, { signal });
  }
  return post();
}
