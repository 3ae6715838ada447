import { createHash } from 'node:crypto';
import type { Golden } from '../../src/golden/golden.ts';
import { generalise } from '../../src/golden/learn/generalise.ts';
import { type Exchange, exchangesOf } from '../../src/golden/trace/exchanges.ts';
import type { MessageEvent, TraceEvent } from '../../src/trace/trace-event.ts';
import { type JsonNode, jsonString, toNode } from '../../src/wire/json.ts';
import type { Side } from '../../src/wire/message.ts';

/**
 * The events of a small trace like those of codex 0.169.0: a handshake, a prewarm, one or two turns, one identity in all
 * places, turn metadata as JSON in a string, and a key order of `client_metadata` that differs from run to run. Everything
 * that the official client makes anew is derived from the number of the run, so runs differ and are repeatable.
 */
export function sampleEvents(run: number, turns: 1 | 2 = 1): TraceEvent[] {
  const thread = uuid7(run, 'thread');
  const turn = uuid7(run, 'turn');
  const nextTurn = uuid7(run, 'second turn');
  const window = uuid7(run, 'window');
  const start = startOf(run);
  const later = start + 60_000;
  const [prewarmResponse, turnResponse, secondTurnResponse] = [
    hex(run, 'prewarm'),
    hex(run, 'turn'),
    hex(run, 'second turn'),
  ];
  const metadata = (more: object) => ({
    installation_id: installation,
    session_id: thread,
    thread_id: thread,
    window_id: `${thread}:0`,
    window_number: 0,
    context_window_id: window,
    ...more,
    sandbox: 'seccomp',
    analytics_enabled: true,
  });
  const prewarmMetadata = metadata({ turn_id: '', request_kind: 'prewarm' });
  const turnMetadata = metadata({ turn_id: turn, request_kind: 'turn', turn_started_at_unix_ms: start + 5 });
  const secondTurnMetadata = metadata({
    turn_id: nextTurn,
    request_kind: 'turn',
    turn_started_at_unix_ms: later,
  });
  const clientMetadata = (turnId: string, json: object, at: number) =>
    rotated(run, {
      session_id: thread,
      thread_id: thread,
      turn_id: turnId,
      'x-codex-installation-id': installation,
      'x-codex-turn-metadata': JSON.stringify(json),
      'x-codex-window-id': `${thread}:0`,
      'x-codex-ws-stream-request-start-ms': String(at),
    });
  const itemOf =
    (id: string, time: number) =>
    (name: string, role: string, kind: string, ...texts: string[]) => ({
      type: 'message',
      id: `msg_${uuid7(run, name)}`,
      role,
      content: texts.map((text) => ({ type: 'input_text', text })),
      // Never a whole number: JSON.stringify would write it without ".0", which the official client does not.
      passthrough: { turn_id: id, create_time: (time + 7.5) / 1000 + texts.length, kinds: [kind] },
    });
  const item = itemOf(turn, start);
  const input = [
    { type: 'additional_tools', id: `at_${uuid7(run, 'tools')}`, role: 'developer', tools },
    item('base', 'developer', 'model.base_instructions', sealed('', 'instructions')),
    item(
      'skills',
      'developer',
      'host_skills.instructions',
      sealed('skills_instructions', `skills of host ${run}`),
      sealed('permissions_instructions', 'permissions'),
    ),
    item('context', 'user', 'environment_context', sealed('environment_context', `folder ${run}`)),
    item('prompt', 'user', 'user.text', prompt),
  ];
  const common = {
    tool_choice: 'auto',
    parallel_tool_calls: false,
    reasoning: { effort: 'low', context: null },
  };
  return [
    { type: 'connection', connection: 1, authority: `127.0.0.1:${40_000 + run}`, tls: null },
    ...sideRequest(1, 1),
    { type: 'connection', connection: 2, authority: `127.0.0.1:${40_000 + run}`, tls: null },
    {
      type: 'request',
      connection: 2,
      exchange: 2,
      method: 'GET',
      target: jsonString('/backend-api/codex/responses'),
      headers: Object.entries({
        Host: `127.0.0.1:${40_000 + run}`,
        Connection: 'Upgrade',
        'Sec-WebSocket-Key': createHash('md5').update(`key ${run}`).digest('base64'),
        'chatgpt-account-id': '<<secret account_id 1 uuid4>>',
        authorization: 'Bearer <<secret token 1>>',
        'user-agent': `codex_exec/0.169.0 (Debian 12.0.0; x86_64) terminal-${run} (codex_exec; 0.169.0)`,
        originator: 'codex_exec',
        version: '0.169.0',
        'x-client-request-id': thread,
        'session-id': thread,
        'thread-id': thread,
        'x-codex-window-id': `${thread}:0`,
        'x-codex-turn-metadata': JSON.stringify(prewarmMetadata),
        'x-codex-routing-hint': 'model=gpt-6.1-sol;tier=priority',
      }).map(([name, value]) => [name, jsonString(value)]),
    },
    { type: 'response', exchange: 2, status: 101, headers: [['Date', jsonString(`day ${run}`)]] },
    message('client', {
      type: 'response.create',
      model: 'gpt-6.1-sol',
      service_tier: 'priority',
      input: [],
      ...common,
      include: ['reasoning.encrypted_content'],
      prompt_cache_key: thread,
      generate: false,
      client_metadata: clientMetadata('', prewarmMetadata, start),
    }),
    message('backend', responseEvent('response.created', prewarmResponse, thread, start)),
    message('backend', responseEvent('response.completed', prewarmResponse, thread, start)),
    message('client', {
      type: 'response.create',
      model: 'gpt-6.1-sol',
      service_tier: 'priority',
      previous_response_id: `resp_${prewarmResponse}`,
      input,
      ...common,
      include: ['reasoning.encrypted_content'],
      prompt_cache_key: thread,
      client_metadata: clientMetadata(turn, turnMetadata, start + 9),
    }),
    message('backend', responseEvent('response.created', turnResponse, thread, start + 1000)),
    message('backend', responseEvent('response.completed', turnResponse, thread, start + 1000)),
    ...(turns === 1
      ? []
      : [
          message('client', {
            type: 'response.create',
            model: 'gpt-6.1-sol',
            service_tier: 'priority',
            previous_response_id: `resp_${turnResponse}`,
            input: [itemOf(nextTurn, later)('second prompt', 'user', 'user.text', prompt)],
            ...common,
            include: ['reasoning.encrypted_content'],
            prompt_cache_key: thread,
            client_metadata: clientMetadata(nextTurn, secondTurnMetadata, later + 9),
          }),
          message('backend', responseEvent('response.created', secondTurnResponse, thread, later + 1000)),
          message('backend', responseEvent('response.completed', secondTurnResponse, thread, later + 1000)),
        ]),
    { type: 'end', connection: 2, by: 'client' },
  ];
}

