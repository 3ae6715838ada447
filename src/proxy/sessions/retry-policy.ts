import { setTimeout as delay } from 'node:timers/promises';
import { type HeaderList, headerValue } from '../../wire/headers.ts';
import { member, stringAt, tryParseJson } from '../../wire/json.ts';
import { type ApiError, errorFromBackend, errorFromFrame } from '../http/errors.ts';
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

/**
 * Retries of a POST that count as one attempt (measured: codex 0.169.0: after HTTP responses of 500, 502, 503, 504 and
 * 529, and connections that end before the response, it sends 30 POSTs: six attempts of five. After all other failures
 * it sends six POSTs).
 */
export const postRetries = 4;

/**
 * Milliseconds. If the backend asks for a longer pause, the client gets the error instead of a silent wait. The official
 * client shows the error to its user and waits (measured: codex 0.169.0, 40 s).
 */
const longestPause = 60_000;

/** Errors of status 429 that end a turn even if the backend says when to retry. */
const usageCode = /^(?:usage_limit_reached|usage_not_included|insufficient_quota)$/;

/**
 * Whether the official client retries after an error before the first event. Measured with codex 0.169.0:
 *
 * - retried error frames: 401, 403, 404, 500, 503, 529
 * - retried refusals of an upgrade: 402 to 404, 408, 409, 500, 503, 529
 * - retried HTTP responses: 200 without events, 401 to 404, 408, 409, 422, 425, 500, 502 to 504, 529
 * - never retried: 400
 * - retried only with `retry-after`: 429, and 503 for an overloaded model
 */
function isRetriedError(status: number, error: ApiError): boolean {
  const names = [stringAt(error.error, 'type') ?? '', error.code ?? ''];
  const pause = retryAfter(error.headers);
  if (pause !== undefined && pause > longestPause) return false;
  if (status === 429) return pause !== undefined && !names.some((name) => usageCode.test(name));
  if (status === 503 && names.includes('server_is_overloaded')) return pause !== undefined;
  return status !== 400;
}

/** Returns the pause that `retry-after` asks for, in milliseconds. The header has whole seconds or a date. */
export function retryAfter(headers: HeaderList): number | undefined {
  const value = headerValue(headers, 'retry-after');
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const time = value.endsWith(' GMT') ? Date.parse(value) : Number.NaN;
  return Number.isNaN(time) ? undefined : Math.max(0, time - Date.now());
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
  // After these codes the official client opens a new connection, whatever the status.
  if (code === 'websocket_connection_limit_reached') return error;
  if (code === 'previous_response_not_found') return hasFullInput ? error : undefined;
  const status = member(frame, 'status');
  return status?.kind === 'number' && isRetriedError(Number(status.text), error) ? error : undefined;
}

export function isRetriedPost(outcome: PostOutcome): boolean {
  if (outcome.kind === 'failed') return outcome.error.code === backendUnreachable;
  if (outcome.kind === 'events') return false;
  const { status, headers } = outcome.response;
  return status >= 500 && (retryAfter(headers) ?? 0) <= longestPause;
}

export function isRetriedAttempt(outcome: PostOutcome): boolean {
  if (outcome.kind === 'failed') {
    return outcome.error.code === responseCutOff || outcome.error.code === backendUnreachable;
  }
  return outcome.kind === 'response' && !outcome.isFinal && isRetriedResponse(outcome.response);
}

/** Whether to retry after an HTTP response without events, or after a refused upgrade. */
export function isRetriedResponse(response: BackendResponse): boolean {
  return isRetriedError(response.status, errorFromBackend(response));
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
