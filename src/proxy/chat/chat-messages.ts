import { itemsOf, type JsonNode, member, stringAt } from '../../wire/json.ts';
import { objectNode } from './object-node.ts';
import { Param } from './param.ts';

/**
 * Translates chat messages into input items, in the same order.
 * `instructions` cannot hold system messages: several would have to be joined, and a later one would move before
 * earlier messages.
 */
export function itemsFromMessages(messages: Param): JsonNode[] {
  const list = messages.items();
  if (list.length === 0) throw messages.error(`'${messages.name}' must hold at least one message.`);
  const customIds = customCallIds(list);
  return list.flatMap((message) => message.member('role').lookUp(roles)(message, customIds));
}

/** Translates one message. `customIds` are ids of calls of custom tools, whose outputs are items of another type. */
type MessageTranslator = (message: Param, customIds: ReadonlySet<string>) => JsonNode[];

const roles: ReadonlyMap<string, MessageTranslator> = new Map<string, MessageTranslator>([
  ['developer', (message) => [messageItem('developer', message, inputText)]],
  ['system', (message) => [messageItem('system', message, inputText)]],
  ['user', (message) => [messageItem('user', message, userParts)]],
  ['assistant', assistant],
  ['tool', (message, customIds) => [toolOutput(message, customIds)]],
]);

function assistant(message: Param): JsonNode[] {
  for (const key of ['audio', 'function_call']) {
    const param = message.member(key);
    if (param.value !== undefined) throw param.error(`'${param.name}' is not supported.`, unsupported);
  }
  const calls = message.member('tool_calls');
  const callItems = calls.value === undefined ? [] : calls.items().map(callItem);
  const refusal = message.member('refusal');
  const refusalParts =
    refusal.value === undefined ? [] : [objectNode({ type: 'refusal', refusal: refusal.string() })];
  const content = message.member('content');
  const isEmpty = stringAt(message.node, 'content') === '' || content.value === undefined;
  const hasOther = callItems.length + refusalParts.length > 0;
  const parts = [...(isEmpty && hasOther ? [] : contentParts(content, assistantParts)), ...refusalParts];
  if (parts.length === 0) return callItems;
  return [objectNode({ type: 'message', role: 'assistant', content: parts }), ...callItems];
}

function callItem(call: Param): JsonNode {
  const type = call.member('type');
  const [itemType, argumentsKey] = type.lookUp(callTypes);
  const call_id = call.member('id').string();
  const tool = call.member(type.string().value);
  return objectNode({
    type: itemType,
    call_id,
    name: tool.member('name').string(),
    [argumentsKey]: tool.member(argumentsKey).string(),
  });
}

/** The types of tool calls: the type of the item, and the member that has the tool's arguments. */
const callTypes: ReadonlyMap<string, readonly [itemType: string, argumentsKey: string]> = new Map([
  ['function', ['function_call', 'arguments']],
  ['custom', ['custom_tool_call', 'input']],
]);

/** Translates the output of a tool. Ignores `name`, which some clients add: it only repeats the call's. */
function toolOutput(message: Param, customIds: ReadonlySet<string>): JsonNode {
  const call = message.member('tool_call_id').string();
  const content = message.member('content');
  return objectNode({
    type: customIds.has(call.value) ? 'custom_tool_call_output' : 'function_call_output',
    call_id: call,
    output: content.value?.kind === 'string' ? content.value : contentParts(content, inputText),
  });
}

function customCallIds(messages: readonly Param[]): Set<string> {
  const calls = messages.flatMap(({ node }) => itemsOf(member(node, 'tool_calls')));
  const custom = calls.filter((call) => stringAt(call, 'type') === 'custom');
  return new Set(custom.flatMap((call) => stringAt(call, 'id') ?? []));
}

function messageItem(role: string, message: Param, parts: PartTranslators): JsonNode {
  return objectNode({ type: 'message', role, content: contentParts(message.member('content'), parts) });
}

const unsupported = 'unsupported_parameter';

/** A translator for each type of content part that a role may have. */
type PartTranslators = ReadonlyMap<string, (part: Param) => JsonNode>;

const inputText: PartTranslators = new Map([['text', textPart('input_text')]]);

const userParts: PartTranslators = new Map([...inputText, ['image_url', imagePart], ['file', filePart]]);

const assistantParts: PartTranslators = new Map([
  ['text', textPart('output_text')],
  ['refusal', (part: Param) => objectNode({ type: 'refusal', refusal: part.member('refusal').string() })],
]);

/** Translates a content. A string is the same as one part of text. */
function contentParts(content: Param, translators: PartTranslators): JsonNode[] {
  const { value } = content;
  const parts =
    value?.kind === 'string'
      ? [new Param(content.name, objectNode({ type: 'text', text: value }))]
      : content.items();
  return parts.map((part) => part.member('type').lookUp(translators)(part));
}

function textPart(type: string): (part: Param) => JsonNode {
  return (part) => objectNode({ type, text: part.member('text').string(), ...cacheBreakpoint(part) });
}

function imagePart(part: Param): JsonNode {
  const image = part.member('image_url');
  return objectNode({
    type: 'input_image',
    image_url: image.member('url').string(),
    detail: image.member('detail').value,
    ...cacheBreakpoint(part),
  });
}

function filePart(part: Param): JsonNode {
  const file = part.member('file').object();
  return objectNode({ type: 'input_file', ...Object.fromEntries(file.members), ...cacheBreakpoint(part) });
}

/** The member has the same meaning in both APIs. */
function cacheBreakpoint(part: Param): { prompt_cache_breakpoint?: JsonNode | undefined } {
  return { prompt_cache_breakpoint: part.member('prompt_cache_breakpoint').value };
}
