import { type JsonMember, type JsonNode, type JsonObject, member, toNode } from '../../wire/json.ts';
import { list, no, object } from './nodes.ts';
import type { Param } from './param.ts';

/** Tools as the Responses API has them. */
export function responseTools(tools: Param): JsonNode {
  return list(tools.items().map((tool) => tool.member('type').among(toolTypes)(tool)));
}

const toolTypes: ReadonlyMap<string, (tool: Param) => JsonNode> = new Map([
  ['function', functionTool],
  ['custom', customTool],
]);

/** A function without parameters, by the chat API's documentation: one that takes none. */
const noParameters = toNode({ type: 'object', properties: {} });

/**
 * What the chat API takes for granted is said. Without `strict`, it is not strict, while the Responses API makes the
 * schema strict, and so every parameter a required one (both by the API's documentation).
 */
function functionTool(tool: Param): JsonNode {
  tool.member('function').member('name').string();
  const flat = flattened(tool);
  return withDefaults(flat, { parameters: noParameters, strict: no });
}

function customTool(tool: Param): JsonNode {
  const flat = flattened(tool);
  tool.member('custom').member('name').string();
  const format = tool.member('custom').member('format');
  if (member(format.given, 'grammar') === undefined) return flat;
  const grammar = flattened(format);
  const members = flat.members.map(([key, value]): JsonMember => [key, key === 'format' ? grammar : value]);
  return { kind: 'object', members };
}

/** Which tool the model must use: a word, or a tool's name. */
export function responseToolChoice(choice: Param): JsonNode {
  const { given } = choice;
  if (given?.kind === 'string') return choice.among(choiceWords);
  return choice.member('type').among(choiceTypes)(choice);
}

const choiceWords: ReadonlyMap<string, JsonNode> = new Map(
  ['none', 'auto', 'required'].map((word) => [word, toNode(word)]),
);

const choiceTypes: ReadonlyMap<string, (choice: Param) => JsonNode> = new Map([
  ['function', flattened],
  ['custom', flattened],
  ['allowed_tools', allowedTools],
]);

function allowedTools(choice: Param): JsonNode {
  const allowed = choice.member('allowed_tools');
  return object({
    type: 'allowed_tools',
    mode: allowed.member('mode').string(),
    tools: list(allowed.member('tools').items().map(flattened)),
  });
}

/** The format of the answer, as `text.format` has it. */
export function responseFormat(format: Param): JsonNode {
  return format.member('type').among(formatTypes)(format);
}

const formatTypes: ReadonlyMap<string, (format: Param) => JsonNode> = new Map([
  ['text', (format: Param) => object({ type: format.member('type').string() })],
  ['json_object', (format: Param) => object({ type: format.member('type').string() })],
  ['json_schema', jsonSchema],
]);

function jsonSchema(format: Param): JsonNode {
  format.member('json_schema').member('name').string();
  return flattened(format);
}

/**
 * The chat API nests the members of a thing of type T under the key T; the Responses API has them beside the type.
 * Their order and spelling stay.
 */
function flattened(thing: Param): JsonObject {
  const type = thing.member('type').string();
  const { members } = thing.member(type.value).object();
  return { kind: 'object', members: [['type', type], ...members.filter(([key]) => key !== 'type')] };
}

/** Gives members that are absent or null their values, at the end. */
function withDefaults(node: JsonObject, defaults: Readonly<Record<string, JsonNode>>): JsonObject {
  const isNull = (value: JsonNode) => value.kind === 'literal' && value.value === null;
  const stated = node.members.filter(([key, value]) => !(Object.hasOwn(defaults, key) && isNull(value)));
  const missing = Object.entries(defaults).filter(([key]) => !stated.some(([other]) => other === key));
  return { kind: 'object', members: [...stated, ...missing] };
}
