import type { CreateRequest } from './create-request.ts';
import { newId } from './identifiers.ts';
import type { Reply } from './script.ts';

/** Seconds since 1970. Always the same: clocks that agree by chance would be learned as one. */
const createdAt = 1_700_000_000;

/** One event of a response stream, in the shape the public Responses API documents. */
export type ResponseEvent = { readonly type: string; readonly [member: string]: unknown };

type OutputItem = { readonly id: string; readonly [member: string]: unknown };

/** The events that lead to one finished output item, and that item as the last event shows it. */
type Output = { readonly events: readonly ResponseEvent[]; readonly item: OutputItem };

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
  const output = outputOf(reply);
  return numbered([
    { type: 'response.created', response },
    { type: 'response.in_progress', response },
    ...output.events,
    { type: 'response.completed', response: completed(response, [output.item]) },
  ]);
}

function outputOf(reply: Reply): Output {
  if (reply.reply === 'text') return message(reply.text);
  return reply.style === 'custom' ? customToolCall(reply.command) : functionCall(reply.command);
}

function message(text: string): Output {
  const id = newId('message');
  const place = { item_id: id, output_index: 0, content_index: 0 };
  const part = { type: 'output_text', annotations: [], logprobs: [], text };
  const item = { id, type: 'message', status: 'completed', content: [part], role: 'assistant' };
  return {
    item,
    events: [
      added({ ...item, status: 'in_progress', content: [] }),
      { type: 'response.content_part.added', ...place, part: { ...part, text: '' } },
      { type: 'response.output_text.delta', ...place, delta: text, logprobs: [] },
      { type: 'response.output_text.done', ...place, text, logprobs: [] },
      { type: 'response.content_part.done', ...place, part },
      done(item),
    ],
  };
}

/** Lite models run commands by writing JavaScript against `tools`, so that is what the input is. */
function customToolCall(command: string): Output {
  const id = newId('customToolCall');
  const place = { item_id: id, output_index: 0 };
  const input = `await tools.exec_command(${JSON.stringify({ cmd: command })})`;
  const item = {
    id,
    type: 'custom_tool_call',
    status: 'completed',
    call_id: newId('call'),
    input,
    name: 'exec',
  };
  return {
    item,
    events: [
      added({ ...item, status: 'in_progress', input: '' }),
      { type: 'response.custom_tool_call_input.delta', ...place, delta: input },
      { type: 'response.custom_tool_call_input.done', ...place, input },
      done(item),
    ],
  };
}

function functionCall(command: string): Output {
  const id = newId('functionCall');
  const place = { item_id: id, output_index: 0 };
  const args = JSON.stringify({ cmd: command });
  const item = {
    id,
    type: 'function_call',
    status: 'completed',
    arguments: args,
    call_id: newId('call'),
    name: 'exec_command',
  };
  return {
    item,
    events: [
      added({ ...item, status: 'in_progress', arguments: '' }),
      { type: 'response.function_call_arguments.delta', ...place, delta: args },
      { type: 'response.function_call_arguments.done', ...place, arguments: args },
      done(item),
    ],
  };
}

function added(item: OutputItem): ResponseEvent {
  return { type: 'response.output_item.added', output_index: 0, item };
}

function done(item: OutputItem): ResponseEvent {
  return { type: 'response.output_item.done', output_index: 0, item };
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
