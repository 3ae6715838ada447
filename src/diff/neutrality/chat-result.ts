import {
  filterMembers,
  itemsOf,
  type JsonNode,
  jsonObject,
  mapChildren,
  member,
  stringAt,
} from '../../wire/json.ts';

/** The output items that call a tool, and the member with what they give it. */
const callItems: ReadonlyMap<string, { readonly type: string; readonly given: string }> = new Map([
  ['function_call', { type: 'function', given: 'arguments' }],
  ['custom_tool_call', { type: 'custom', given: 'input' }],
]);

/**
 * What a program gets of a chat completion, besides text and ending, for a response of the backend. Id and time of creation
 * are up to the subject.
 */
export function expectedCompletion(response: JsonNode | undefined, streams: boolean): JsonNode {
  const output = itemsOf(member(response, 'output'));
  const parts = output.flatMap((item) => itemsOf(member(item, 'content')));
  return jsonObject({
    object: streams ? 'chat.completion.chunk' : 'chat.completion',
    model: stringAt(response, 'model'),
    service_tier: stringAt(response, 'service_tier'),
    choices: 1,
    role: 'assistant',
    refusal: parts.map((part) => stringAt(part, 'refusal') ?? '').join(''),
    annotations: { kind: 'array', items: parts.flatMap(chatAnnotations) },
    tool_calls: { kind: 'array', items: output.flatMap(chatCall).map(withIndex) },
    usage: chatUsage(member(response, 'usage')),
  });
}

/** A completion without members that the Responses API has no value for, such as counts of audio tokens. */
export function withKnownMembers(expected: JsonNode, actual: JsonNode): JsonNode {
  const known = filterMembers(actual, (key) => member(expected, key) !== undefined);
  const usage = member(expected, 'usage');
  return usage === undefined
    ? known
    : mapChildren(known, (value, key) => (key === 'usage' ? withKnownCounts(usage, value) : value));
}

function withKnownCounts(expected: JsonNode, actual: JsonNode): JsonNode {
  const known = filterMembers(actual, (key) => member(expected, key) !== undefined);
  return mapChildren(known, (value, key = '') => {
    const counts = member(expected, key);
    return counts?.kind === 'object' ? withKnownCounts(counts, value) : value;
  });
}

/** A citation is flat in the Responses API. The chat API has it in a member named like its type. */
function chatAnnotations(part: JsonNode): JsonNode[] {
  return itemsOf(member(part, 'annotations')).flatMap((annotation) => {
    const type = stringAt(annotation, 'type');
    if (type !== 'url_citation') return [];
    const citation = filterMembers(annotation, (key) => key !== 'type');
    return [jsonObject({ type, url_citation: citation })];
  });
}

type ChatCall = {
  readonly id: string;
  readonly type: string;
  readonly name: string;
  readonly arguments: string;
};

function chatCall(item: JsonNode): ChatCall[] {
  const call = callItems.get(stringAt(item, 'type') ?? '');
  if (call === undefined) return [];
  const [id = '', name = '', given = ''] = ['call_id', 'name', call.given].map((key) => stringAt(item, key));
  return [{ id, type: call.type, name, arguments: given }];
}

function withIndex(call: ChatCall, index: number): JsonNode {
  return jsonObject({ index, ...call });
}

function chatUsage(usage: JsonNode | undefined): JsonNode | undefined {
  if (usage?.kind !== 'object') return undefined;
  return jsonObject({
    prompt_tokens: member(usage, 'input_tokens'),
    completion_tokens: member(usage, 'output_tokens'),
    total_tokens: member(usage, 'total_tokens'),
    prompt_tokens_details: member(usage, 'input_tokens_details'),
    completion_tokens_details: member(usage, 'output_tokens_details'),
  });
}
