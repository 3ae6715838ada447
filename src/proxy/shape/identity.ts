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
 * `session-id` since 0.133 and was `session_id` before. Programs that use a Codex sign-in send an originator and a
 * session too, some of them with Codex's name, but only Codex sends its turn metadata (measured: 0.118.0 to 0.169.0).
 */
export function officialIdentity(headers: HeaderList): Identity | undefined {
  const session = headerValue(headers, 'session-id') ?? headerValue(headers, 'session_id');
  const isCodex =
    /^codex/i.test(headerValue(headers, 'originator') ?? '') &&
    headerValue(headers, 'x-codex-turn-metadata') !== undefined;
  if (session === undefined || !isCodex) return undefined;
  const thread = headerValue(headers, 'thread-id') ?? headerValue(headers, 'thread_id') ?? session;
  return session.length > longestId || thread.length > longestId ? undefined : { session, thread };
}
