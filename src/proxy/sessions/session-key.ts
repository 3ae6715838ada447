import { hash } from 'node:crypto';
import { type HeaderList, headerValue } from '../../wire/headers.ts';
import { uuid7 } from '../../wire/ids.ts';
import { stringAt } from '../../wire/json.ts';
import type { Identity } from '../shape/identity.ts';
import { parsedMember, rawMember, rawString } from '../shape/raw-json.ts';
import { copyOf } from './history.ts';
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
  return {
    key:
      id === undefined ? conversationKey(request, caller) : keyOf([caller, separator, JSON.stringify(ids)]),
    namedByClient: id !== undefined,
    identity: () => {
      const session = id === undefined || !isHeaderSafe(id) ? uuid7() : id;
      // Only the official client has threads beside the session's own.
      return { session, thread: session };
    },
  };
}

/** Returns the key that stands for texts together. */
function keyOf(texts: readonly string[]): string {
  return hash('sha256', texts.join(''));
}

/** Callers and compact JSON have no line feed, so it separates them. */
const separator = '\n';

/** Texts that begin a conversation, and their key. */
type KnownStart = { readonly texts: readonly string[]; readonly key: string };

/** Recent starts, by the last text of each. To compare texts takes a tenth of the time that it takes to hash them. */
const knownStarts = new Map<string, KnownStart>();

/** The most starts to remember, and UTF-16 code units of each: most clients have a few conversations at a time. */
const mostStarts = 100;
const longestStart = 16 * 1024;

/** Returns the key of the conversation that a request belongs to. Undefined if the request does not have its start. */
function conversationKey(request: TurnRequest, caller: string): string | undefined {
  const start = conversationStart(request);
  if (start === undefined) return undefined;
  const texts = [caller, separator, ...start];
  const last = texts.at(-1) ?? '';
  const known = knownStarts.get(last);
  if (known?.texts.length === texts.length && known.texts.every((text, at) => text === texts[at]))
    return known.key;
  const key = keyOf(texts);
  if (texts.reduce((sum, text) => sum + text.length, 0) <= longestStart) {
    knownStarts.delete(last);
    const copies = texts.map(copyOf);
    knownStarts.set(copies.at(-1) ?? '', { texts: copies, key });
    const [oldest = last] = knownStarts.keys();
    if (knownStarts.size > mostStarts) knownStarts.delete(oldest);
  }
  return key;
}

/**
 * Returns what is equal in all requests of a conversation: its instructions, and its items up to the first
 * user message, such as a system prompt. Undefined if the request does not have them.
 */
function conversationStart({
  clientMembers,
  input,
  firstOfUser: first,
  previousResponseId,
}: TurnRequest): readonly string[] | undefined {
  if (previousResponseId !== undefined || first === -1) return undefined;
  const instructions = rawMember(clientMembers, 'instructions') ?? '';
  const hasInstructions = instructions !== 'null' && instructions !== '""';
  const before = [hasInstructions ? instructions : '', ...input.slice(0, first)].flatMap((text) => [
    ...endsOf(text),
    separator,
  ]);
  return [...before, ...input.slice(first, first + 1)];
}

/** UTF-16 code units at each end of a longer text. */
const readAtEnds = 2048;

/**
 * Returns what is read of the instructions and tools: most of a request, and equal in many conversations. They are told apart by
 * what the user says.
 */
function endsOf(text: string): readonly string[] {
  const { length } = text;
  return length <= 2 * readAtEnds
    ? [text]
    : [`${length} `, text.slice(0, readAtEnds), ' ', text.slice(-readAtEnds)];
}

/** Whether a header can carry an id, and the backend accepts it (reported: at most 64 characters). */
function isHeaderSafe(id: string): boolean {
  return /^[\x21-\x7e]{1,64}$/.test(id);
}
