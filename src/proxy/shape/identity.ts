import { type HeaderList, headerValue } from '../../wire/headers.ts';

/**
 * The ids of one conversation, used at every place where the golden has them. A root thread has the session's id; a
 * subagent's thread has its own (measured: codex 0.169.0).
 */
export type Identity = { readonly session: string; readonly thread: string };

/**
 * Who speaks, where it is an official client: it names itself and its session, under the header of any version
 * (`session-id` since 0.133, before that `session_id`). Undefined for all others, for which the proxy speaks itself.
 */
export function officialIdentity(headers: HeaderList): Identity | undefined {
  const session = headerValue(headers, 'session-id') ?? headerValue(headers, 'session_id');
  if (session === undefined || headerValue(headers, 'originator') === undefined) return undefined;
  return {
    session,
    thread: headerValue(headers, 'thread-id') ?? headerValue(headers, 'thread_id') ?? session,
  };
}
