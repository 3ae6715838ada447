import { stringAt, tryParseJson } from '../../wire/json.ts';
import { rawMember, rawMembers, rawString } from '../shape/raw-json.ts';

/** The type of a backend's event, without parsing it where it stands first, as it does. Empty for what is no event. */
export function eventType(text: string): string {
  const start = '{"type":"';
  if (text.startsWith(start)) {
    const end = text.indexOf('"', start.length);
    return text.slice(start.length, end === -1 ? start.length : end);
  }
  const members = rawMembers(text);
  return members === undefined ? '' : (rawString(members, 'type') ?? '');
}

/** The id of the response in an event. */
export function responseId(text: string): string | undefined {
  const event = rawMembers(text);
  const response = event === undefined ? undefined : rawMember(event, 'response');
  const members = rawMembers(response ?? '');
  return members === undefined ? undefined : rawString(members, 'id');
}

/** In the metadata of an event and of requests over the websocket, in the headers of HTTP. */
export const turnState = 'x-codex-turn-state';

/** The turn state in a `response.metadata` event. */
export function turnStateIn(text: string): string | undefined {
  return stringAt(tryParseJson(text)?.node, 'headers', turnState);
}
