import { setTimeout as delay } from 'node:timers/promises';
import { type HeaderList, headerValue } from '../../wire/headers.ts';
import { member, stringAt, tryParseJson } from '../../wire/json.ts';
import { type ApiError, errorFromBackend, errorFromFrame } from '../http/errors.ts';
import type { BackendResponse } from '../http/upstream/send-upstream.ts';

/** How a POST ended. */
export type PostOutcome =
  /** With the last event of a response. */
  | { readonly kind: 'events'; readonly last: string }
  /** With an HTTP response without events. `isFinal`: it refuses a sign-in that cannot be renewed. */
  | { readonly kind: 'response'; readonly response: BackendResponse; readonly isFinal: boolean }
  /** Without a response, or within one. */
  | { readonly kind: 'failed'; readonly error: ApiError };

/** The code of the error that tells of an answer without an end. */
export const cutOff = 'upstream_lost';

/** The code of the error that tells of no answer at all. */
export const unreachable = 'upstream_unreachable';

/**
 * POSTs after one that the backend failed at, or did not answer: they are one attempt at the turn (measured: codex
 * 0.169.0, answers over HTTP of 500, 502, 503, 504 and 529, and connections that end before the answer: 30 POSTs, which
 * are six attempts of five; all other failures: six POSTs).
 */
export const repeatedPosts = 4;

/** Error codes after which the official client takes the turn to a new connection, whatever the status. */
const reconnected: ReadonlySet<string> = new Set([
  'websocket_connection_limit_reached',
  'previous_response_not_found',
]);

/**
 * The longest that a client waits for without a word, in milliseconds; where the backend wants to be left alone for
 * longer, the client is told. The official client tells its user, and waits (measured: codex 0.169.0, 40 s).
 */
const longestPause = 60_000;

/** Errors of status 429 that end a turn also where the backend says when to come again. */
const usedUp: ReadonlySet<string> = new Set([
  'usage_limit_reached',
  'usage_not_included',
  'insufficient_quota',
]);

/**
 * Whether the official client asks again after an error that begins no answer (measured: codex 0.169.0: error frames
 * of 401, 403, 404, 500, 503 and 529; refused upgrades of 402 to 404, 408, 409, 500, 503 and 529; answers over HTTP of
 * 200 without events, 401 to 404, 408, 409, 422, 425, 500, 502 to 504 and 529). It does not after 400; nor after 429,
 * or 503 of an overloaded model, unless it is told when to come.
 */
function asksAgain(status: number, told: ApiError): boolean {
  const names = [stringAt(told.error, 'type') ?? '', stringAt(told.error, 'code') ?? ''];
  const pause = pauseIn(told.headers);
  if (pause !== undefined && pause > longestPause) return false;
  if (status === 429) return pause !== undefined && !names.some((name) => usedUp.has(name));
  if (status === 503 && names.includes('server_is_overloaded')) return pause !== undefined;
  return status !== 400;
}

/**
 * Milliseconds after which the backend wants to be asked again, told in whole seconds or as a date; undefined where it
 * says nothing of it.
 */
export function pauseIn(headers: HeaderList): number | undefined {
  const stated = headerValue(headers, 'retry-after');
  if (stated === undefined) return undefined;
  if (/^\d+$/.test(stated)) return Number(stated) * 1000;
  const moment = stated.endsWith(' GMT') ? Date.parse(stated) : Number.NaN;
  return Number.isNaN(moment) ? undefined : Math.max(0, moment - Date.now());
}

/** The error that asks for the turn to be taken to another connection, where that can help; undefined for all else. */
export function reconnecting(type: string, text: string, knowsAll: boolean): ApiError | undefined {
  const frame = type === 'error' ? tryParseJson(text)?.node : undefined;
  if (frame === undefined) return undefined;
  const told = errorFromFrame(frame);
  const code = stringAt(frame, 'error', 'code') ?? '';
  if (reconnected.has(code)) {
    return code !== 'previous_response_not_found' || knowsAll ? told : undefined;
  }
  const status = member(frame, 'status');
  return status?.kind === 'number' && asksAgain(Number(status.text), told) ? told : undefined;
}

/** Whether the backend failed at a POST, or did not answer it. */
export function isBackendsFault(outcome: PostOutcome): boolean {
  if (outcome.kind === 'failed') return outcome.error.code === unreachable;
  if (outcome.kind === 'events') return false;
  const { status, headers } = outcome.response;
  return status >= 500 && (pauseIn(headers) ?? 0) <= longestPause;
}

/** Whether an attempt that failed so, over HTTP or by a refused upgrade, is worth another one. */
export function canBeAskedAgain(outcome: PostOutcome): boolean {
  if (outcome.kind === 'failed') return outcome.error.code === cutOff || outcome.error.code === unreachable;
  if (outcome.kind === 'events') return false;
  return !outcome.isFinal && asksAgain(outcome.response.status, errorFromBackend(outcome.response));
}

/**
 * Does `work`, and once more after each of the pauses, as long as `again` returns true for its outcome.
 * A pause that the backend asks for counts instead of ours, as for the official client (measured: codex 0.169.0).
 */
export async function repeated(
  work: () => Promise<PostOutcome>,
  pauses: readonly number[],
  again: (outcome: PostOutcome) => boolean,
  signal: AbortSignal,
): Promise<PostOutcome> {
  for (const pause of pauses) {
    const outcome = await work();
    if (signal.aborted || !again(outcome)) return outcome;
    const stated = outcome.kind === 'response' ? pauseIn(outcome.response.headers) : undefined;
    await delay(stated ?? pause, undefined, { signal });
  }
  return work();
}
