import { hash } from 'node:crypto';
import { type HeaderList, headerValue } from '../../wire/headers.ts';
import { uuid7 } from '../../wire/ids.ts';
import { stringAt, tryParseJson } from '../../wire/json.ts';
import type { Identity } from '../shape/identity.ts';
import { rawMember, rawMembers, rawString } from '../shape/raw-json.ts';
import type { TurnRequest } from './turn-request.ts';

/** Which session a request belongs to. */
export type Claim = {
  /** By which the session is found again: the client's own ids, never one that was made up. */
  readonly key: string | undefined;
  /** Whether the client named it. */
  readonly stated: boolean;
  /** The ids of a session that begins with the request. */
  readonly identity: () => Identity;
};

/** Headers in which clients name their session or conversation, the surest first. */
const sessionHeaders = ['session-id', 'session_id', 'conversation-id', 'conversation_id'] as const;

/**
 * Finds out whose turn a request is. The effective session is the first of: `prompt_cache_key`, a session header,
 * `client_metadata.session_id`, `conversation`, a digest of how the conversation begins, a new id. `caller` tells
 * apart clients that may not share a session.
 */
export function claimOf(headers: HeaderList, request: TurnRequest, caller: string): Claim {
  const { said } = request;
  const metadata = tryParse(rawMember(said, 'client_metadata'));
  const conversation = tryParse(rawMember(said, 'conversation'));
  const given = [
    rawString(said, 'prompt_cache_key'),
    ...sessionHeaders.map((name) => headerValue(headers, name)),
    stringAt(metadata, 'session_id'),
    conversation?.kind === 'string' ? conversation.value : stringAt(conversation, 'id'),
  ].filter((id) => id !== undefined && id !== '');
  const [stated] = given;
  const beginning = stated === undefined ? beginningOf(request) : undefined;
  const key = stated === undefined ? beginning : JSON.stringify(given);
  return {
    key: key === undefined ? undefined : digest(JSON.stringify([caller, key])),
    stated: stated !== undefined,
    identity: () => {
      const derived = beginning === undefined ? uuid7() : idFor(`${caller} ${beginning}`);
      const session = stated === undefined ? derived : presentable(stated);
      const thread = headerValue(headers, 'thread-id') ?? stringAt(metadata, 'thread_id');
      return { session, thread: thread === undefined ? session : presentable(thread) };
    },
  };
}

/**
 * How a conversation begins: its instructions and the first message of the user, which stay the same in all its
 * turns. Undefined where a request does not show its beginning.
 */
function beginningOf({ said, input }: TurnRequest): string | undefined {
  if (rawMember(said, 'previous_response_id') !== undefined) return undefined;
  const first = input.find(isFromUser);
  if (first === undefined) return undefined;
  const instructions = rawMember(said, 'instructions') ?? '';
  // No line end stands in either.
  return digest(`${sayNothing.has(instructions) ? '' : instructions}\n${first}`);
}

const sayNothing: ReadonlySet<string> = new Set(['null', '""']);

function isFromUser(item: string): boolean {
  // Most of a request are instructions and tools, which need not be looked into.
  if (!item.includes('"user"')) return false;
  const members = rawMembers(item);
  return members !== undefined && rawString(members, 'role') === 'user';
}

/** An id as the official client's are, for the same words always: a UUIDv7 of a moment that their digest picks. */
function idFor(words: string): string {
  const bytes = hash('sha256', words, 'buffer');
  const year = 365 * 24 * 3600 * 1000;
  const moment = Date.UTC(2025, 0) + (bytes.readUInt32BE(0) / 2 ** 32) * year;
  const time = Math.floor(moment).toString(16).padStart(12, '0');
  const rest = bytes.toString('hex', 4);
  const variant = '89ab'[bytes.readUInt8(31) & 3] ?? '8';
  return `${time.slice(0, 8)}-${time.slice(8)}-7${rest.slice(0, 3)}-${variant}${rest.slice(3, 6)}-${rest.slice(6, 18)}`;
}

/** An id as it may stand in a header: one that may not is stood for by one that may. */
function presentable(id: string): string {
  return /^[\x21-\x7e]{1,256}$/.test(id) ? id : idFor(id);
}

function digest(text: string): string {
  return hash('sha256', text);
}

function tryParse(text: string | undefined) {
  return text === undefined ? undefined : tryParseJson(text)?.node;
}
