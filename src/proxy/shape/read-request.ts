import { printJson, tryParseJson } from '../../wire/json.ts';
import {
  parseRawObject,
  printedLength,
  type RawJsonObject,
  type RawMember,
  rawItems,
  rawMember,
} from './raw-json.ts';

/**
 * Reads a client's request: its members as compact JSON, and the items of `input` if that is an array. Returns undefined
 * if the text is not a JSON object.
 */
export function readRequest(text: string): RawJsonObject | undefined {
  const request = parseRawObject(text, 'input');
  if (request === undefined || printedLength(request.members) === text.length) return request;
  const members = request.members.map(([key, value]): RawMember => {
    const node = tryParseJson(value)?.node;
    return [key, node === undefined ? value : printJson(node)];
  });
  return { members, items: rawItems(rawMember(members, 'input') ?? '') };
}

/** As readRequest, but returns only the members. */
export function requestMembers(text: string): RawMember[] | undefined {
  return readRequest(text)?.members;
}
