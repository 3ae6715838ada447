import type { CreateRequest } from './create-request.ts';
import { newId } from './identifiers.ts';
import type { Output, OutputItem, ResponseEvent } from './output.ts';
import type { Reply } from './script.ts';
import { toolCall } from './tool-calls.ts';

/** Seconds since 1970. Always the same: clocks that agree by chance would be learned as one. */
const createdAt = 1_700_000_000;

/** What a prewarm gets: an id to chain to and nothing else. 0.118 to 0.169 take it with created and completed alone. */
export function prewarmEvents(request: CreateRequest): ResponseEvent[] {
  const response = newResponse(request);
  return numbered([
    { type: 'response.created', response },
    { type: 'response.completed', response: completed(response, []) },
  ]);
}

/** All events of one scripted reply, in the order the Responses API documents them. Ids are fresh at every call. */
export function replyEvents(reply: Reply, request: CreateRequest): ResponseEvent[] {
  const response = newResponse(request);
  const outputs = outputsOf(reply, request);
  const items = outputs.map(({ item }) => item);
  return numbered([
    { type: 'response.created', response },
    { type: 'response.in_progress', response },
    ...outputs.flatMap(({ begun, events, item }, output_index) => [
      { type: 'response.output_item.added', output_index, item: begun },
      ...events,
      { type: 'response.output_item.done', output_index, item },
    ]),
    { type: 'response.completed', response: completed(response, items) },
  ]);
}

function outputsOf(reply: Reply, request: CreateRequest): Output[] {
  if (reply.reply === 'text') return [message(reply.text)];
  if (reply.reply !== 'tool_calls') throw new RangeError(`a reply "${reply.reply}" is not known yet`);
  return reply.calls.map((call, at) => toolCall(call, reply.style, at, request));
}

function message(text: string): Output {
  const id = newId('message');
  const place = { item_id: id, output_index: 0, content_index: 0 };
  const part = { type: 'output_text', annotations: [], logprobs: [], text };
  const item = { id, type: 'message', status: 'completed', content: [part], role: 'assistant' };
  return {
    item,
    begun: { ...item, status: 'in_progress', content: [] },
    events: [
      { type: 'response.content_part.added', ...place, part: { ...part, text: '' } },
      { type: 'response.output_text.delta', ...place, delta: text, logprobs: [] },
      { type: 'response.output_text.done', ...place, text, logprobs: [] },
      { type: 'response.content_part.done', ...place, part },
    ],
  };
}

/**
 * The response as it stands at the start. The real API repeats the instructions and tools here as well; this backend
 * leaves them out, so that a trace of the reply does not hold the prompt over again.
 */
function newResponse(request: CreateRequest) {
  return {
    id: newId('response'),
    object: 'response',
    created_at: createdAt,
    status: 'in_progress',
    background: false,
    error: null,
    incomplete_details: null,
    instructions: null,
    max_output_tokens: null,
    model: request.model,
    output: [],
    parallel_tool_calls: request.parallelToolCalls,
    previous_response_id: request.previousResponseId,
    prompt_cache_key: request.promptCacheKey,
    service_tier: request.serviceTier ?? 'default',
    store: false,
    tool_choice: 'auto',
    tools: [],
    truncation: 'disabled',
    usage: null,
    user: null,
    metadata: {},
  };
}

/** Token counts are made up, and kept small and equal, because no client here is judged by what it reports as usage. */
function completed(response: ReturnType<typeof newResponse>, output: readonly OutputItem[]) {
  const spoken = output.length;
  return {
    ...response,
    status: 'completed',
    output,
    usage: {
      input_tokens: 1,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: spoken,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 1 + spoken,
    },
  };
}

function numbered(events: readonly ResponseEvent[]): ResponseEvent[] {
  return events.map((event, sequence_number) => ({ ...event, sequence_number }));
}
