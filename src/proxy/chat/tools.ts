import {
  filterMembers,
  type JsonNode,
  type JsonObject,
  mapChildren,
  member,
  toNode,
} from '../../wire/json.ts';
import { arrayNode, objectNode } from './object-node.ts';
import type { Param } from './param.ts';

/** Translates tools. */
export function responseTools(tools: Param): JsonNode {
  return arrayNode(tools.items().map((tool) => tool.member('type').lookUp(toolTypes)(tool)));
}

const toolTypes: ReadonlyMap<string, (tool: Param) => JsonNode> = new Map([
  ['function', functionTool],
  ['custom', customTool],
]);

/**
 * The chat API's defaults (by the documentation of both). Without `parameters` a function has none. Without `strict`, the
 * chat API is not strict, but the Responses API is, and would make every parameter required.
 */
const functionDefaults = { parameters: toNode({ type: 'object', properties: {} }), strict: toNode(false) };

function functionTool(tool: Param): JsonNode {
  const definition = tool.member('function');
  definition.member('name').string();
  const missing = Object.entries(functionDefaults).filter(
    ([key]) => definition.member(key).value === undefined,
  );
  const others = filterMembers(flattened(tool), (key) => !missing.some(([name]) => name === key));
  return { kind: 'object', members: [...others.members, ...missing] };
}

function customTool(tool: Param): JsonNode {
  const flat = flattened(tool);
  tool.member('custom').member('name').string();
  const format = tool.member('custom').member('format');
  if (member(format.value, 'grammar') === undefined) return flat;
  const grammar = flattened(format);
  return mapChildren(flat, (value, key) => (key === 'format' ? grammar : value));
}

/** Translates the choice of tools: a keyword, or the name of a tool. */
export function responseToolChoice(choice: Param): JsonNode {
  if (choice.value?.kind === 'string') return choice.lookUp(choiceKeywords);
  return choice.member('type').lookUp(choiceTypes)(choice);
}

const choiceKeywords: ReadonlyMap<string, JsonNode> = new Map(
  ['none', 'auto', 'required'].map((keyword) => [keyword, toNode(keyword)]),
);

const choiceTypes: ReadonlyMap<string, (choice: Param) => JsonNode> = new Map([
  ['function', flattened],
  ['custom', flattened],
  ['allowed_tools', allowedTools],
]);

function allowedTools(choice: Param): JsonNode {
  const allowed = choice.member('allowed_tools');
  return objectNode({
    type: 'allowed_tools',
    mode: allowed.member('mode').string(),
    tools: arrayNode(allowed.member('tools').items().map(flattened)),
  });
}

/** Translates the response format into the value of `text.format`. */
export function responseFormat(format: Param): JsonNode {
  return format.member('type').lookUp(formatTypes)(format);
}

const formatTypes: ReadonlyMap<string, (format: Param) => JsonNode> = new Map([
  ['text', typeOnly],
  ['json_object', typeOnly],
  ['json_schema', jsonSchema],
]);

function typeOnly(format: Param): JsonNode {
  return objectNode({ type: format.member('type').string() });
}

function jsonSchema(format: Param): JsonNode {
  format.member('json_schema').member('name').string();
  return flattened(format);
}

/**
 * Flattens an object of type T: the chat API nests its members under the key T, and the Responses API has them beside
 * the type. Keeps their order and spelling.
 */
function flattened(param: Param): JsonObject {
  const type = param.member('type').string();
  const { members } = param.member(type.value).object();
  return { kind: 'object', members: [['type', type], ...members.filter(([key]) => key !== 'type')] };
}
