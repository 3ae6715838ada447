import { type JsonNode, type JsonObject, jsonString, member, stringAt } from '../../wire/json.ts';
import { ApiError, errorFromFailedResponse } from '../http/errors.ts';
import { list, nothing, number, object } from './nodes.ts';
import { callOf, itemsAt, type Piece, piecesOf } from './pieces.ts';

/** The completion that says what a finished response says. Throws ApiError for a response that failed. */
export function chatCompletion(response: JsonNode): JsonObject {
  const finish_reason = finishReason(response);
  const choice = object({ index: number(0), message: message(response), logprobs: nothing, finish_reason });
  return object({
    ...heading(response, 'chat.completion'),
    choices: list([choice]),
    usage: usage(response),
    service_tier: member(response, 'service_tier'),
  });
}

/** The members that a completion and each of its chunks begin with. */
export function heading(response: JsonNode | undefined, kind: string) {
  const created = member(response, 'created_at');
  return {
    id: `chatcmpl-${(stringAt(response, 'id') ?? '').replace(/^resp_/, '')}`,
    object: kind,
    created: number(created?.kind === 'number' ? Math.trunc(Number(created.text)) : 0),
    model: stringAt(response, 'model') ?? '',
  };
}

/** Why the model stopped. Throws ApiError where it did not stop by itself, for a reason the chat API does not know. */
export function finishReason(response: JsonNode | undefined): string {
  const status = stringAt(response, 'status');
  if (status === 'incomplete') return incompleteReason(response);
  if (status !== 'completed') throw errorFromFailedResponse(response);
  const calls = itemsAt(response, 'output').some((item) => callOf(item) !== undefined);
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
    object({
      message: `the response is incomplete: ${reason}`,
      type: 'server_error',
      param: nothing,
      code: 'response_incomplete',
    }),
  );
}

/** Undefined where the backend tells none. */
export function usage(response: JsonNode | undefined): JsonNode | undefined {
  const told = member(response, 'usage');
  if (told?.kind !== 'object') return undefined;
  return object({
    prompt_tokens: member(told, 'input_tokens'),
    completion_tokens: member(told, 'output_tokens'),
    total_tokens: member(told, 'total_tokens'),
    prompt_tokens_details: member(told, 'input_tokens_details'),
    completion_tokens_details: member(told, 'output_tokens_details'),
  });
}

function message(response: JsonNode): JsonNode {
  const items = itemsAt(response, 'output');
  const pieces = items.flatMap(piecesOf);
  const calls = items.flatMap(toolCall);
  return object({
    role: 'assistant',
    content: joined(pieces, 'content'),
    refusal: joined(pieces, 'refusal'),
    annotations: list([]),
    tool_calls: calls.length === 0 ? undefined : list(calls),
  });
}

function joined(pieces: readonly Piece[], slot: Piece['slot']): JsonNode {
  const said = pieces.filter((piece) => piece.slot === slot);
  return said.length === 0 ? nothing : jsonString(said.map(({ text }) => text).join(''));
}

function toolCall(item: JsonNode): JsonNode[] {
  const call = callOf(item);
  if (call === undefined) return [];
  const text = piecesOf(item)[0]?.text ?? '';
  const { id, type, name } = call;
  const given = type === 'function' ? { name, arguments: text } : { name, input: text };
  return [object({ id, type, [type]: object(given) })];
}
