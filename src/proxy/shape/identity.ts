import { type HeaderList, headerValue } from '../../wire/headers.ts';

/**
 * The ids that a request carries wherever the golden has them. The id of a root thread is the session's; a subagent's
 * thread has its own (measured: codex 0.169.0).
 */
export type Identity = { readonly session: string; readonly thread: string };

/** Tables of the proxy have the id of an official client as their key. It is a UUID. */
const longestId = 256;

/**
 * Returns the identity in the headers of an official client, or undefined for any other client. The session header is
 * `session-id` since 0.133 and was `session_id` before.
 */
export function officialIdentity(headers: HeaderList): Identity | undefined {
  const session = headerValue(headers, 'session-id') ?? headerValue(headers, 'session_id');
  if (session === undefined || headerValue(headers, 'originator') === undefined) return undefined;
  const thread = headerValue(headers, 'thread-id') ?? headerValue(headers, 'thread_id') ?? session;
  return session.length > longestId || thread.length > longestId ? undefined : { session, thread };
}
