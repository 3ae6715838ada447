import { readEvent, type UpstreamEvent } from '../../../src/proxy/http/upstream-events.ts';

type Json = Readonly<Record<string, unknown>>;

/** Returns an event as the backend sends it. */
export function event(type: string, members: Json = {}): UpstreamEvent {
  const read = readEvent(JSON.stringify({ type, ...members }));
  if (read === undefined) throw new Error(`${type} is not an event`);
  return read;
}

/** Returns a response as it is in events. */
export function response(status: string, members: Json = {}): Json {
  return {
    id: 'resp_1',
    object: 'response',
    created_at: 5,
    status,
    model: 'm',
    error: null,
    incomplete_details: null,
    output: [],
    usage: null,
    ...members,
  };
}

const usage = {
  input_tokens: 3,
  input_tokens_details: { cached_tokens: 1 },
  output_tokens: 4,
  output_tokens_details: { reasoning_tokens: 2 },
  total_tokens: 7,
};

export const created = event('response.created', { response: response('in_progress') });

/** Returns the last event of a successful response. */
export function completed(members: Json = {}): UpstreamEvent {
  return event('response.completed', { response: response('completed', { usage, ...members }) });
}

export function message(...texts: readonly string[]): Json {
  const content = texts.map((text) => ({ type: 'output_text', text, annotations: [] }));
  return { id: 'msg_1', type: 'message', role: 'assistant', status: 'completed', content };
}

export const refused = {
  id: 'msg_2',
  type: 'message',
  role: 'assistant',
  content: [{ type: 'refusal', refusal: 'no' }],
};

export const reasoning = {
  id: 'rs_1',
  type: 'reasoning',
  summary: [{ type: 'summary_text', text: 'hmm' }],
  content: [{ type: 'reasoning_text', text: 'hmm' }],
};

export function functionCall(name: string, args: string): Json {
  return { id: `fc_${name}`, type: 'function_call', call_id: `call_${name}`, name, arguments: args };
}

export const customCall = {
  id: 'ctc_1',
  type: 'custom_tool_call',
  call_id: 'call_c',
  name: 'c',
  input: 'go',
};

export function added(output_index: number, item: Json): UpstreamEvent {
  return event('response.output_item.added', { output_index, item });
}

export function done(output_index: number, item: Json): UpstreamEvent {
  return event('response.output_item.done', { output_index, item });
}

/** Returns an event with some text of an item. `of` is the event's type without `response.` and `.delta`. */
export function delta(of: string, output_index: number, text: string, content_index = 0): UpstreamEvent {
  return event(`response.${of}.delta`, { output_index, content_index, delta: text });
}
