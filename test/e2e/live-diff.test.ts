import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { startBackend } from '../../src/backend/backend.ts';
import type { ScriptedReply } from '../../src/backend/reply.ts';
import { installOfficialClient } from '../../src/client/install/install.ts';
import { inFreshFolder, makeEnvironment } from '../../src/client/official/environment.ts';
import { runOfficialClient } from '../../src/client/official/run-client.ts';
import type { Task } from '../../src/client/official/task.ts';
import { liveFindings } from '../../src/diff/live.ts';
import { readGolden } from '../../src/golden/file.ts';
import { type Exchange, exchangesOf, type Step } from '../../src/golden/trace/exchanges.ts';
import { defaultAuthorityFolder, openCertificateAuthority } from '../../src/tap/certificate-authority.ts';
import { startInterceptingTap } from '../../src/tap/intercept.ts';
import { Sealer } from '../../src/trace/seal.ts';
import { createTrace } from '../../src/trace/trace.ts';
import type { HeaderField, MessageEvent, TraceEvent } from '../../src/trace/trace-event.ts';
import { TraceRecorder } from '../../src/trace/trace-recorder.ts';
import {
  filterMembers,
  type JsonMember,
  type JsonNode,
  jsonString,
  mapChildren,
  sameJson,
} from '../../src/wire/json.ts';
import { line } from '../diff/rendered.ts';
import { repository, temporaryFolder } from './cli.ts';
import { runInProcess } from './run-in-process.ts';

const goldenFile = join(repository, 'traces', '0.169.0', 'chatgpt', 'default.golden.jsonl');
const golden = readGolden(goldenFile);

/** What a session with two requests sends, in a repository, with another prompt, model and effort. */
const ownTask: Task = {
  prompt: 'Count the letters of the first word',
  model: 'gpt-5.4',
  config: { model_reasoning_effort: 'high', sandbox_mode: 'workspace-write' },
  repository: { files: { 'AGENTS.md': 'Answer with one word in every case.\n' } },
};
const ownReplies: readonly ScriptedReply[] = [
  {
    reply: 'tool_calls',
    style: 'auto',
    calls: [{ call: 'command', command: 'printf alpha', output: 'alpha' }],
  },
  { reply: 'text', text: 'It has five letters' },
];

/** The trace of a session of the official client, with nothing known about it, as `record -- COMMAND` writes it. */
async function record(task: Task, script: readonly ScriptedReply[]): Promise<TraceEvent[]> {
  const backend = await startBackend({ script });
  const authority = await openCertificateAuthority(defaultAuthorityFolder());
  const events: TraceEvent[] = [];
  const tap = await startInterceptingTap({
    authority,
    upstream: { kind: 'fixed', host: '127.0.0.1', port: backend.port, tls: false },
    onOtherHost: 'refuse',
    observe: new TraceRecorder(new Sealer(), (event) => events.push(event)).observe,
  });
  try {
    const { exitCode, stderr } = await inFreshFolder(async (root) =>
      runOfficialClient({
        client: await installOfficialClient('0.169.0'),
        environment: await makeEnvironment(root, 23),
        ...task,
        connect: { kind: 'intercepted', proxyUrl: tap.url, certificate: authority.certificatePath },
        timeoutMs: 60_000,
      }),
    );
    expect(exitCode, stderr).toBe(0);
  } finally {
    await tap.close();
    await backend.close();
  }
  return events;
}

let own: TraceEvent[];
let plain: TraceEvent[];
beforeAll(async () => {
  own = await record(ownTask, ownReplies);
  plain = await record({ prompt: 'Say hello to all of them', config: {} }, [
    { reply: 'text', text: 'Hello' },
  ]);
});

const sessions = () => [own, plain].map(exchangesOf);

it('finds no fault in a session with its own prompt, repository, model, effort and number of requests', async () => {
  const file = join(temporaryFolder(), 'live.trace.jsonl');
  const trace = createTrace(file, { recorded: 'live' });
  own.forEach(trace.write);
  trace.finish();
  const { stdout, exitCode } = await runInProcess(['diff', goldenFile, file]);
  expect(stdout).toContain('information: 0.169.0 default › model: gpt-5.4 (golden: gpt-6.1-sol)\n');
  expect(stdout).toContain('information: 0.169.0 default › reasoning effort: high (golden: low)\n');
  // The client leaves it out if git does not respond in time.
  const hasWorkspaces = JSON.stringify(own).includes('workspaces');
  expect(stdout.includes('› workspaces differs at exchange 1 › client message 2\n')).toBe(hasWorkspaces);
  expect(stdout).toContain('› not compared: 0 further requests, 1 further message\n');
  expect(stdout).toContain(`parity: ${file} follows the protocol of 0.169.0 default\n`);
  expect(stdout).not.toMatch(/^(?:error|warning):/m);
  expect(exitCode).toBe(0);
});

it('lists nothing but the prompt of a session that is otherwise like the golden', () => {
  const { findings, information } = liveFindings(golden, exchangesOf(plain));
  expect(findings).toEqual([]);
  expect(information).toMatchObject([
    { type: 'difference', name: 'input', places: [{ part: 'message', number: 2 }] },
  ]);
});

