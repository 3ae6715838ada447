import { itemsOf, type JsonNode, type JsonObject, member, stringAt } from '../../wire/json.ts';
import { ApiError, errorFromFailedResponse } from '../http/errors.ts';
import { objectNode } from './object-node.ts';

/** Translates a finished response into a chat completion. Throws ApiError for a failed response. */
export function chatCompletion(response: JsonNode): JsonObject {
  const finish_reason = finishReason(response);
  const message = assistantMessage(response);
  const choice = objectNode({ index: 0, message, logprobs: null, finish_reason });
  return objectNode({
    ...completionHead(response, 'chat.completion'),
    choices: [choice],
    usage: chatUsage(response),
    service_tier: member(response, 'service_tier'),
  });
}

/** Returns the first members of a completion or chunk. */
export function completionHead(response: JsonNode | undefined, type: string) {
  const created = member(response, 'created_at');
  return {
    id: `chatcmpl-${(stringAt(response, 'id') ?? '').replace(/^resp_/, '')}`,
    object: type,
    created: created?.kind === 'number' ? Math.trunc(Number(created.text)) : 0,
    model: stringAt(response, 'model') ?? '',
  };
}

/** Returns why the model stopped. Throws ApiError for a failed response, and for a reason that the chat API lacks. */
export function finishReason(response: JsonNode): string {
  const status = stringAt(response, 'status');
  if (status === 'completed') return outputItems(response).some(isToolCall) ? 'tool_calls' : 'stop';
  if (status !== 'incomplete') throw errorFromFailedResponse(response);
  const reason = stringAt(response, 'incomplete_details', 'reason') ?? 'no reason given';
  if (reason === 'max_output_tokens') return 'length';
  if (reason === 'content_filter') return reason;
  const message = `the response is incomplete: ${reason}`;
  throw new ApiError(
    500,
    objectNode({ message, type: 'server_error', param: null, code: 'response_incomplete' }),
  );
}

/** Returns the usage with the chat API's keys, or undefined if the backend sent none. */
export function chatUsage(response: JsonNode | undefined): JsonNode | undefined {
  const usage = member(response, 'usage');
  if (usage?.kind !== 'object') return undefined;
  return objectNode({
    prompt_tokens: member(usage, 'input_tokens'),
    completion_tokens: member(usage, 'output_tokens'),
    total_tokens: member(usage, 'total_tokens'),
    prompt_tokens_details: member(usage, 'input_tokens_details'),
    completion_tokens_details: member(usage, 'output_tokens_details'),
  });
}

function assistantMessage(response: JsonNode): JsonNode {
  const items = outputItems(response);
  const texts = items.flatMap(textsOf);
  const calls = items.flatMap((item) => chatToolCall(item, textsOf(item)[0]?.text ?? '') ?? []);
  return objectNode({
    role: 'assistant',
    content: joinTexts(texts, 'content'),
    refusal: joinTexts(texts, 'refusal'),
    annotations: [],
    tool_calls: calls.length === 0 ? undefined : calls,
  });
}

function joinTexts(texts: readonly OutputText[], slot: TextSlot): string | null {
  const matching = texts.filter((text) => text.slot === slot);
  return matching.length === 0 ? null : matching.map(({ text }) => text).join('');
}

/** The member that has a tool's arguments, in an output item and in a chat tool call. */
export const toolArgumentsKey = { function: 'arguments', custom: 'input' } as const;

type ToolType = keyof typeof toolArgumentsKey;

/** The items that are tool calls. */
const toolTypes: ReadonlyMap<string, ToolType> = new Map([
  ['function_call', 'function'],
  ['custom_tool_call', 'custom'],
]);

function toolTypeOf(item: JsonNode | undefined): ToolType | undefined {
  return toolTypes.get(stringAt(item, 'type') ?? '');
}

function isToolCall(item: JsonNode): boolean {
  return toolTypeOf(item) !== undefined;
}

/** Returns an item's tool call, or undefined for other items. `index` is its number in a chunk. */
export function chatToolCall(
  item: JsonNode | undefined,
  text: string,
  index?: number,
): JsonObject | undefined {
  const type = toolTypeOf(item);
  if (type === undefined) return undefined;
  const called = objectNode({ name: stringAt(item, 'name') ?? '', [toolArgumentsKey[type]]: text });
  return objectNode({ index, id: stringAt(item, 'call_id') ?? '', type, [type]: called });
}

/** The member of a chat message that text belongs to. */
export type TextSlot = 'content' | 'refusal' | ToolType;

/** Text of an output item. Items such as reasoning have none: the chat API has no member for them. */
export type OutputText = { readonly slot: TextSlot; readonly contentIndex: number; readonly text: string };

/** Returns the texts of a complete item in order. */
export function textsOf(item: JsonNode | undefined): OutputText[] {
  const tool = toolTypeOf(item);
  if (tool !== undefined) {
    return [{ slot: tool, contentIndex: 0, text: stringAt(item, toolArgumentsKey[tool]) ?? '' }];
  }
  return itemsOf(member(item, 'content')).flatMap((part, contentIndex): OutputText[] => {
    const output = stringAt(part, 'type') === 'output_text' ? stringAt(part, 'text') : undefined;
    const text = output ?? stringAt(part, 'refusal');
    if (text === undefined) return [];
    return [{ slot: output === undefined ? 'refusal' : 'content', contentIndex, text }];
  });
}

export function outputItems(response: JsonNode | undefined): readonly JsonNode[] {
  return itemsOf(member(response, 'output'));
}
