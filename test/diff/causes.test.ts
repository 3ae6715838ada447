import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type Mutation, mutationsOf } from '../../scripts/mutations/judge.ts';
import { type Finding, together } from '../../src/diff/finding.ts';
import { neutralityFindings } from '../../src/diff/neutrality/neutrality.ts';
import { parityFindings } from '../../src/diff/parity.ts';
import { goldenPath, readGolden } from '../../src/golden/file.ts';
import { generalise } from '../../src/golden/learn/generalise.ts';
import type { Exchange, Step } from '../../src/golden/trace/exchanges.ts';
import type { HeaderField, MessageEvent } from '../../src/trace/trace-event.ts';
import { type JsonMember, type JsonNode, jsonString, member, stringAt } from '../../src/wire/json.ts';
import { fillGolden } from '../golden/fill-golden.ts';
import { sampleId, sampleRunOfTwoTurns } from '../golden/sample-run.ts';
import { line, rendered } from './rendered.ts';

const traces = join(import.meta.dirname, '../../traces');

/** A prewarm and two turns on one socket: client messages 1, 2 and 3. */
const golden = generalise(sampleId, [1, 2, 3].map(sampleRunOfTwoTurns));
const [official = { connection: never(), request: never(), steps: [] }] = sampleRunOfTwoTurns(7);

function never(): never {
  throw new RangeError('there is no exchange');
}

/** The exchange with other client messages; `at` counts them from 1. */
function withMessages(change: (step: MessageEvent, at: number) => Partial<MessageEvent>): Exchange {
  let at = 0;
  const steps = official.steps.map((step): Step => {
    if (step.type !== 'message' || step.from !== 'client') return step;
    at += 1;
    return { ...step, ...change(step, at) };
  });
  return { ...official, steps };
}

/** The same, with other members in each of them. */
function withMembers(
  change: (members: readonly JsonMember[], at: number) => readonly JsonMember[],
): Exchange {
  return withMessages(({ content }, at) =>
    content.kind !== 'json' || content.json.kind !== 'object'
      ? {}
      : { content: { ...content, json: { kind: 'object', members: change(content.json.members, at) } } },
  );
}

function withHeaders(change: (headers: readonly HeaderField[]) => readonly HeaderField[]): Exchange {
  return { ...official, request: { ...official.request, headers: change(official.request.headers) } };
}

function shown(findings: readonly Finding[]): string[] {
  return findings.map(line);
}

function parity(exchange: Exchange): string[] {
  return shown(parityFindings(golden, [exchange]));
}

const messages = 'client message 1, client message 2, client message 3';

it('reports another key order once, with all messages that have it', () => {
  const found = parity(withMembers((members) => [...members].reverse()));
  expect(found).toEqual([
    [
      `moved | ${messages}`,
      'type, model, service_tier, input, tool_choice, parallel_tool_calls, reasoning, include, prompt_cache_key, generate, client_metadata',
      'client_metadata, generate, prompt_cache_key, include, reasoning, parallel_tool_calls, tool_choice, input, service_tier, model, type',
    ].join(' | '),
  ]);
});

it('shows moved names and the fixed names before them in both orders', () => {
  const moved = ['originator', 'version', 'session-id'];
  const found = parity(
    withHeaders((headers) => [
      ...headers.filter(([name]) => !moved.includes(name)),
      ...headers.filter(([name]) => moved.includes(name)),
    ]),
  );
  expect(found).toEqual([
    'moved | handshake | user-agent, originator, version, x-client-request-id, session-id, x-codex-routing-hint' +
      ' | user-agent, x-client-request-id, x-codex-routing-hint, originator, version, session-id',
  ]);
});

it('shows the name that must be first first', () => {
  const named = (headers: readonly HeaderField[], wanted: string) =>
    headers.filter(([name]) => name === wanted);
  const found = parity(
    withHeaders((headers) => [
      ...named(headers, 'version'),
      ...headers.filter(([name]) => name !== 'version' && name !== 'Host'),
      ...named(headers, 'Host'),
    ]),
  );
  expect(found).toEqual([
    'moved | handshake | Host, originator, version, x-codex-routing-hint' +
      ' | version, originator, x-codex-routing-hint, Host',
  ]);
});

