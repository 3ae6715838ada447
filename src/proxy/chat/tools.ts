import { type JsonMember, type JsonNode, type JsonObject, member, toNode } from '../../wire/json.ts';
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

/** In the chat API a function without `parameters` has none (by its documentation). */
const noParameters = toNode({ type: 'object', properties: {} });

/**
 * Adds the chat API's defaults. Without `strict`, the chat API is not strict, but the Responses API is, and would make
 * every parameter required (both by their documentation).
 */
function functionTool(tool: Param): JsonNode {
  tool.member('function').member('name').string();
  const flat = flattened(tool);
  return withDefaults(flat, { parameters: noParameters, strict: { kind: 'literal', value: false } });
}

function customTool(tool: Param): JsonNode {
  const flat = flattened(tool);
  tool.member('custom').member('name').string();
  const format = tool.member('custom').member('format');
  if (member(format.value, 'grammar') === undefined) return flat;
  const grammar = flattened(format);
  const members = flat.members.map(([key, value]): JsonMember => [key, key === 'format' ? grammar : value]);
  return { kind: 'object', members };
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
  ['text', (format: Param) => objectNode({ type: format.member('type').string() })],
  ['json_object', (format: Param) => objectNode({ type: format.member('type').string() })],
  ['json_schema', jsonSchema],
]);

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

/** Appends the defaults of members that are absent or null. */
function withDefaults(node: JsonObject, defaults: Readonly<Record<string, JsonNode>>): JsonObject {
  const isNull = (value: JsonNode) => value.kind === 'literal' && value.value === null;
  const present = node.members.filter(([key, value]) => !(Object.hasOwn(defaults, key) && isNull(value)));
  const missing = Object.entries(defaults).filter(([key]) => !present.some(([name]) => name === key));
  return { kind: 'object', members: [...present, ...missing] };
}