/** The exchanges of a run with one turn. */
export function sampleRun(run: number): Exchange[] {
  return exchangesOf(sampleEvents(run));
}

export const sampleId = { codex: '0.169.0', lane: 'chatgpt', scenario: 'mini' };

/** The exchanges of a run with a second turn on the same websocket. */
export function sampleRunOfTwoTurns(run: number): Exchange[] {
  return exchangesOf(sampleEvents(run, 2));
}

let golden: Golden | undefined;

/** The golden of runs 1, 2 and 3. */
export function sampleGolden(): Golden {
  golden ??= generalise(sampleId, [sampleRun(1), sampleRun(2), sampleRun(3)]);
  return golden;
}

/** An exchange that consists of an upgrade on a plain connection and these messages. */
export function exchangeOf(...messages: readonly MessageEvent[]): Exchange {
  return {
    connection: { type: 'connection', connection: 1, authority: 'localhost:1', tls: null },
    request: {
      type: 'request',
      connection: 1,
      exchange: 1,
      method: 'GET',
      target: jsonString('/responses'),
      headers: [],
    },
    steps: messages,
  };
}

/** A text message that contains JSON, in one compressed frame. */
export function message(from: Side, json: unknown): MessageEvent {
  return messageOf(from, toNode(json));
}

export function messageOf(from: Side, json: JsonNode): MessageEvent {
  const content = { kind: 'json', json, spaced: false } as const;
  return { type: 'message', exchange: 2, from, opcode: 'text', compressed: true, fragments: 1, content };
}

/** A side request and its response. */
export function sideRequest(connection: number, exchange: number): TraceEvent[] {
  const target = jsonString('/backend-api/codex/models');
  const headers = [['accept', jsonString('*/*')] as const];
  return [
    { type: 'request', connection, exchange, method: 'GET', target, headers },
    { type: 'response', exchange, status: 200, headers: [] },
  ];
}

/** A UUIDv7 of the time of the run. */
export function uuid7(run: number, name: string): string {
  const digits = createHash('sha256').update(`uuid ${run} ${name}`).digest('hex');
  const time = (startOf(run) + Number.parseInt(digits.slice(0, 3), 16)).toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${digits.slice(13, 16)}-8${digits.slice(17, 20)}-${digits.slice(20, 32)}`;
}

function startOf(run: number): number {
  return 1_785_432_000_000 + run * 60_011;
}

const installation = '<<secret installation_id 1 uuid4>>';
const prompt = 'Reply with {{name}} and {{json}}, exactly: OK';
const tools = [
  { type: 'function', name: 'wait', strict: false, parameters: { max_tokens: { type: 'number' } } },
  { type: 'custom', name: 'exec', format: { syntax: 'lark' } },
];

function hex(run: number, name: string): string {
  return createHash('md5').update(`response ${run} ${name}`).digest('hex');
}

function sealed(tag: string, text: string): string {
  const hash = createHash('sha256').update(text).digest('hex');
  return `<<sealed ${tag === '' ? '' : `${tag} `}${text.length} ${hash}>>`;
}

/** The same members, rotated by a different number in each run, like the official client's hash map. */
function rotated(run: number, members: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const entries = Object.entries(members);
  const first = run % entries.length;
  return Object.fromEntries([...entries.slice(first), ...entries.slice(0, first)]);
}

/** Like the real backend, it repeats the client's cache key. */
function responseEvent(type: string, responseId: string, cacheKey: string, now: number): object {
  const created = now / 1000;
  return { type, response: { id: `resp_${responseId}`, created_at: created, prompt_cache_key: cacheKey } };
}
