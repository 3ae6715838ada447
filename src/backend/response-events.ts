import { z } from 'zod';
import type { CreateRequest } from './create-request.ts';
import {
  newId,
  type OutputItem,
  type ScriptedOutput,
  type ScriptedResponse,
  type StreamEvent,
  type StreamPart,
} from './scripted-response.ts';

/** Seconds since 1970. Always the same: clocks that are equal by chance would be learned as one variable. */
const createdAt = 1_700_000_000;

/** What a client must ignore: an event of unknown type, text that is not JSON, or the account's rate limits. */
export const noise = z.enum(['unknown-event', 'not-json', 'rate-limits']);
type Noise = z.output<typeof noise>;

export type ResponseObject = ReturnType<typeof createdResponse>;

/** The events for a prewarm: an id to chain to. Codex 0.118 to 0.169 accept it without `response.in_progress`. */
export function prewarmEvents(request: CreateRequest): StreamEvent[] {
  const response = createdResponse(request);
  return numbered([
    { type: 'response.created', response },
    { type: 'response.completed', response: completed(response, []) },
  ]);
}

/** A response that completes, in the event order that the Responses API documents. Noise follows its first events. */
export function completeResponse(
  response: ResponseObject,
  outputs: readonly ScriptedOutput[],
  turnState: string | undefined,
  noise: readonly Noise[] = [],
): ScriptedResponse {
  const output = outputs.map(({ item }) => item);
  const first = startEvents(response);
  const parts: StreamPart[] = numbered([
    ...first,
    ...outputs.flatMap(({ begun, events, item }, output_index) => [
      { type: 'response.output_item.added', output_index, item: begun },
      ...events.map((event) => ({ ...event, output_index })),
      { type: 'response.output_item.done', output_index, item },
    ]),
    { type: 'response.completed', response: completed(response, output) },
  ]);
  return {
    kind: 'stream',
    ...(turnState === undefined ? {} : { turnState }),
    parts: parts.toSpliced(first.length, 0, ...noise.map(noisePart)),
    output,
  };
}

/** A response that ends without output. */
export function unfinishedResponse(
  response: ResponseObject,
  end: { readonly status: 'failed' | 'incomplete'; readonly [member: string]: unknown },
): ScriptedResponse {
  const last = { type: `response.${end.status}`, response: { ...response, ...end } };
  return { kind: 'stream', parts: numbered([...startEvents(response), last]) };
}

/**
 * A response that stops after its first text delta until the client interrupts it. The client chains its next request
 * to an interrupted response, on the same connection (measured: codex 0.169.0; after an error frame it reconnects).
 */
export function heldResponse(response: ResponseObject, output: ScriptedOutput): ScriptedResponse {
  const parts = firstEvents(response, output);
  const response_id = response.id;
  const interrupted = { status: 'incomplete', incomplete_details: { reason: 'interrupted' } };
  const rest = [
    { type: 'response.interrupt.accepted', response_id },
    { type: 'response.output_item.interrupted', response_id, item_id: output.item.id, output_index: 0 },
    { type: 'response.incomplete', response: { ...completed(response, []), ...interrupted } },
  ];
  return { kind: 'stream', parts, ending: { hold: numbered(rest, parts.length) } };
}

/** The events of a response up to its first text delta. */
export function firstEvents(response: ResponseObject, { begun, events }: ScriptedOutput): StreamEvent[] {
  const upToDelta = events.slice(0, events.findIndex(({ type }) => type.endsWith('.delta')) + 1);
  return numbered([
    ...startEvents(response),
    { type: 'response.output_item.added', output_index: 0, item: begun },
    ...upToDelta,
  ]);
}

function startEvents(response: ResponseObject): StreamEvent[] {
  return [
    { type: 'response.created', response },
    { type: 'response.in_progress', response },
  ];
}

/** The event in which the websocket has the account's rate limits. */
export const rateLimits: StreamEvent = {
  type: 'codex.rate_limits',
  plan_type: 'pro',
  rate_limits: {
    allowed: true,
    limit_reached: false,
    primary: { used_percent: 10, window_minutes: 300, reset_at: createdAt },
    secondary: { used_percent: 20, window_minutes: 10_080, reset_at: createdAt },
  },
};

function noisePart(noise: Noise): StreamPart {
  switch (noise) {
    case 'not-json':
      return 'this is not JSON';
    case 'unknown-event':
      return { type: 'response.parity_unknown', value: 1 };
    case 'rate-limits':
      return rateLimits;
  }
}

export function message(text: string): ScriptedOutput {
  const id = newId('msg');
  const position = { item_id: id, output_index: 0, content_index: 0 };
  const part = { type: 'output_text', annotations: [], logprobs: [], text };
  const item = { id, type: 'message', status: 'completed', content: [part], role: 'assistant' };
  return {
    item,
    begun: { ...item, status: 'in_progress', content: [] },
    events: [
      { type: 'response.content_part.added', ...position, part: { ...part, text: '' } },
      { type: 'response.output_text.delta', ...position, delta: text, logprobs: [] },
      { type: 'response.output_text.done', ...position, text, logprobs: [] },
      { type: 'response.content_part.done', ...position, part },
    ],
  };
}

/** The official backend encrypts the text: only it can read what a compacted thread continues from. */
export function compaction(text: string): ScriptedOutput {
  const item = { id: newId('cmp'), type: 'compaction', encrypted_content: text };
  return { item, begun: item, events: [] };
}

/**
 * The response object at the start. The real API repeats instructions and tools in it. This backend leaves them out,
 * so that a trace of the response does not contain the prompt again.
 */
export function createdResponse(request: CreateRequest) {
  return {
    id: newId('resp'),
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

/** The token counts are invented and small: no check depends on the usage that a client reports. */
function completed(response: ResponseObject, output: readonly OutputItem[]) {
  const outputTokens = output.length;
  return {
    ...response,
    status: 'completed',
    output,
    usage: {
      input_tokens: 1,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: outputTokens,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 1 + outputTokens,
    },
  };
}

function numbered(events: readonly StreamEvent[], first = 0): StreamEvent[] {
  return events.map((event, index) => ({ ...event, sequence_number: first + index }));
}
