import { hash } from 'node:crypto';
import { type HeaderList, headerValue } from '../../wire/headers.ts';
import { uuid7 } from '../../wire/ids.ts';
import { stringAt } from '../../wire/json.ts';
import type { Identity } from '../shape/identity.ts';
import { parsedMember, rawMember, rawString, roleOf } from '../shape/raw-json.ts';
import type { TurnRequest } from './turn-request.ts';

/** How to find the session that a request belongs to. */
export type SessionKey = {
  /** Finds the session again. Derived from what the client sent; undefined if it sent nothing to recognise it by. */
  readonly key: string | undefined;
  /** Whether the client sent an id of the session. */
  readonly namedByClient: boolean;
  readonly identity: () => Identity;
};

/** Headers in which clients name their session or conversation, most reliable first. */
const sessionHeaders = ['session-id', 'session_id', 'conversation-id', 'conversation_id'] as const;

/**
 * Returns the session of a request. Its id is the first of: `prompt_cache_key`, a session header,
 * `client_metadata.session_id`, `conversation`, a new id. Without an id, the start of the conversation finds the session
 * again. Clients with different `caller` values never share a session.
 */
export function sessionKeyOf(headers: HeaderList, request: TurnRequest, caller: string): SessionKey {
  const { clientMembers } = request;
  const metadata = parsedMember(clientMembers, 'client_metadata');
  const conversation = parsedMember(clientMembers, 'conversation');
  const ids = [
    rawString(clientMembers, 'prompt_cache_key'),
    ...sessionHeaders.map((name) => headerValue(headers, name)),
    stringAt(metadata, 'session_id'),
    conversation?.kind === 'string' ? conversation.value : stringAt(conversation, 'id'),
  ].filter((id) => id !== undefined && id !== '');
  const [id] = ids;
  const key = id === undefined ? conversationStart(request) : [JSON.stringify(ids)];
  return {
    // Callers and compact JSON have no line feed, so the separator is unambiguous.
    key: key === undefined ? undefined : hash('sha256', [caller, ...key].join('\n')),
    namedByClient: id !== undefined,
    identity: () => {
      const session = id === undefined || !isHeaderSafe(id) ? uuid7() : id;
      // Only the official client has threads beside the session's own.
      return { session, thread: session };
    },
  };
}

/**
 * Returns what is equal in all requests of a conversation: its instructions, and its items up to the first
 * user message, such as a system prompt. Undefined if the request does not have them.
 */
function conversationStart({
  clientMembers,
  input,
  previousResponseId,
}: TurnRequest): readonly string[] | undefined {
  if (previousResponseId !== undefined) return undefined;
  const first = input.findIndex((item) => roleOf(item) === 'user');
  if (first === -1) return undefined;
  const instructions = rawMember(clientMembers, 'instructions') ?? '';
  const hasInstructions = instructions !== 'null' && instructions !== '""';
  const before = [hasInstructions ? instructions : '', ...input.slice(0, first)].map(endsOf);
  return [...before, ...input.slice(first, first + 1)];
}

/** UTF-16 code units at each end of a longer text. */
const readAtEnds = 2048;

/**
 * Returns what is read of the instructions and tools: most of a request, and equal in many conversations. They are told apart by
 * what the user says.
 */
function endsOf(text: string): string {
  const { length } = text;
  return length <= 2 * readAtEnds
    ? text
    : `${length} ${text.slice(0, readAtEnds)} ${text.slice(-readAtEnds)}`;
}

/** Whether a header can carry an id, and the backend accepts it (reported: at most 64 characters). */
function isHeaderSafe(id: string): boolean {
  return /^[\x21-\x7e]{1,64}$/.test(id);
}
