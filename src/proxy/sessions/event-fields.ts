import { stringAt, tryParseJson } from '../../wire/json.ts';
import { rawMember, rawMembers, rawString } from '../shape/raw-json.ts';

/**
 * Returns the type of a backend event, or an empty string if the text is not an event. The backend sends the type first,
 * so most events need no parsing.
 */
export function eventType(text: string): string {
  const start = '{"type":"';
  if (text.startsWith(start)) {
    const end = text.indexOf('"', start.length);
    return text.slice(start.length, end === -1 ? start.length : end);
  }
  return rawString(rawMembers(text) ?? [], 'type') ?? '';
}

/** Returns the id of the response in an event. */
export function responseId(text: string): string | undefined {
  const response = rawMember(rawMembers(text) ?? [], 'response');
  return rawString(rawMembers(response ?? '') ?? [], 'id');
}

/** The name of the turn state: in event and request metadata over the websocket, in headers over HTTP. */
export const turnStateName = 'x-codex-turn-state';

export function turnStateIn(text: string): string | undefined {
  return stringAt(tryParseJson(text)?.node, 'headers', turnStateName);
}
