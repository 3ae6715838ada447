import { expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import { type Connection, measureTiers, type TierRun } from '../../src/measure/measure-tiers.ts';
import { type SentTiers, sentTiersIn } from '../../src/measure/sent-tiers.ts';
import { type TierReport, tierJson, tierText } from '../../src/measure/tier-report.ts';
import { median, summarise, tierFindings } from '../../src/measure/tier-summary.ts';
import type { TraceEvent } from '../../src/trace/trace-event.ts';
import { toNode } from '../../src/wire/json.ts';
import { proxyTo, responseEvents, sendAll, startTestBackend } from '../proxy/setup.ts';

const websocket = { transport: 'websocket', refusedUpgrades: [] } as const;
const plain: SentTiers = { tiers: [null, null], hints: ['model=m'], ...websocket };
const fast: SentTiers = { tiers: ['priority', 'priority'], hints: ['model=m;tier=priority'], ...websocket };

function measured(
  tier: TierRun['tier'],
  sent: SentTiers,
  [firstToken, total]: readonly [number, number] = [1, 2],
  connection: Connection = 'new',
): TierRun {
  const turn = { kind: 'measured', firstToken, total, echoed: 'priority', responseId: 'r' } as const;
  const httpCause = sent.transport === 'HTTP' ? 'the backend refused the upgrade with 426' : undefined;
  return { tier, connection, sent, turn, httpCause };
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

/** The cells of the table's row for a tier and a connection. */
function row(text: string, tier: TierRun['tier'], connection: Connection = 'new'): string[] | undefined {
  const rows = text.split('\n').map((line) => line.split(/ {2,}/));
  return rows.find((cells) => cells[0] === tier && cells[1] === connection);
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
      measured('omitted', plain, [100, 1000]),
      measured('priority', fast, [40, 500]),
      measured('omitted', plain, [300, 2000]),
      measured('priority', fast, [60, 700]),
      measured('omitted', { ...plain, hints: [], tiers: [null] }, [50, 100], 'kept'),
      measured('priority', { ...fast, hints: [], tiers: ['priority'] }, [20, 50], 'kept'),
    ]),
  );
  expect(row(text, 'omitted')).toEqual([
    ...['omitted', 'new', 'websocket (2 of 2)', 'absent (4 of 4)', 'model=m (2 of 2)', 'priority (2 of 2)'],
    ...['2', '0', '200', '1500'],
  ]);
  expect(row(text, 'priority')).toEqual([
    ...['priority', 'new', 'websocket (2 of 2)', 'priority (4 of 4)', 'model=m;tier=priority (2 of 2)'],
    ...['priority (2 of 2)', '2', '0', '50', '600'],
  ]);
  expect(row(text, 'priority', 'kept')).toEqual([
    ...['priority', 'kept', 'websocket (1 of 1)', 'priority (1 of 1)', 'none', 'priority (1 of 1)'],
    ...['1', '0', '20', '50'],
  ]);
  expect(text).toContain('ratio priority to default, new connection: first token 0.25, total 0.40');
  expect(text).toContain('ratio priority to default, kept connection: first token 0.40, total 0.50');
  expect(text).toContain('every request was sent with the requested tier\n');
});

it('reports and counts a failed turn, and leaves it out of the medians', () => {
  const failed: TierRun = {
    ...{ tier: 'priority', connection: 'new', sent: fast, httpCause: undefined },
    turn: { kind: 'failed', reason: 'status 429: slow\ndown' },
  };
  const report = reportOf([measured('omitted', plain), measured('priority', fast, [40, 500]), failed]);
  const text = tierText(report);
  expect(row(text, 'priority')?.slice(-4)).toEqual(['2', '1', '40', '500']);
  expect(text).toContain('failed: priority, new connection: status 429: slow');
  expect(JSON.parse(tierJson(report)).tiers[1]).toMatchObject({
    runs: 2,
    failures: ['status 429: slow\ndown'],
    firstTokenMs: 40,
  });
});

it('prints no ratio if a tier was not measured', () => {
  expect(tierText(reportOf([measured('omitted', plain)]))).toContain(
    'first token not measured, total not measured',
  );
});

it.each([
  { name: 'as requested', omitted: plain, priority: fast, findings: [] },
  {
    name: 'without the tier in one request',
    omitted: plain,
    priority: { ...fast, tiers: ['priority', null] },
    findings: [
      'requested tier priority on a new connection, but sent service_tier absent in 1 of 2 requests',
    ],
  },
  {
    name: 'with the literal default',
    omitted: { ...plain, tiers: ['default', 'default'] },
    priority: fast,
    findings: [
      'requested tier omitted on a new connection, but sent service_tier default in 2 of 2 requests',
    ],
  },
  {
    name: 'with a hint without the tier',
    omitted: plain,
    priority: { ...fast, hints: ['model=m'] },
    findings: [
      'requested tier priority on a new connection, but sent routing hint model=m in 1 of 1 requests',
    ],
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
    priority: { tiers: [], hints: [], transport: undefined, refusedUpgrades: [] },
    findings: ['requested tier priority on a new connection, but no request was seen upstream'],
  },
  {
    name: 'over HTTP',
    omitted: { ...plain, transport: 'HTTP' as const },
    priority: { ...fast, transport: 'HTTP' as const },
    findings: [
      'requested tier priority on a new connection, but 1 of 1 turns went over HTTP: the backend refused the ' +
        'upgrade with 426. The backend honours priority over the websocket only',
    ],
  },
])('compares the tier sent with the tier requested: $name', ({ omitted, priority, findings }) => {
  const runs = [measured('omitted', omitted), measured('priority', priority)];
  expect(tierFindings(summarise(runs))).toEqual(findings);
  expect(tierText(reportOf(runs)).includes('every request was sent with the requested tier')).toBe(
    findings.length === 0,
  );
});

