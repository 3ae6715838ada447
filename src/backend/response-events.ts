import type { CreateRequest } from './create-request.ts';
import { newId } from './identifiers.ts';
import { firstWords, type Noise, type Recipient, type ScriptedReply } from './script.ts';
import type {
  OutputItem,
  ScriptedOutput,
  ScriptedResponse,
  StreamEvent,
  StreamPart,
} from './scripted-response.ts';
import { toolCall } from './tool-calls.ts';

/** Seconds since 1970. Always the same: clocks that agree by chance would be learned as one. */
const createdAt = 1_700_000_000;

type ResponseObject = ReturnType<typeof newResponse>;

/** What a prewarm gets: an id to chain to and nothing else. 0.118 to 0.169 take it with created and completed alone. */
export function prewarmEvents(request: CreateRequest): StreamEvent[] {
  const response = newResponse(request);
  return numbered([
    { type: 'response.created', response },
    { type: 'response.completed', response: completed(response, []) },
  ]);
}

/** One scripted reply, its events in the order the Responses API documents them. Ids are fresh at every call. */
export function scriptedResponse(
  reply: ScriptedReply,
  request: CreateRequest,
  recipient: Recipient,
): ScriptedResponse {
  const response = newResponse(request);
  switch (reply.reply) {
    case 'text': {
      const { text, noise = [], close } = reply;
      const output = recipient === 'compaction' ? compaction(text) : message(text);
      return {
        ...whole(response, [output], reply.turnState, noise),
        ...(close === undefined ? {} : { ending: { close } }),
      };
    }
    case 'tool_calls': {
      const outputs = reply.calls.map((call, at) => toolCall(call, reply.style, at, request));
      return whole(response, outputs, reply.turnState);
    }
    case 'error': {
      const { status, error, headers } = reply;
      return { kind: 'refused', status, error, ...(headers === undefined ? {} : { headers }) };
    }
    case 'failed':
      return {
        kind: 'said',
        said: unfinished(response, { status: 'failed', error: JSON.parse(reply.error) }),
      };
    case 'incomplete':
      return {
        kind: 'said',
        said: unfinished(response, { status: 'incomplete', incomplete_details: { reason: reply.reason } }),
      };
    case 'break':
      return { kind: 'said', said: begun(response, message(firstWords)), ending: { close: reply.close } };
    case 'binary':
      return { kind: 'said', said: [...begun(response, message(firstWords)), notText], ending: { hold: [] } };
    case 'hold': {
      const output = message(reply.text);
      const said = begun(response, output);
      return { kind: 'said', said, ending: { hold: interrupted(response, output, said.length) } };
    }
  }
}

/** Bytes that are no UTF-8. */
const notText = Buffer.from([0xff, 0xfe, 0xfd]);

function started(response: ResponseObject): StreamEvent[] {
  return [
    { type: 'response.created', response },
    { type: 'response.in_progress', response },
  ];
}

/** A response that comes to its end. Noise comes when it has begun. */
function whole(
  response: ResponseObject,
  outputs: readonly ScriptedOutput[],
  turnState: string | undefined,
  noise: readonly Noise[] = [],
): ScriptedResponse {
  const items = outputs.map(({ item }) => item);
  const beginning = started(response);
  const said: StreamPart[] = numbered([
    ...beginning,
    ...outputs.flatMap(({ begun, events, item }, output_index) => [
      { type: 'response.output_item.added', output_index, item: begun },
      ...events,
      { type: 'response.output_item.done', output_index, item },
    ]),
    { type: 'response.completed', response: completed(response, items) },
  ]);
  return {
    kind: 'said',
    ...(turnState === undefined ? {} : { turnState }),
    said: said.toSpliced(beginning.length, 0, ...noise.map(noiseOf)),
    output: items,
  };
}

/** A response as far as its first words. */
function begun(response: ResponseObject, { begun: item, events }: ScriptedOutput): StreamEvent[] {
  const upToDelta = events.slice(0, events.findIndex(({ type }) => type.endsWith('.delta')) + 1);
  return numbered([
    ...started(response),
    { type: 'response.output_item.added', output_index: 0, item },
    ...upToDelta,
  ]);
}

/**
 * The rest of a response that the client interrupts in its first item: the client chains its next request to it, on
 * the same connection (measured: codex 0.169.0; after an error frame it connects anew).
 */
function interrupted(response: ResponseObject, { item }: ScriptedOutput, said: number): StreamEvent[] {
  const response_id = response.id;
  return numbered(
    [
      { type: 'response.interrupt.accepted', response_id },
      { type: 'response.output_item.interrupted', response_id, item_id: item.id, output_index: 0 },
      {
        type: 'response.incomplete',
        response: {
          ...completed(response, []),
          status: 'incomplete',
          incomplete_details: { reason: 'interrupted' },
        },
      },
    ],
    said,
  );
}

/** A response that ends without an output. */
function unfinished(
  response: ResponseObject,
  end: { readonly status: 'failed' | 'incomplete'; readonly [member: string]: unknown },
): StreamEvent[] {
  return numbered([
    ...started(response),
    { type: `response.${end.status}`, response: { ...response, ...end } },
  ]);
}

function noiseOf(noise: Noise): StreamPart {
  switch (noise) {
    case 'not-json':
      return 'this is not JSON';
    case 'unknown-event':
      return { type: 'response.parity_unknown', value: 1 };
    case 'rate-limits':
      return {
        type: 'codex.rate_limits',
        plan_type: 'pro',
        rate_limits: {
          allowed: true,
          limit_reached: false,
          primary: { used_percent: 10, window_minutes: 300, reset_at: createdAt },
          secondary: { used_percent: 20, window_minutes: 10_080, reset_at: createdAt },
        },
      };
  }
}

function message(text: string): ScriptedOutput {
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

/** What a compacted thread goes on from: a text that only the backend can read. */
function compaction(text: string): ScriptedOutput {
  const item = { id: newId('compaction'), type: 'compaction', encrypted_content: text };
  return { item, begun: item, events: [] };
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
function completed(response: ResponseObject, output: readonly OutputItem[]) {
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

function numbered(events: readonly StreamEvent[], first = 0): StreamEvent[] {
  return events.map((event, at) => ({ ...event, sequence_number: first + at }));
}
