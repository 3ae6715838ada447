import type { Content, TraceEvent } from '../../src/trace/trace-event.ts';
import { uuid7 } from '../../src/wire/ids.ts';
import { jsonString, toNode } from '../../src/wire/json.ts';

/** A turn that a made-up client sends: members of its request, and the usage that the backend reports. */
export type MadeUpTurn = {
  readonly body?: Readonly<Record<string, unknown>>;
  /** Tokens of the input, and how many of them came from the cache. */
  readonly tokens?: readonly [input: number, cached: number];
  /** The last event; `response.completed` unless given. Null for none. */
  readonly last?: Readonly<Record<string, unknown>> | null;
  /** Milliseconds since the last event. */
  readonly after?: number;
  readonly deltas?: number;
};

type SessionOptions = {
  readonly id?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly connection?: number;
  readonly turns: readonly MadeUpTurn[];
};

export const sessionId = '0198c3f0-0000-7000-8000-000000000001';
const model = 'gpt-6.2-sol';

/** An event and when it was seen. */
export type SeenEvent = readonly [event: TraceEvent, at: number];

/**
 * The traffic of a session on one websocket: 10 ms from the request to the first delta, and 100 ms to the end. Each turn is
 * chained to the last one unless its body says something else.
 */
export function madeUpSession({
  id = sessionId,
  headers = {},
  connection = 1,
  turns,
}: SessionOptions): SeenEvent[] {
  const seen: SeenEvent[] = [];
  let at = 1000 * connection;
  const add = (event: TraceEvent, after = 0) => {
    at += after;
    seen.push([event, at]);
  };
  const all = {
    'session-id': id,
    'chatgpt-account-id': '<<secret account_id 1>>',
    version: '0.171.0',
    originator: 'codex_exec',
    'x-codex-routing-hint': `model=${model}`,
    ...headers,
  };
  add({ type: 'connection', connection, authority: 'chatgpt.com', tls: null });
  add({
    ...{ type: 'request', connection, exchange: connection, method: 'GET' },
    target: jsonString('/backend-api/codex/responses'),
    headers: Object.entries(all).map(([name, value]) => [name, jsonString(value)]),
  });
  add({ type: 'response', exchange: connection, status: 101, headers: [] });
  const message = (from: 'client' | 'backend', value: unknown): TraceEvent => ({
    ...{ type: 'message', exchange: connection, from, opcode: 'text', compressed: true, fragments: 1 },
    content: json(value),
  });
  let previous: string | undefined;
  for (const [index, { body = {}, tokens, last, after = 1000, deltas = 1 }] of turns.entries()) {
    const response = `resp_${connection}_${index}`;
    const request = {
      ...{ type: 'response.create', model, prompt_cache_key: id },
      ...(previous === undefined ? {} : { previous_response_id: previous }),
      input: [text(`prompt ${index}`)],
      client_metadata: { session_id: id, turn_id: uuid7() },
      ...body,
    };
    add(message('client', request), after);
    add(message('backend', { type: 'response.created', response: { id: response } }));
    for (let delta = 0; delta < deltas; delta += 1)
      add(message('backend', { type: 'response.output_text.delta', delta: 'word' }), delta === 0 ? 10 : 0);
    const usage =
      tokens === undefined
        ? null
        : {
            ...{ input_tokens: tokens[0], output_tokens: 5 },
            input_tokens_details: { cached_tokens: tokens[1] },
          };
    const completed = { type: 'response.completed', response: { id: response, output: [], usage } };
    if (last !== null) add(message('backend', last ?? completed), 90);
    previous = response;
  }
  return seen;
}

/** An input item of a user. */
export function text(words: string, role = 'user') {
  return { type: 'message', role, content: [{ type: 'input_text', text: words }] };
}

function json(value: unknown): Content {
  return { kind: 'json', spaced: false, json: toNode(value) };
}
