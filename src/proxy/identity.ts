import { type HeaderList, headerValue } from '../wire/headers.ts';
import { uuid7 } from '../wire/ids.ts';
import { type JsonNode, stringAt } from '../wire/json.ts';

/**
 * The ids of one conversation, used at every place where the golden has them. A root thread has the session's id; a
 * subagent's thread has its own (measured: codex 0.169.0).
 */
export type Identity = { readonly session: string; readonly thread: string };

/**
 * What the handshake tells: the session header under the name of any version (`session-id` since 0.133, before that
 * `session_id`). Undefined where the client named no session.
 */
export function identityFromHeaders(headers: HeaderList): Identity | undefined {
  const session = headerValue(headers, 'session-id') ?? headerValue(headers, 'session_id');
  if (session === undefined) return undefined;
  return {
    session,
    thread: headerValue(headers, 'thread-id') ?? headerValue(headers, 'thread_id') ?? session,
  };
}

/** What a request body tells, in this order: client_metadata, `prompt_cache_key`; else a session of its own. */
export function identityFromBody(body: JsonNode): Identity {
  const session =
    stringAt(body, 'client_metadata', 'session_id') ?? stringAt(body, 'prompt_cache_key') ?? uuid7();
  return { session, thread: stringAt(body, 'client_metadata', 'thread_id') ?? session };
}
