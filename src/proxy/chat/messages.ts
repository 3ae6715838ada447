import { type JsonNode, member, stringAt } from '../../wire/json.ts';
import { list, object } from './nodes.ts';
import { Param } from './param.ts';

/**
 * The input items that say the same as chat messages, one after the other in their order.
 *
 * A system message becomes a developer message at its own place. The backend takes no system messages as input
 * (reported by its users, not measured), and in `instructions` several of them would have to be joined, and a later
 * one moved before what was said earlier.
 */
export function inputItems(messages: Param): JsonNode[] {
  const given = messages.items();
  if (given.length === 0) throw messages.refused(`'${messages.name}' must hold at least one message.`);
  const custom = customCalls(given);
  return given.flatMap((message) => message.member('role').among(roles)(message, custom));
}

/**
 * Makes the items of one message. `custom`: ids of the calls of custom tools, whose outputs are items of their own
 * type.
 */
type Role = (message: Param, custom: ReadonlySet<string>) => JsonNode[];

const roles: ReadonlyMap<string, Role> = new Map<string, Role>([
  ['developer', developer],
  ['system', developer],
  ['user', (message) => [item('user', nameless(message), userParts)]],
  ['assistant', assistant],
  ['tool', (message, custom) => [toolOutput(message, custom)]],
]);

function developer(message: Param): JsonNode[] {
  return [item('developer', nameless(message), inputText)];
}

function assistant(message: Param): JsonNode[] {
  nameless(message);
  for (const key of ['audio', 'function_call']) {
    const param = message.member(key);
    if (param.given !== undefined) throw param.refused(`'${param.name}' is not supported.`, unsupported);
  }
  const calls = message.member('tool_calls');
  const asked = calls.given === undefined ? [] : calls.items().map(toolCall);
  const refusal = message.member('refusal');
  const refused = refusal.given === undefined ? [] : [object({ type: 'refusal', refusal: refusal.string() })];
  const content = message.member('content');
  const mute = stringAt(message.node, 'content') === '' || content.given === undefined;
  const said = mute && asked.length + refused.length > 0 ? [] : partsOf(content, assistantParts);
  const spoken = [...said, ...refused];
  if (spoken.length === 0) return asked;
  return [object({ type: 'message', role: 'assistant', content: list(spoken) }), ...asked];
}

function toolCall(call: Param): JsonNode {
  const make = call.member('type').among(callTypes);
  return make(call.member('id').string(), call);
}

const callTypes: ReadonlyMap<string, (id: JsonNode, call: Param) => JsonNode> = new Map([
  [
    'function',
    (call_id: JsonNode, call: Param) =>
      object({
        type: 'function_call',
        call_id,
        name: call.member('function').member('name').string(),
        arguments: call.member('function').member('arguments').string(),
      }),
  ],
  [
    'custom',
    (call_id: JsonNode, call: Param) =>
      object({
        type: 'custom_tool_call',
        call_id,
        name: call.member('custom').member('name').string(),
        input: call.member('custom').member('input').string(),
      }),
  ],
]);

/** What a tool gave. Its `name`, which some clients add, is that of the call and says nothing more. */
function toolOutput(message: Param, custom: ReadonlySet<string>): JsonNode {
  const call = message.member('tool_call_id').string();
  const content = message.member('content');
  return object({
    type: custom.has(call.value) ? 'custom_tool_call_output' : 'function_call_output',
    call_id: call,
    output: content.given?.kind === 'string' ? content.given : list(partsOf(content, inputText)),
  });
}

function customCalls(messages: readonly Param[]): Set<string> {
  const calls = messages.flatMap(({ node }) => {
    const asked = member(node, 'tool_calls');
    return asked?.kind === 'array' ? asked.items : [];
  });
  const custom = calls.filter((call) => stringAt(call, 'type') === 'custom');
  return new Set(custom.flatMap((call) => stringAt(call, 'id') ?? []));
}

function item(role: string, message: Param, parts: Parts): JsonNode {
  return object({ type: 'message', role, content: list(partsOf(message.member('content'), parts)) });
}

/** Input items have no name: what the model would have read there must not be lost silently. */
function nameless(message: Param): Param {
  const name = message.member('name');
  if (name.given === undefined) return message;
  throw name.refused(`'${name.name}' is not supported: write the name into the content.`, unsupported);
}

const unsupported = 'unsupported_parameter';

/** For each type of content part that a role may have, the part that says the same. */
type Parts = ReadonlyMap<string, (part: Param) => JsonNode>;

const inputText: Parts = new Map([['text', textPart('input_text')]]);

const userParts: Parts = new Map([...inputText, ['image_url', imagePart], ['file', filePart]]);

const assistantParts: Parts = new Map([
  ['text', textPart('output_text')],
  ['refusal', (part: Param) => object({ type: 'refusal', refusal: part.member('refusal').string() })],
]);

/** The parts of a content; a string is one part of text. */
function partsOf(content: Param, parts: Parts): JsonNode[] {
  const { given } = content;
  const said =
    given?.kind === 'string'
      ? [new Param(content.name, object({ type: 'text', text: given }))]
      : content.items();
  return said.map((part) => part.member('type').among(parts)(part));
}

function textPart(type: string): (part: Param) => JsonNode {
  return (part) => object({ type, text: part.member('text').string(), ...cacheBreakpoint(part) });
}

function imagePart(part: Param): JsonNode {
  const image = part.member('image_url');
  return object({
    type: 'input_image',
    image_url: image.member('url').string(),
    detail: image.member('detail').given,
    ...cacheBreakpoint(part),
  });
}

function filePart(part: Param): JsonNode {
  const file = part.member('file').object();
  return object({ type: 'input_file', ...Object.fromEntries(file.members), ...cacheBreakpoint(part) });
}

/** Means the same in both APIs. */
function cacheBreakpoint(part: Param): { prompt_cache_breakpoint?: JsonNode | undefined } {
  return { prompt_cache_breakpoint: part.member('prompt_cache_breakpoint').given };
}