it('reports different capitalisation of several names once', () => {
  const found = parity(withHeaders((headers) => headers.map(([name, value]) => [name.toLowerCase(), value])));
  expect(found).toEqual([
    'recased | handshake | Host, Connection, Sec-WebSocket-Key | host, connection, sec-websocket-key',
  ]);
});

it('reports turn metadata of another message once, with its wrong members', () => {
  let frozen: JsonNode | undefined;
  const findings = parityFindings(golden, [
    withMembers((members) =>
      members.map(([key, value]): JsonMember => {
        if (key !== 'client_metadata' || value.kind !== 'object') return [key, value];
        frozen ??= member(value, 'x-codex-turn-metadata') ?? jsonString('');
        const copy = frozen;
        const own = value.members.map(
          ([name, one]): JsonMember => [name, name === 'x-codex-turn-metadata' ? copy : one],
        );
        return [key, { kind: 'object', members: own }];
      }),
    ),
  ]);
  expect(findings.map(rendered)).toMatchObject([
    {
      kind: 'changed',
      places: ['client message 2', 'client message 3'].map(
        (part) => `exchange 1 › ${part} › client_metadata.x-codex-turn-metadata`,
      ),
      expected: expect.stringMatching(
        /^request_kind "turn", turn_started_at_unix_ms "\{\{.*\}\}", turn_id "[0-9a-f-]{36}"$/,
      ),
      actual: 'request_kind "prewarm", turn_started_at_unix_ms missing, turn_id empty',
      why: 'each request has its own turn metadata: a copy from the handshake is stale',
    },
  ]);
});

/** Sessions of a golden with one mutation of an operator, which change the part. */
function mutants(codex: string, scenario: string, mutation: { operator: string; part: string }): Mutation[] {
  const mutated = readGolden(goldenPath(traces, { codex, lane: 'chatgpt', scenario }));
  const all = mutationsOf(mutated, fillGolden(mutated, 1), fillGolden(mutated, 2)).filter(
    ({ operator, places: [place] }) => operator === mutation.operator && place?.part === mutation.part,
  );
  expect(all.length).toBeGreaterThan(1);
  return all;
}

it('reports turn metadata of another message once, with the ids and clocks that came with it', () => {
  const operator = 'send the metadata of another message';
  for (const { findings } of mutants('0.171.0', 'compaction', { operator, part: 'client message 4' })) {
    const found = findings();
    expect(found.map(({ kind }) => kind)).toEqual(['changed']);
    const names = found.flatMap((finding) =>
      finding.kind === 'changed' && finding.expected.type === 'members'
        ? finding.expected.members.map(({ path }) => path.join('.'))
        : [],
    );
    expect(names).toContain('turn_started_at_unix_ms');
    expect(names.includes('root_turn_id')).toBe(names.includes('turn_id'));
  }
});

it('names both messages where their turn metadata has only ids and clocks in common: either may be wrong', () => {
  const operator = 'send the metadata of another message';
  for (const { findings } of mutants('0.128.0', 'second-turn', { operator, part: 'client message 2' })) {
    const found = findings();
    expect(found).not.toEqual([]);
    for (const { places } of found)
      expect(places.map((place) => 'number' in place && place.number)).toContain(2);
  }
});

it('reports a value that two variables have by itself if it is outside of turn metadata too', () => {
  const operator = 'use an identifier twice';
  for (const { findings } of mutants('0.171.0', 'http-fallback', { operator, part: 'handshake' }))
    expect(findings()).toContainEqual(
      expect.objectContaining({ kind: expect.stringMatching(/^(?:repeated|disagrees)$/) }),
    );
});

it('reports a key that is missing in every turn once, although its values differ', () => {
  expect(parity(withMembers((members) => members.filter(([key]) => key !== 'previous_response_id')))).toEqual(
    [
      'missing | client message 2 › previous_response_id, client message 3 › previous_response_id' +
        ' | "resp_{{previous_response_id}}" | ',
    ],
  );
});

