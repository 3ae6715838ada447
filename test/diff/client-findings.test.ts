import { join } from 'node:path';
import { expect, it } from 'vitest';
import { withPayloads } from '../../scripts/mutations/sites.ts';
import { codeOf } from '../../src/diff/cause-code.ts';
import { clientFindings } from '../../src/diff/live.ts';
import { withOrigins } from '../../src/diff/origins.ts';
import type { Golden } from '../../src/golden/golden.ts';
import { bundledGoldens } from '../../src/golden/select.ts';
import type { Exchange } from '../../src/golden/trace/exchanges.ts';
import type { MessageEvent } from '../../src/trace/trace-event.ts';
import { filterMembers, type JsonNode, jsonString, mapChildren, member } from '../../src/wire/json.ts';
import { committedGolden } from '../golden/committed-goldens.ts';
import { fillGolden } from '../golden/fill-golden.ts';
import { line } from './rendered.ts';

function goldenOf(scenario: string): Golden {
  return committedGolden(join(bundledGoldens, '0.171.0', 'chatgpt', `${scenario}.golden.jsonl`));
}

/** What the official client sends in a scenario, changed. */
function sent(
  golden: Golden,
  change: (all: readonly Exchange[]) => readonly Exchange[] = (all) => all,
  effort = false,
) {
  const { findings, information } = clientFindings(golden, change(fillGolden(golden, 3)), {
    model: 'gpt-6.2-sol',
    effort,
  });
  return { findings: findings.map(line), information };
}

/** The exchanges with other requests of the client; undefined leaves one out. */
function withRequests(change: (request: JsonNode) => JsonNode | undefined) {
  return (exchanges: readonly Exchange[]) =>
    exchanges.map((exchange) =>
      withPayloads(exchange, 'client', (payload) => {
        if (payload.content.kind !== 'json') return [payload];
        const json = change(payload.content.json);
        return json === undefined ? [] : [{ ...payload, content: { ...payload.content, json } }];
      }),
    );
}

/** The exchanges with another hint in the handshake. */
function withHint(hint: string) {
  return (exchanges: readonly Exchange[]): Exchange[] =>
    exchanges.map((exchange) => ({
      ...exchange,
      request: {
        ...exchange.request,
        headers: exchange.request.headers.map(([name, value]) => [
          name,
          name === 'x-codex-routing-hint' ? jsonString(hint) : value,
        ]),
      },
    }));
}

function withText(node: JsonNode, name: string, text: string): JsonNode {
  return mapChildren(node, (value, key) => (key === name ? jsonString(text) : value));
}

const close: MessageEvent = {
  ...{ type: 'message', exchange: 1, from: 'client', opcode: 'close', compressed: false, fragments: 1 },
  content: { kind: 'close', code: 1000 },
};

it.each(['default', 'fast', 'tool-turn', 'error-500', 'http-fallback', 'upgrade-500', 'refresh-refused'])(
  'finds nothing in what the official client sends in scenario %s',
  (scenario) => {
    expect(sent(goldenOf(scenario))).toEqual({ findings: [], information: [] });
  },
);

