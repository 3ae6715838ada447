import { expect, it } from 'vitest';
import { measureTiers, type TierRun } from '../../src/measure/measure-tiers.ts';
import { type SentTiers, sentTiersIn } from '../../src/measure/sent-tiers.ts';
import { type TierReport, tierJson, tierText } from '../../src/measure/tier-report.ts';
import { median, summarise, tierFindings } from '../../src/measure/tier-summary.ts';
import type { TraceEvent } from '../../src/trace/trace-event.ts';
import { toNode } from '../../src/wire/json.ts';
import { proxyTo, responseEvents, sendAll, startTestBackend } from '../proxy/setup.ts';

const plain: SentTiers = { tiers: [null, null], hints: ['model=m'] };
const fast: SentTiers = { tiers: ['priority', 'priority'], hints: ['model=m;tier=priority'] };

function measured(tier: TierRun['tier'], sent: SentTiers, firstToken: number, total: number): TierRun {
  return { tier, sent, turn: { kind: 'measured', firstToken, total, echoed: 'priority' } };
}

function reportOf(runs: readonly TierRun[]): TierReport {
  return {
    codex: '0.169.0',
    lane: 'chatgpt',
    backend: 'live',
    upstream: 'https://example.com/codex',
    model: 'm',
    prompt: 'p',
    tiers: summarise(runs),
  };
}

/** The cells of the table's row for a tier. */
function row(text: string, tier: TierRun['tier']): string[] | undefined {
  const line = text.split('\n').find((candidate) => candidate.startsWith(tier));
  return line?.split(/ {2,}/);
}

it.each([
  { values: [], expected: null },
  { values: [7], expected: 7 },
  { values: [100, 9, 20], expected: 20 },
  { values: [100, 9, 20, 30], expected: 25 },
])('computes the median of $values as $expected', ({ values, expected }) => {
  expect(median(values)).toBe(expected);
});

it('prints both tiers, what was sent for them, and the ratio of their medians', () => {
  const text = tierText(
    reportOf([
      measured('omitted', plain, 100, 1000),
      measured('priority', fast, 40, 500),
      measured('omitted', plain, 300, 2000),
      measured('priority', fast, 60, 700),
    ]),
  );
  expect(row(text, 'omitted')).toEqual([
    ...['omitted', 'absent (4 of 4)', 'model=m (2 of 2)', 'priority (2 of 2)', '2', '0', '200', '1500'],
  ]);
  expect(row(text, 'priority')).toEqual([
    ...['priority', 'priority (4 of 4)', 'model=m;tier=priority (2 of 2)', 'priority (2 of 2)'],
    ...['2', '0', '50', '600'],
  ]);
  expect(text).toContain('ratio priority to default: first token 0.25, total 0.40');
  expect(text).toContain('every request was sent with the requested tier\n');
});

it('reports and counts a failed turn, and leaves it out of the medians', () => {
  const failed: TierRun = {
    tier: 'priority',
    sent: fast,
    turn: { kind: 'failed', reason: 'status 429: slow\ndown' },
  };
  const report = reportOf([measured('omitted', plain, 1, 2), measured('priority', fast, 40, 500), failed]);
  const text = tierText(report);
  expect(row(text, 'priority')?.slice(-4)).toEqual(['2', '1', '40', '500']);
  expect(text).toContain('failed: priority: status 429: slow');
  expect(JSON.parse(tierJson(report)).tiers[1]).toMatchObject({
    runs: 2,
    failures: ['status 429: slow\ndown'],
    firstTokenMs: 40,
  });
});

it('prints no ratio if a tier was not measured', () => {
  expect(tierText(reportOf([measured('omitted', plain, 1, 2)]))).toContain(
    'first token not measured, total not measured',
  );
});

it.each([
  { name: 'as requested', omitted: plain, priority: fast, findings: [] },
  {
    name: 'without the tier in one request',
    omitted: plain,
    priority: { ...fast, tiers: ['priority', null] },
    findings: ['requested tier priority, but sent service_tier absent in 1 of 2 requests'],
  },
  {
    name: 'with the literal default',
    omitted: { ...plain, tiers: ['default', 'default'] },
    priority: fast,
    findings: ['requested tier omitted, but sent service_tier default in 2 of 2 requests'],
  },
  {
    name: 'with a hint without the tier',
    omitted: plain,
    priority: { ...fast, hints: ['model=m'] },
    findings: ['requested tier priority, but sent routing hint model=m in 1 of 1 requests'],
  },
  {
    name: 'without any hint, as with an API key',
    omitted: { ...plain, hints: [null] },
    priority: { ...fast, hints: [null] },
    findings: [],
  },
  {
    name: 'past the tap',
    omitted: plain,
    priority: { tiers: [], hints: [] },
    findings: ['requested tier priority, but no request was seen upstream'],
  },
])('compares the tier sent with the tier requested: $name', ({ omitted, priority, findings }) => {
  const runs = [measured('omitted', omitted, 1, 2), measured('priority', priority, 1, 2)];
  expect(tierFindings(summarise(runs))).toEqual(findings);
});