it('reports white space and framing once, with all messages', () => {
  const spaced = withMessages(({ content }) =>
    content.kind === 'json' ? { content: { ...content, spaced: true } } : {},
  );
  expect(parity(spaced)).toEqual([
    `respelled | ${messages} | JSON without white space | JSON with white space`,
  ]);
  expect(parity(withMessages(() => ({ fragments: 2 })))).toEqual([
    `reframed | ${messages} | fragments: 1 | fragments: 2`,
  ]);
});

it('reports lost events once per type', () => {
  const passed = (...types: readonly string[]) =>
    official.steps.filter(
      (step) =>
        step.type !== 'message' ||
        step.content.kind !== 'json' ||
        !types.includes(stringAt(step.content.json, 'type') ?? ''),
    );
  const receivedWithout = (...types: readonly string[]) =>
    neutralityFindings([{ ...official, steps: passed(...types) }], [official]).map(({ kind, places }) => [
      kind,
      places.length,
    ]);
  expect(receivedWithout('response.created')).toEqual([['missing', 3]]);
  expect(receivedWithout('response.created', 'response.completed')).toEqual([
    ['missing', 3],
    ['missing', 3],
  ]);
});

it('does not report messages that the client did not get to send', () => {
  const at = official.steps.findIndex((step) => step.type === 'message' && step.from === 'client');
  const cut = { ...official, steps: official.steps.slice(0, at + 1) };
  expect(shown(parityFindings(golden, [cut], { sent: [cut], finished: false }))).toEqual([]);
  expect(
    parityFindings(golden, [cut], { sent: [official], finished: false }).flatMap(
      (finding) => rendered(finding).places,
    ),
  ).toEqual(['exchange 1 › client message 2', 'exchange 1 › client message 3']);
});

it('reports each missing message', () => {
  const steps = official.steps.filter((step) => step.type === 'response' || step.from !== 'client');
  expect(parity({ ...official, steps }).map((line) => line.split(' | ', 2).join(' '))).toEqual([
    'missing client message 1',
    'missing client message 2',
    'missing client message 3',
  ]);
});

it('reports missing compression only if it was offered', () => {
  const offering = (run: number): Exchange[] =>
    sampleRunOfTwoTurns(run).map((exchange) => ({
      ...exchange,
      request: {
        ...exchange.request,
        headers: [
          ...exchange.request.headers,
          ['sec-websocket-extensions', jsonString('permessage-deflate; client_max_window_bits')],
        ],
      },
    }));
  const offered = generalise(sampleId, [1, 2, 3].map(offering));
  const plain = withMessages(() => ({ compressed: false }));
  expect(shown(parityFindings(offered, [plain]))).toEqual([
    'missing | handshake › sec-websocket-extensions | "permessage-deflate; client_max_window_bits" | ',
  ]);
  expect(parity(plain)).toEqual([`reframed | ${messages} | compressed: true | compressed: false`]);
  // Another offer still allows compression, so that its absence is a difference of its own.
  const differing = {
    ...plain,
    request: {
      ...plain.request,
      headers: [
        ...plain.request.headers,
        ['sec-websocket-extensions', jsonString('permessage-deflate')] as const,
      ],
    },
  };
  expect(parityFindings(offered, [differing]).map(({ kind }) => kind)).toEqual(['changed', 'reframed']);
});

it('reports a difference in parity and neutrality once, for both', () => {
  const injected = withMembers((members) =>
    members.map(([key, value]): JsonMember => [key, key === 'model' ? jsonString('other') : value]),
  );
  const found = together(parityFindings(golden, [injected]), neutralityFindings([official], [injected]));
  expect(found).toMatchObject([{ kind: 'changed', comparison: 'parity', also: ['request neutrality'] }]);
  expect(together([], neutralityFindings([official], [injected]))).toMatchObject([
    { kind: 'changed', comparison: 'request neutrality' },
  ]);
});
