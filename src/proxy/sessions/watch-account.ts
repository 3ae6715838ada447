import { headerValue } from '../../wire/headers.ts';
import { withRetryAfter } from '../http/account-limit.ts';
import { errorFromBackend, errorFromEvent } from '../http/errors.ts';
import type { BackendResponse } from '../http/upstream/send-upstream.ts';
import { printMembers, type RawMember, rawMember, rawMembers } from '../shape/raw-json.ts';
import type { TurnAttempt } from './turn.ts';
import type { EventHandler } from './upstream-connection.ts';

/**
 * Watches what the backend says about the account in one attempt. `holder`: of the sign-in; see holderOf. `hasSeveral`:
 * whether there are several accounts. Then errors state in `retry-after` when the account's limit is reset: the client
 * receives them only if no account can serve it.
 */
export function watchAccount(attempt: TurnAttempt, holder: string, hasSeveral: boolean) {
  let changed = false;
  const amended = (type: string, text: string) =>
    hasSeveral && type === 'error' ? withResetTime(type, text) : text;
  const onEvent: EventHandler = (type, text) => {
    const error = errorFromEvent(type, text);
    changed = error !== undefined && attempt.changesAccount(error, holder);
    return changed ? undefined : attempt.onEvent(type, amended(type, text));
  };
  return {
    onEvent,
    amended,
    /** Whether the next attempt has another account. */
    hasChanged: () => changed,
    /** Returns a refusal for the client. Undefined if the next attempt has another account. */
    refusal: (response: BackendResponse): BackendResponse | undefined => {
      const error = errorFromBackend(response);
      if (attempt.changesAccount(error, holder)) return undefined;
      return hasSeveral ? { ...response, headers: withRetryAfter(error.error, response.headers) } : response;
    },
  };
}

/** Returns an error frame whose headers state when the account's limit is reset. */
function withResetTime(type: string, frame: string): string {
  const error = errorFromEvent(type, frame);
  const time = error && headerValue(withRetryAfter(error.error, error.headers), 'retry-after');
  if (error === undefined || time === undefined || headerValue(error.headers, 'retry-after') === time) {
    return frame;
  }
  const members = rawMembers(frame) ?? [];
  const headers = rawMembers(rawMember(members, 'headers') ?? '{}') ?? [];
  const stated: RawMember = ['headers', printMembers([...headers, ['retry-after', JSON.stringify(time)]])];
  return printMembers([...members.filter(([key]) => key !== 'headers'), stated]);
}