it('notes that turns without a tier went over HTTP, which is no finding', () => {
  const text = tierText(
    reportOf([measured('omitted', { ...plain, transport: 'HTTP' }), measured('priority', fast)]),
  );
  expect(text).toContain(
    'note: omitted, new connection: 1 of 1 turns went over HTTP: the backend refused the upgrade with 426\n',
  );
  expect(text).toContain('every request was sent with the requested tier\n');
});

it('reads tiers, hints and transport of model requests only, over the websocket and over HTTP', () => {
  const request = (target: string, hint?: string, exchange = 1): TraceEvent => ({
    type: 'request',
    connection: 1,
    exchange,
    method: exchange === 2 ? 'POST' : 'GET',
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
    { type: 'response', exchange: 1, status: 101, headers: [] },
    request('/codex/responses', undefined, 3),
    { type: 'response', exchange: 3, status: 426, headers: [] },
    request('/codex/responses', undefined, 2),
    { type: 'response', exchange: 2, status: 200, headers: [] },
    { type: 'body', exchange: 2, from: 'client', complete: true, content: json({ service_tier: null }) },
  ];
  expect(sentTiersIn(events)).toEqual({
    tiers: ['priority', 'null'],
    hints: ['model=m;tier=priority', null, null],
    transport: 'HTTP',
    refusedUpgrades: [426],
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

it('alternates the tiers, with one session for a new connection and the turn after it', async () => {
  const received: { tier: string | undefined; session: string; chained: boolean; socket: WebSocket }[] = [];
  const runs = await runsAgainst({
    message: (socket, body) => {
      const { service_tier: tier, prompt_cache_key: session, previous_response_id: previous } = body;
      received.push({ tier, session, chained: previous !== 'resp_warm', socket });
      sendAll(socket, responseEvents('OK'));
    },
  });
  const each = [undefined, 'priority', 'priority', undefined];
  expect(received.map(({ tier }) => tier)).toEqual(each.flatMap((tier) => [tier, tier]));
  expect(received.map(({ chained }) => chained)).toEqual(each.flatMap(() => [false, true]));
  expect(new Set(received.map(({ session }) => session)).size).toBe(4);
  expect(new Set(received.map(({ socket }) => socket)).size).toBe(4);
  expect(runs.map(({ tier, connection, turn }) => [tier, connection, turn.kind])).toEqual(
    each.flatMap((tier = 'omitted') => [
      [tier, 'new', 'measured'],
      [tier, 'kept', 'measured'],
    ]),
  );
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
  const [run, next] = await runsAgainst({
    message: (socket) =>
      sendAll(socket, [
        JSON.stringify({ type: 'response.created', response: { id: 'r' } }),
        JSON.stringify(event),
      ]),
  });
  expect(run?.turn).toEqual({ kind: 'failed', reason });
  expect(next?.turn).toEqual({ kind: 'failed', reason: 'not sent, since the turn before it failed' });
});

const upgrade = (exchange: number, status: number): TraceEvent[] => [
  {
    ...{ type: 'request', connection: exchange, exchange, method: 'GET', headers: [] },
    target: toNode('/backend-api/codex/responses'),
  },
  { type: 'response', exchange, status, headers: [] },
];
const message: TraceEvent = {
  ...{ type: 'message', exchange: 9, from: 'client', opcode: 'text', compressed: true, fragments: 1 },
  content: { kind: 'json', json: toNode({ type: 'response.create' }), spaced: false },
};

it.each([
  {
    events: [...upgrade(1, 101), ...upgrade(2, 101), message],
    reasons: ['it took 2 requests upstream', 'not sent, since the turn before it failed'],
  },
  {
    events: [...upgrade(1, 500), ...upgrade(2, 101), message],
    reasons: [
      'it took 2 requests upstream: upgrades were refused with 500',
      'not sent, since the turn before it failed',
    ],
  },
  // The same events for the first and the second turn.
  { events: [...upgrade(1, 101), message], reasons: [undefined, 'the connection was not kept'] },
])(
  'counts a turn as failed if the proxy retried it or opened a connection: $reasons',
  async ({ events, reasons }) => {
    const runs = await runsAgainst({}, events);
    expect(runs.slice(0, 2).map(({ turn }) => (turn.kind === 'failed' ? turn.reason : undefined))).toEqual(
      reasons,
    );
  },
);
