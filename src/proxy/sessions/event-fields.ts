import { stringAt, tryParseJson } from '../../wire/json.ts';
import { rawMember, rawMembers, rawString, stringIn } from '../shape/raw-json.ts';

/** The type of most events. */
const usualType = 'response.output_text.delta';
const usualStart = `{"type":"${usualType}"`;

/**
 * Returns the type of a backend event, or an empty string if the text is not an event. The backend sends the type first,
 * so most events need no parsing.
 */
export function eventType(text: string): string {
  const start = '{"type":"';
  if (text.startsWith(usualStart)) return usualType;
  if (text.startsWith(start)) {
    const end = text.indexOf('"', start.length);
    return text.slice(start.length, end === -1 ? start.length : end);
  }
  return rawString(rawMembers(text) ?? [], 'type') ?? '';
}

/**
 * Whether the Responses API has events of this type. The backend has others, about the account and the turn, which only
 * the official client reads. OpenAI's libraries expect `response.created` first, and fail at events that they do not know.
 */
export function isPublicEvent(type: string): boolean {
  return type === 'error' || (type.startsWith('response.') && type !== turnMetadataEvent);
}

/** The event that has the turn state. */
export const turnMetadataEvent = 'response.metadata';

/** The start of an event that states the id of its response before anything long. */
const startWithId =
  /^\{(?:"(?:type|sequence_number)":(?:"[\w.]+"|\d+),){0,4}"response":\{"id":("[\w.:-]{1,256}")/;

/** Returns the id of the response in an event. A second one after that at its start is not looked for. */
export function responseId(text: string): string | undefined {
  const [, stated] = startWithId.exec(text) ?? [];
  // A substring would keep the whole event in memory.
  if (stated !== undefined) return stringIn(stated);
  const response = rawMember(rawMembers(text) ?? [], 'response');
  const id = rawString(rawMembers(response ?? '') ?? [], 'id');
  // Ids are kept for each session.
  return id === undefined || id.length > 256 ? undefined : id;
}

/**
 * Returns an event whose response names the client's previous response. The backend names the one that the request
 * upstream continued from: that of a prewarm, or none after a lost connection.
 */
export function withPreviousResponse(text: string, previous: string | undefined): string {
  if (!text.includes('"previous_response_id"')) return text;
  const response = rawMembers(rawMember(rawMembers(text) ?? [], 'response') ?? '') ?? [];
  const stated = rawMember(response, 'previous_response_id');
  const own = JSON.stringify(previous ?? null);
  if (stated === undefined || stated === own) return text;
  return text.replaceAll(
    /("previous_response_id"\s*:\s*)("(?:[^"\\]|\\.)*"|null)/g,
    (member: string, key: string, value: string) => (value === stated ? `${key}${own}` : member),
  );
}

/** The name of the turn state: in event and request metadata over the websocket, in headers over HTTP. */
export const turnStateName = 'x-codex-turn-state';

/** Returns the turn state in an event, if a header can carry it: over HTTP it is one. */
export function turnStateIn(text: string): string | undefined {
  const state = stringAt(tryParseJson(text)?.node, 'headers', turnStateName);
  return state !== undefined && /^[\x20-\x7e]{1,4096}$/.test(state) ? state : undefined;
}
