import { hash } from 'node:crypto';
import { type HeaderList, headerValue } from '../../wire/headers.ts';
import { uuid7 } from '../../wire/ids.ts';
import { stringAt, tryParseJson } from '../../wire/json.ts';
import type { Identity } from '../shape/identity.ts';
import { rawMember, rawMembers, rawString } from '../shape/raw-json.ts';
import type { TurnRequest } from './turn-request.ts';

/** The session that a request belongs to. */
export type Claim = {
  /** Finds the session again. Derived from what the client sent; undefined if it sent nothing to recognise it by. */
  readonly key: string | undefined;
  readonly explicit: boolean;
  readonly identity: () => Identity;
};

/** Headers in which clients name their session or conversation, most reliable first. */
const sessionHeaders = ['session-id', 'session_id', 'conversation-id', 'conversation_id'] as const;

/**
 * Returns the session of a request. Its id is the first of: `prompt_cache_key`, a session header,
 * `client_metadata.session_id`, `conversation`, an id derived from the conversation's first message, a new id. Clients
 * with different `caller` values never share a session.
 */
export function claimOf(headers: HeaderList, request: TurnRequest, caller: string): Claim {
  const { clientMembers } = request;
  const metadata = tryParseJson(rawMember(clientMembers, 'client_metadata') ?? '')?.node;
  const conversation = tryParseJson(rawMember(clientMembers, 'conversation') ?? '')?.node;
  const ids = [
    rawString(clientMembers, 'prompt_cache_key'),
    ...sessionHeaders.map((name) => headerValue(headers, name)),
    stringAt(metadata, 'session_id'),
    conversation?.kind === 'string' ? conversation.value : stringAt(conversation, 'id'),
  ].filter((id) => id !== undefined && id !== '');
  const [id] = ids;
  const start = id === undefined ? conversationStart(request) : undefined;
  const key = id === undefined ? start : JSON.stringify(ids);
  return {
    key: key === undefined ? undefined : digest(JSON.stringify([caller, key])),
    explicit: id !== undefined,
    identity: () => {
      const derived = start === undefined ? uuid7() : derivedId(`${caller} ${start}`);
      const session = id === undefined ? derived : headerSafeId(id);
      const thread = headerValue(headers, 'thread-id') ?? stringAt(metadata, 'thread_id');
      return { session, thread: thread === undefined ? session : headerSafeId(thread) };
    },
  };
}

/**
 * Returns a digest of what is equal in all requests of a conversation: its instructions and first user message.
 * Undefined if the request does not have them.
 */
function conversationStart({ clientMembers, input }: TurnRequest): string | undefined {
  if (rawMember(clientMembers, 'previous_response_id') !== undefined) return undefined;
  const first = input.find(isFromUser);
  if (first === undefined) return undefined;
  const instructions = rawMember(clientMembers, 'instructions') ?? '';
  const hasInstructions = instructions !== 'null' && instructions !== '""';
  // Compact JSON has no line feed, so the separator is unambiguous.
  return digest(`${hasInstructions ? instructions : ''}\n${first}`);
}

function isFromUser(item: string): boolean {
  // Parsing a long item takes time, and most of a request is instructions and tools.
  if (!item.includes('"user"')) return false;
  return rawString(rawMembers(item) ?? [], 'role') === 'user';
}

/** Derives an id that looks like the official client's: a UUIDv7 whose time and random bits come from a digest. */
function derivedId(text: string): string {
  const bytes = hash('sha256', text, 'buffer');
  const year = 365 * 24 * 3600 * 1000;
  const moment = Date.UTC(2025, 0) + (bytes.readUInt32BE(0) / 2 ** 32) * year;
  const time = Math.floor(moment).toString(16).padStart(12, '0');
  const rest = bytes.toString('hex', 4);
  const variant = '89ab'[bytes.readUInt8(31) & 3] ?? '8';
  return `${time.slice(0, 8)}-${time.slice(8)}-7${rest.slice(0, 3)}-${variant}${rest.slice(3, 6)}-${rest.slice(6, 18)}`;
}

/** Returns the id, or a derived one if a header cannot carry it. */
function headerSafeId(id: string): string {
  return /^[\x21-\x7e]{1,256}$/.test(id) ? id : derivedId(id);
}

function digest(text: string): string {
  return hash('sha256', text);
}
