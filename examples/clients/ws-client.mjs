// A client of the Codex backend in a few lines: it sends what codex 0.171.0 sends, with instructions and tools of its own.
// Two faults are on purpose: it sends the tier "fast" as the user writes it, and no prompt_cache_key. `check` finds both:
//
//   codex-parity check --client --codex 0.171.0 --scenario default,fast -- \
//     node ws-client.mjs --url={baseUrl} --auth={auth} --model={model} --tier={tier} {prompt}
import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import WebSocket from 'ws';

const text = { type: 'string' };
const { values, positionals } = parseArgs({
  options: { url: text, auth: text, model: text, tier: text },
  allowPositionals: true,
});
const { url, model, tier } = values;
const { access_token: token, account_id: account } = JSON.parse(readFileSync(values.auth, 'utf8')).tokens;

/** A UUID of version 7: 48 bits of time, then random ones. */
function uuid7() {
  const time = Date.now().toString(16).padStart(12, '0');
  const random = randomBytes(9).toString('hex');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(0, 3)}-a${random.slice(3, 6)}-${random.slice(6)}`;
}

const [session, turn, contextWindow, installation] = [uuid7(), uuid7(), uuid7(), randomUUID()];

/** What the client says about a request: the prewarm has no turn. */
function metadata(kind, turnId) {
  const isTurn = kind === 'turn';
  return JSON.stringify({
    installation_id: installation,
    session_id: session,
    thread_id: session,
    agent_name: '/root',
    turn_id: turnId,
    window_id: `${session}:0`,
    window_number: 0,
    context_window_id: contextWindow,
    request_kind: kind,
    history_initialization: 'new',
    ...(isTurn ? { root_turn_id: turnId } : {}),
    thread_source: 'user',
    ...(isTurn ? { turn_trigger: 'exec' } : {}),
    sandbox: 'none',
    sandbox_mode: 'read-only',
    auto_review_enabled: false,
    node_repl_auto_review_required: true,
    node_repl_disabled: false,
    ...(isTurn ? { turn_started_at_unix_ms: Date.now() } : {}),
    analytics_enabled: true,
    model,
    reasoning_effort: 'low',
  });
}

function request(kind, { turnId, input, previous }) {
  return JSON.stringify({
    type: 'response.create',
    model,
    stream: true,
    ...(tier === undefined ? {} : { service_tier: tier }),
    ...(previous === undefined ? {} : { previous_response_id: previous }),
    input,
    tool_choice: 'auto',
    parallel_tool_calls: false,
    reasoning: { effort: 'low', context: 'all_turns' },
    store: false,
    include: ['reasoning.encrypted_content'],
    text: { verbosity: 'low' },
    ...(kind === 'prewarm' ? { generate: false } : {}),
    client_metadata: {
      guardian_credits_requested: 'true',
      mcp_attribution: JSON.stringify({ status: 'none' }),
      ...(kind === 'turn' ? { root_turn_id: turnId } : {}),
      session_id: session,
      thread_id: session,
      turn_id: turnId,
      ws_request_header_x_openai_internal_codex_responses_lite: 'true',
      'x-codex-installation-id': installation,
      'x-codex-turn-metadata': metadata(kind, turnId),
      'x-codex-window-id': `${session}:0`,
      'x-codex-ws-stream-request-start-ms': String(Date.now()),
    },
  });
}

const headers = {
  'chatgpt-account-id': account,
  authorization: `Bearer ${token}`,
  'user-agent': 'codex_exec/0.171.0 (Ubuntu 24.4.0; x86_64) xterm-256color (codex_exec; 0.171.0)',
  originator: 'codex_exec',
  'openai-beta': 'responses_websockets=2026-02-06',
  version: '0.171.0',
  'x-openai-account-routing-override': 'us',
  'x-codex-beta-features': 'remote_compaction_v2',
  'x-client-request-id': session,
  'session-id': session,
  'thread-id': session,
  'x-codex-window-id': `${session}:0`,
  'x-codex-turn-metadata': metadata('prewarm', ''),
  'x-codex-routing-hint': `model=${model}${tier === undefined ? '' : `;tier=${tier}`}`,
};

const socket = new WebSocket(`${url.replace('http', 'ws')}/responses`, {
  headers,
  perMessageDeflate: { threshold: 0 },
  // The order of the official client: its own headers come between those of the handshake.
  finishRequest: (upgrade) => {
    const own = { ...upgrade.getHeaders() };
    for (const name of Object.keys(own)) upgrade.removeHeader(name);
    const first = ['Host', 'Connection', 'Upgrade', 'Sec-WebSocket-Version', 'Sec-WebSocket-Key'];
    for (const name of [...first, ...Object.keys(headers), 'sec-websocket-extensions'])
      upgrade.setHeader(name, own[name.toLowerCase()]);
    upgrade.end();
  },
});
const answer = [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: positionals[0] }] }];
socket.on('open', () => socket.send(request('prewarm', { turnId: '', input: [] })));
let responses = 0;
socket.on('message', (data) => {
  const event = JSON.parse(data);
  if (event.type === 'response.output_text.done') process.stdout.write(`${event.text}\n`);
  if (event.type !== 'response.completed') return;
  responses += 1;
  if (responses > 1) socket.terminate();
  else socket.send(request('turn', { turnId: turn, input: answer, previous: event.response.id }));
});
