import { type JsonMember, type JsonNode, type JsonObject, jsonString } from '../../wire/json.ts';

/** An object with these members in this order; a plain string stands for its node, undefined for no member. */
export function object(members: Readonly<Record<string, JsonNode | string | undefined>>): JsonObject {
  const stated = Object.entries(members).flatMap(([key, value]): JsonMember[] => {
    if (value === undefined) return [];
    return [[key, typeof value === 'string' ? jsonString(value) : value]];
  });
  return { kind: 'object', members: stated };
}

export function list(items: readonly JsonNode[]): JsonNode {
  return { kind: 'array', items };
}

export function number(value: number): JsonNode {
  return { kind: 'number', text: String(value) };
}

export const no: JsonNode = { kind: 'literal', value: false };
export const yes: JsonNode = { kind: 'literal', value: true };
export const nothing: JsonNode = { kind: 'literal', value: null };
