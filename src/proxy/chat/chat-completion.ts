import { type JsonNode, type JsonObject, member, stringAt } from '../../wire/json.ts';
import { ApiError, errorFromFailedResponse } from '../http/errors.ts';
import { objectNode } from './object-node.ts';
import { calledTool, type OutputText, outputItems, textsOf } from './output-item.ts';

/** Translates a finished response into a chat completion. Throws ApiError for a failed response. */
export function chatCompletion(response: JsonNode): JsonObject {
  const finish_reason = finishReason(response);
  const choice = objectNode({
    index: 0,
    message: assistantMessage(response),
    logprobs: null,
    finish_reason,
  });
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
export function finishReason(response: JsonNode | undefined): string {
  const status = stringAt(response, 'status');
  if (status === 'incomplete') return incompleteReason(response);
  if (status !== 'completed') throw errorFromFailedResponse(response);
  const calls = outputItems(response).some((item) => calledTool(item) !== undefined);
  return calls ? 'tool_calls' : 'stop';
}

const incompleteReasons: ReadonlyMap<string, string> = new Map([
  ['max_output_tokens', 'length'],
  ['content_filter', 'content_filter'],
]);

function incompleteReason(response: JsonNode | undefined): string {
  const reason = stringAt(response, 'incomplete_details', 'reason') ?? 'no reason given';
  const known = incompleteReasons.get(reason);
  if (known !== undefined) return known;
  throw new ApiError(
    500,
    objectNode({
      message: `the response is incomplete: ${reason}`,
      type: 'server_error',
      param: null,
      code: 'response_incomplete',
    }),
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
  const calls = items.flatMap(chatToolCall);
  return objectNode({
    role: 'assistant',
    content: joinTexts(texts, 'content'),
    refusal: joinTexts(texts, 'refusal'),
    annotations: [],
    tool_calls: calls.length === 0 ? undefined : calls,
  });
}

function joinTexts(texts: readonly OutputText[], slot: OutputText['slot']): string | null {
  const matching = texts.filter((text) => text.slot === slot);
  return matching.length === 0 ? null : matching.map(({ text }) => text).join('');
}

function chatToolCall(item: JsonNode): JsonNode[] {
  const tool = calledTool(item);
  if (tool === undefined) return [];
  const text = textsOf(item)[0]?.text ?? '';
  const { id, type, name } = tool;
  return [objectNode({ id, type, [type]: objectNode({ name, [toolArgumentsKey[type]]: text }) })];
}

/** The member of a chat tool call that has the tool's arguments. */
export const toolArgumentsKey = { function: 'arguments', custom: 'input' } as const;
