import { setTimeout as delay } from 'node:timers/promises';
import { headerValue } from '../../wire/headers.ts';
import { member, stringAt, tryParseJson } from '../../wire/json.ts';
import { ApiError, errorFrame } from '../http/api-error.ts';
import { BackendAnswer } from '../http/backend-answer.ts';

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
  const pause = pauseIn(told);
  if (pause !== undefined && pause > longestPause) return false;
  if (status === 429) return pause !== undefined && !names.some((name) => usedUp.has(name));
  if (status === 503 && names.includes('server_is_overloaded')) return pause !== undefined;
  return status !== 400;
}

/**
 * Milliseconds after which the backend wants to be asked again, told in whole seconds or as a date; undefined where it
 * says nothing of it.
 */
export function pauseIn(error: unknown): number | undefined {
  const told = error instanceof BackendAnswer ? error.told : error;
  const stated = told instanceof ApiError ? headerValue(told.headers, 'retry-after') : undefined;
  if (stated === undefined) return undefined;
  if (/^\d+$/.test(stated)) return Number(stated) * 1000;
  const moment = stated.endsWith(' GMT') ? Date.parse(stated) : Number.NaN;
  return Number.isNaN(moment) ? undefined : Math.max(0, moment - Date.now());
}

/** The error that asks for the turn to be taken to another connection, where that can help; undefined for all else. */
export function reconnecting(type: string, text: string, knowsAll: boolean): ApiError | undefined {
  const frame = type === 'error' ? tryParseJson(text)?.node : undefined;
  if (frame === undefined) return undefined;
  const told = errorFrame(frame);
  const code = stringAt(frame, 'error', 'code') ?? '';
  if (reconnected.has(code)) {
    return code !== 'previous_response_not_found' || knowsAll ? told : undefined;
  }
  const status = member(frame, 'status');
  return status?.kind === 'number' && asksAgain(Number(status.text), told) ? told : undefined;
}

/** Whether the backend failed at a POST, or did not answer it. */
export function isBackendsFault(error: unknown): boolean {
  if (error instanceof BackendAnswer) return error.status >= 500 && (pauseIn(error) ?? 0) <= longestPause;
  return codeOf(error) === unreachable;
}

/** Whether an attempt that failed so, over HTTP or by a refused upgrade, is worth another one. */
export function canBeAskedAgain(error: unknown): boolean {
  if (error instanceof BackendAnswer) return !error.isFinal && asksAgain(error.status, error.told);
  return codeOf(error) === cutOff || codeOf(error) === unreachable;
}

/**
 * Does `work`, and once more after each of the pauses, as long as it fails in a way that `again` takes to be worth it.
 * A pause that the backend asks for counts instead of ours, as for the official client (measured: codex 0.169.0).
 */
export async function repeated<T>(
  work: () => Promise<T>,
  pauses: readonly number[],
  again: (error: unknown) => boolean,
  signal: AbortSignal,
): Promise<T> {
  for (const pause of pauses) {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted || !again(error)) throw error;
      await delay(pauseIn(error) ?? pause, undefined, { signal });
    }
  }
  return work();
}

function codeOf(error: unknown): string | undefined {
  return error instanceof ApiError ? stringAt(error.error, 'code') : undefined;
}
