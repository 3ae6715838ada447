import { type JsonMember, type JsonNode, type JsonObject, jsonString } from '../../wire/json.ts';

type MemberValue = JsonNode | readonly JsonNode[] | string | number | boolean | null | undefined;

/** Returns an object node with these members in this order. Undefined members are omitted. */
export function objectNode(members: Readonly<Record<string, MemberValue>>): JsonObject {
  return {
    kind: 'object',
    members: Object.entries(members).flatMap(([key, value]): JsonMember[] =>
      value === undefined ? [] : [[key, nodeFor(value)]],
    ),
  };
}

export function arrayNode(items: readonly JsonNode[]): JsonNode {
  return { kind: 'array', items };
}

function nodeFor(value: Exclude<MemberValue, undefined>): JsonNode {
  if (value === null || typeof value === 'boolean') return { kind: 'literal', value };
  if (typeof value === 'string') return jsonString(value);
  if (typeof value === 'number') return { kind: 'number', text: String(value) };
  return 'kind' in value ? value : arrayNode(value);
}