it('finds no fault in several turns of another front end', async () => {
  const steps = ['First of all', 'Second of all'].map((prompt) => ({ do: 'turn', prompt }) as const);
  const events = await record({ steps, config: {} }, [
    { reply: 'text', text: 'One' },
    { reply: 'text', text: 'Two' },
  ]);
  expect(liveFindings(golden, exchangesOf(events)).findings.map(line)).toEqual([]);
});

/** Faults of a proxy, and the findings for each. */
const faults: readonly [name: string, change: (exchange: Exchange) => Exchange, finding: string][] = [
  [
    'another tier',
    (exchange) =>
      withMessage(exchange, 0, (message) =>
        withContent(message, (json) => ({
          kind: 'object',
          members: membersOf(json).flatMap((one): JsonMember[] =>
            one[0] === 'include' ? [one, ['service_tier', jsonString('default')]] : [one],
          ),
        })),
      ),
    'added | client message 1 › service_tier, client message 2 › service_tier',
  ],
  [
    'another session id in a header',
    (exchange) =>
      withHeaders(exchange, (headers) =>
        headers.map(([name, value]) => [name, name === 'session-id' ? otherId : value]),
      ),
    'disagrees | handshake › session-id',
  ],
  [
    'another session id in a body',
    (exchange) =>
      withMessage(exchange, 2, (message) =>
        withContent(message, (json) =>
          mapChildren(json, (value, key) => (key === 'prompt_cache_key' ? otherId : value)),
        ),
      ),
    'disagrees | client message 2 › prompt_cache_key',
  ],
  [
    'another order of headers',
    (exchange) =>
      withHeaders(exchange, ([first, second, ...rest]) => [...rest, first, second].flatMap(present)),
    'moved | handshake',
  ],
  [
    'no prewarm',
    (exchange) => {
      const [prewarm, turn] = exchange.steps.flatMap((step, index) => (isSent(step) ? [index] : []));
      const steps = exchange.steps.filter((_, index) => index < (prewarm ?? 0) || index >= (turn ?? 0));
      return withMessage({ ...exchange, steps }, 1, (message) =>
        withContent(message, (json) => filterMembers(json, (key) => key !== 'previous_response_id')),
      );
    },
    'missing | client message 1',
  ],
  [
    'messages without compression',
    (exchange) => withMessage(exchange, 0, (message) => ({ ...message, compressed: false })),
    'reframed | client message 1, client message 2',
  ],
  [
    'messages in two frames',
    (exchange) => withMessage(exchange, 2, (message) => ({ ...message, fragments: 2 })),
    'reframed | client message 2',
  ],
  [
    'a routing hint with another model than the body',
    (exchange) =>
      withHeaders(exchange, (headers) =>
        headers.map(([name, value]) => [
          name,
          name === 'x-codex-routing-hint' ? jsonString('model=gpt-9') : value,
        ]),
      ),
    'changed | handshake › x-codex-routing-hint',
  ],
  [
    'an originator that is no official front end',
    (exchange) =>
      withHeaders(exchange, (headers) =>
        headers.map(([name, value]) => [name, name === 'originator' ? jsonString('my-proxy') : value]),
      ),
    'changed | handshake › originator',
  ],
  [
    'a chain that continues another response',
    (exchange) =>
      withMessage(exchange, 2, (message) =>
        withContent(message, (json) =>
          mapChildren(json, (value, key) =>
            key === 'previous_response_id' ? jsonString(`resp_${'0'.repeat(48)}`) : value,
          ),
        ),
      ),
    'disagrees | client message 2 › previous_response_id',
  ],
];

it.each(faults)('reports one finding for %s', (_, change, expected) => {
  for (const [exchange, ...others] of sessions()) {
    if (exchange === undefined) throw new RangeError('the session has no exchange');
    const { findings } = liveFindings(golden, [change(exchange), ...others]);
    expect(findings.map(line), JSON.stringify(findings)).toHaveLength(1);
    expect(findings.map(line)[0]).toContain(expected);
  }
});

const otherId = jsonString('0198c3f0-0000-7000-8000-000000000000');

function isSent(step: Step): step is MessageEvent {
  return step.type === 'message' && step.from === 'client';
}

function membersOf(json: JsonNode): readonly JsonMember[] {
  return json.kind === 'object' ? json.members : [];
}

function present<T>(value: T | undefined): T[] {
  return value === undefined ? [] : [value];
}

/** The exchange with another nth message of the client, or with all of them changed for 0. */
function withMessage(
  exchange: Exchange,
  number: number,
  change: (message: MessageEvent) => MessageEvent,
): Exchange {
  let at = 0;
  const steps = exchange.steps.map((step): Step => {
    if (!isSent(step)) return step;
    at += 1;
    return number === 0 || at === number ? change(step) : step;
  });
  return { ...exchange, steps };
}

function withContent(message: MessageEvent, change: (json: JsonNode) => JsonNode): MessageEvent {
  if (message.content.kind !== 'json') throw new TypeError('the message is not JSON');
  const json = change(message.content.json);
  expect(sameJson(json, message.content.json), 'the change changes nothing').toBe(false);
  return { ...message, content: { ...message.content, json } };
}

function withHeaders(
  exchange: Exchange,
  change: (headers: readonly HeaderField[]) => readonly HeaderField[],
): Exchange {
  return { ...exchange, request: { ...exchange.request, headers: change(exchange.request.headers) } };
}
