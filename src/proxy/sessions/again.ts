import { member, stringAt, tryParseJson } from '../../wire/json.ts';
import { ApiError } from '../api-error.ts';
import { BackendAnswer } from './backend-answer.ts';

/** The code of the error that tells of an answer without an end. */
export const cutOff = 'upstream_lost';

/** Statuses of a refused upgrade after which the official client tries again, and then turns to HTTP. */
export const retried: ReadonlySet<number> = new Set([403, 404, 500, 502, 503, 504]);

/** Error codes after which the official client takes the turn to a new connection, whatever the status. */
const reconnected: ReadonlySet<string> = new Set([
  'websocket_connection_limit_reached',
  'previous_response_not_found',
]);

/**
 * Whether the official client asks again after an error of this status (measured: codex 0.169.0: error frames of 401,
 * 403, 404, 500, 503 and 529, answers over HTTP of 403, 404, 500 and 503; but not 400 and 429).
 */
function asksAgain(status: number): boolean {
  return status > 400 && status !== 429;
}

/** Whether an event asks for the turn to be taken to another connection, where that can help. */
export function reconnects(type: string, text: string, knowsAll: boolean): boolean {
  if (type !== 'error') return false;
  const frame = tryParseJson(text)?.node;
  const code = stringAt(frame, 'error', 'code') ?? '';
  if (reconnected.has(code)) return code !== 'previous_response_not_found' || knowsAll;
  const status = member(frame, 'status');
  return status?.kind === 'number' && asksAgain(Number(status.text)) && code !== 'server_is_overloaded';
}

/** Whether a POST that failed so is worth another one. After a 401 the sign-in was renewed already. */
export function canBeAskedAgain(error: unknown): boolean {
  if (error instanceof BackendAnswer) return error.status !== 401 && asksAgain(error.status);
  return error instanceof ApiError && stringAt(error.error, 'code') === cutOff;
}