it('compares turns with turns where the prewarm is missing', () => {
  const { findings } = sent(
    goldenOf('tool-turn'),
    withRequests((request) => (member(request, 'generate') === undefined ? request : undefined)),
  );
  expect(findings).toHaveLength(1);
  expect(findings[0]).toMatch(/^missing \| client message 1 \| \{"type":"response\.create"/);
});

it('compares a turn that has little of what the official client sends with the turn', () => {
  const few = ['type', 'model', 'input'];
  const { findings } = sent(
    goldenOf('default'),
    withRequests((request) =>
      member(request, 'generate') === undefined
        ? filterMembers(request, (key) => few.includes(key))
        : undefined,
    ),
  );
  expect(findings).toContainEqual(expect.stringMatching(/^missing \| client message 1 \|/));
  expect(findings).toContainEqual(expect.stringMatching(/^missing \| client message 2 › store \|/));
  expect(findings).not.toContainEqual(expect.stringMatching(/^added \|/));
});

it('compares the only attempt of a client without a prewarm with the first attempt', () => {
  const { findings } = sent(goldenOf('error-500'), (exchanges) =>
    withRequests((request) =>
      member(request, 'generate') === undefined
        ? filterMembers(request, (key) => key !== 'previous_response_id')
        : undefined,
    )(exchanges.slice(0, 1)),
  );
  expect(findings).toContain('missing | exchange 2 › request | GET /backend-api/codex/responses | ');
  expect(findings).toContainEqual(expect.stringMatching(/^missing \| client message 1 \|/));
});

it.each([
  ['the prewarm', (request: JsonNode) => member(request, 'generate') !== undefined, 2],
  ['the turn', (request: JsonNode) => member(request, 'generate') === undefined, 1],
] as const)('knows what a close message follows from where %s is missing', (_, isMissing, count) => {
  const { findings } = sent(goldenOf('default'), (exchanges) =>
    withRequests((request) => (isMissing(request) ? undefined : request))(exchanges).map((exchange) => ({
      ...exchange,
      steps: [...exchange.steps, close],
    })),
  );
  expect(findings).toHaveLength(count);
});

it('takes a missing upgrade for HTTP instead of the websocket', () => {
  const golden = goldenOf('http-fallback');
  const overHttp = fillGolden(golden, 3).slice(1);
  const codes = withOrigins(clientFindings(golden, overHttp).findings, overHttp).map(codeOf);
  expect(codes).toEqual(['transport/http']);
});

it('reports a missing retry as the retry, and not the end of the connection before it', () => {
  const { findings } = sent(goldenOf('error-500'), (exchanges) =>
    exchanges.slice(0, 1).map(({ end: _, ...open }) => open),
  );
  expect(findings).toEqual(['missing | exchange 2 › request | GET /backend-api/codex/responses | ']);
});

it('reports a further attempt as such', () => {
  const { findings } = sent(goldenOf('default'), (exchanges) => [...exchanges, ...exchanges]);
  expect(findings).toContain('added | exchange 2 › request |  | GET /backend-api/codex/responses');
});

it('reports a wrong tier once, whether the hint names it too or not', () => {
  const wrong = withRequests((request) => withText(request, 'service_tier', 'fast'));
  const once =
    'changed | client message 1 › service_tier, client message 2 › service_tier | "priority" | "fast"';
  const golden = goldenOf('fast');
  expect(sent(golden, wrong).findings).toEqual([once]);
  const withBoth = (all: readonly Exchange[]) => withHint('model=gpt-6.2-sol;tier=fast')(wrong(all));
  expect(sent(golden, withBoth).findings).toEqual([once]);
});

it('reports a hint that lacks the tier of the request', () => {
  const { findings } = sent(goldenOf('fast'), withHint('model=gpt-6.2-sol'));
  expect(findings).toEqual([
    'changed | handshake › x-codex-routing-hint | "model=gpt-6.2-sol;tier=priority" | "model=gpt-6.2-sol"',
  ]);
});

it('does not judge requests to another model', () => {
  const golden = goldenOf('http-fallback');
  const ofOther = withRequests((request) => withText(request, 'model', 'small'));
  const { findings, information } = sent(golden, (exchanges) => [
    ...ofOther(exchanges.slice(1)),
    ...exchanges,
  ]);
  expect(findings).toEqual([]);
  expect(information).toEqual([{ type: 'further', exchanges: 1, messages: 0 }]);
});

it('lists content of the client', () => {
  const { findings, information } = sent(
    goldenOf('default'),
    withRequests((request) => withText(request, 'text', 'other')),
  );
  expect(findings).toEqual([]);
  expect(information).toMatchObject([{ type: 'difference', name: 'text' }]);
});

it('reports another reasoning effort if the client was told the effort', () => {
  const other = withRequests((request) =>
    mapChildren(request, (value, key) => (key === 'reasoning' ? withText(value, 'effort', 'low') : value)),
  );
  const golden = goldenOf('effort-and-verbosity');
  expect(sent(golden, other).findings).not.toContainEqual(expect.stringContaining('reasoning.effort'));
  expect(sent(golden, other, true).findings).toContainEqual(
    'changed | client message 1 › reasoning.effort, client message 2 › reasoning.effort | "high" | "low"',
  );
});
