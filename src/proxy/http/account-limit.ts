import { type HeaderList, headerValue } from '../../wire/headers.ts';
import { type JsonNode, member, stringAt } from '../../wire/json.ts';

/**
 * Types and codes of errors with which the backend says that an account gets no responses: its usage limit is reached (with
 * the time of its reset), its plan lacks Codex, its quota is used up, its workspace is closed. Reported by users, the last
 * one in `detail`.
 */
const accountCode = /^(?:usage_limit_reached|usage_not_included|insufficient_quota|deactivated_workspace)$/;

/** Milliseconds for which an account is not chosen if the backend states no time. */
const usualLimit = 60 * 60_000;

/** Longer times are taken for a mistake: limits are reset every month at least. */
const longestLimit = 32 * 24 * usualLimit;

/** Whether an error concerns the account, and not the request. */
export function isAccountLimit(error: JsonNode): boolean {
  return ['type', 'code'].some((key) => accountCode.test(stringAt(error, key) ?? ''));
}

/**
 * Returns until when an account gets no responses, in milliseconds since 1970. Undefined if the error is not about the
 * account.
 */
export function limitedUntil(error: JsonNode, headers: HeaderList): number | undefined {
  if (!isAccountLimit(error)) return undefined;
  const milliseconds = statedReset(error) ?? retryAfter(headers) ?? usualLimit;
  return Date.now() + Math.min(Math.max(milliseconds, 1000), longestLimit);
}

/** Adds `retry-after` to the headers of an error that states in its body when the account's limit is reset. */
export function withRetryAfter(error: JsonNode | undefined, headers: HeaderList): HeaderList {
  if (error === undefined || !isAccountLimit(error) || retryAfter(headers) !== undefined) return headers;
  const reset = statedReset(error);
  return reset === undefined ? headers : [...headers, ['retry-after', String(Math.ceil(reset / 1000))]];
}

/** Milliseconds from now. The number of seconds does not depend on this machine's clock, so it comes first. */
function statedReset(error: JsonNode): number | undefined {
  const seconds = numberAt(error, 'resets_in_seconds');
  const at = numberAt(error, 'resets_at');
  const milliseconds = seconds === undefined ? at && at * 1000 - Date.now() : seconds * 1000;
  return milliseconds === undefined ? undefined : Math.max(0, milliseconds);
}

function numberAt(error: JsonNode, key: string): number | undefined {
  const value = member(error, key);
  return value?.kind === 'number' ? Number(value.text) : undefined;
}

/** Returns the pause that `retry-after` asks for, in milliseconds. The header has whole seconds or a date. */
export function retryAfter(headers: HeaderList): number | undefined {
  const value = headerValue(headers, 'retry-after');
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const time = value.endsWith(' GMT') ? Date.parse(value) : Number.NaN;
  return Number.isNaN(time) ? undefined : Math.max(0, time - Date.now());
}