it('reads tiers and hints of model requests only, over the websocket and over HTTP', () => {
  const request = (target: string, hint?: string): TraceEvent => ({
    type: 'request',
    connection: 1,
    exchange: 1,
    method: 'GET',
    target: toNode(target),
    headers: hint === undefined ? [] : [['X-Codex-Routing-Hint', toNode(hint)]],
  });
  const json = (document: object) => ({ kind: 'json' as const, json: toNode(document), spaced: false });
  const message = (from: 'client' | 'backend', document: object): TraceEvent => ({
    ...{ type: 'message', exchange: 1, from, opcode: 'text', compressed: true, fragments: 1 },
    content: json(document),
  });
  const events: TraceEvent[] = [
    request('/codex/responses', 'model=m;tier=priority'),
    request('/codex/models', 'model=other'),
    message('client', { type: 'response.create', service_tier: 'priority' }),
    message('client', { type: 'response.interrupt' }),
    message('backend', { type: 'response.create', service_tier: 'flex' }),
    request('/codex/responses'),
    { type: 'body', exchange: 2, from: 'client', complete: true, content: json({ service_tier: null }) },
  ];
  expect(sentTiersIn(events)).toEqual({
    tiers: ['priority', 'null'],
    hints: ['model=m;tier=priority', null],
  });
});

async function runsAgainst(
  backend: Parameters<typeof startTestBackend>[0],
  events: readonly TraceEvent[] = [],
) {
  const { url } = await startTestBackend(backend);
  return measureTiers({
    origin: await proxyTo(url),
    model: 'm',
    prompt: 'Say it',
    runs: 2,
    takeEvents: () => events,
    signal: new AbortController().signal,
    onRun: () => {},
  });
}

it('alternates the tiers, and gives each turn its own session', async () => {
  const received: (string | undefined)[] = [];
  const sessions = new Set<string>();
  const runs = await runsAgainst({
    message: (socket, body) => {
      received.push(body.service_tier);
      sessions.add(body.prompt_cache_key);
      sendAll(socket, responseEvents('OK'));
    },
  });
  expect(received).toEqual([undefined, 'priority', 'priority', undefined]);
  expect(sessions.size).toBe(4);
  expect(runs.map(({ tier, turn }) => [tier, turn.kind])).toEqual([
    ['omitted', 'measured'],
    ['priority', 'measured'],
    ['priority', 'measured'],
    ['omitted', 'measured'],
  ]);
});

it.each([
  {
    name: 'fails',
    event: { type: 'response.failed', response: { id: 'r', error: { message: 'too much' } } },
    reason: 'response.failed: too much',
  },
  {
    name: 'is incomplete',
    event: { type: 'response.incomplete', response: { id: 'r', incomplete_details: { reason: 'length' } } },
    reason: 'response.incomplete: length',
  },
  {
    name: 'is complete without text',
    event: { type: 'response.completed', response: { id: 'r' } },
    reason: 'the response has no text',
  },
])('counts a turn as failed if its response $name', async ({ event, reason }) => {
  const [run] = await runsAgainst({
    message: (socket) =>
      sendAll(socket, [
        JSON.stringify({ type: 'response.created', response: { id: 'r' } }),
        JSON.stringify(event),
      ]),
  });
  expect(run?.turn).toEqual({ kind: 'failed', reason });
});

it('counts a turn as failed if the proxy retried it', async () => {
  const request = (exchange: number): TraceEvent => ({
    ...{ type: 'request', connection: exchange, exchange, method: 'GET', headers: [] },
    target: toNode('/backend-api/codex/responses'),
  });
  const [run] = await runsAgainst({}, [request(1), request(2)]);
  expect(run?.turn).toEqual({ kind: 'failed', reason: 'it took 2 requests upstream' });
});
