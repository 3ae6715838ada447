import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { bundledGoldens, layeredGoldens } from '../../src/golden/select.ts';
import { clientJson, eventsOf, type Step } from '../../src/golden/trace/exchanges.ts';
import { plainScreen } from '../../src/report/first-screen.ts';
import type { TraceEvent } from '../../src/trace/trace-event.ts';
import { Analysis } from '../../src/watch/analysis.ts';
import { GoldenChoice } from '../../src/watch/golden-choice.ts';
import { sessionData, turnPage } from '../../src/watch/watch-data.ts';
import { WatchLines } from '../../src/watch/watch-lines.ts';
import { uuid7 } from '../../src/wire/ids.ts';
import { type JsonNode, mapChildren, parseJson, printJson, stringAt } from '../../src/wire/json.ts';
import { committedGolden } from '../golden/committed-goldens.ts';
import { fillGolden } from '../golden/fill-golden.ts';
import { type MadeUpTurn, madeUpSession, type SeenEvent, sessionId, text } from './made-up-session.ts';

const goldens = new GoldenChoice([bundledGoldens]);

function linesOf(events: Iterable<SeenEvent | readonly [TraceEvent]>, analysis = new Analysis(goldens)) {
  const view = new WatchLines(plainScreen);
  return [...events].flatMap(([event, at]) =>
    analysis.add(event, at).flatMap((update) => view.linesOf(update)),
  );
}

/** The line of the last turn. */
function lastTurn(turns: readonly MadeUpTurn[], headers = {}): string {
  return linesOf(madeUpSession({ turns, headers })).findLast((line) => line.startsWith('turn ')) ?? '';
}

describe('sessions of the official client', () => {
  const files = layeredGoldens([bundledGoldens]).filter(({ codex, lane, scenario }) =>
    codex === '0.171.0' ? lane === 'chatgpt' || scenario === 'fast' : scenario === 'http-fast',
  );

  it.each(files.map((file) => [`${file.codex}/${file.lane}/${file.scenario}`, file] as const))(
    'finds nothing wrong with what the client sends in %s',
    (_, { path, lane, scenario }) => {
      const analysis = new Analysis(goldens);
      for (const event of fillGolden(committedGolden(path), 1).flatMap(eventsOf)) analysis.add(event);
      const sessions = analysis.sessions().map(sessionData);
      expect(sessions.length).toBeGreaterThan(0);
      // Without a whole response there is nothing to compare.
      for (const { golden } of sessions) expect(golden.findings).toEqual([]);
      const notes = sessions.flatMap((session) => session.notes.map((note) => note.text));
      expect(notes.filter((text) => text.includes('mixed up'))).toEqual([]);
      const wrong = sessions
        .flatMap(({ turns }) => turns)
        .flatMap(({ parts }) => parts)
        .filter(({ mark, topic }) => mark === 'wrong' && topic !== 'ending')
        .map((part) => part.text);
      const expected =
        lane === 'provider' && scenario === 'fast'
          ? ['no hint']
          : scenario === 'http-fast'
            ? ['over HTTP']
            : [];
      expect([...new Set(wrong)]).toEqual(expected);
    },
  );
});

const second: MadeUpTurn = { tokens: [18_000, 17_200] };
const first: MadeUpTurn = { tokens: [17_500, 0] };

describe('a turn', () => {
  it('is one line: tier, hint, cache key, chain, cached tokens, time to the first token', () => {
    const priority = { service_tier: 'priority' };
    const line = lastTurn(
      [
        { ...first, body: priority },
        { ...second, body: priority },
      ],
      {
        'x-codex-routing-hint': 'model=gpt-6.2-sol;tier=priority',
      },
    );
    expect(line).toBe(
      'turn 2 · priority ✓ hint ✓ · cache key = session ✓ · chained ✓ · cached 17.2k of 18.0k ✓ · first token 10 ms',
    );
  });

  it.each<[string, readonly MadeUpTurn[], string]>([
    ['a tier of the configuration', [{ body: { service_tier: 'fast' } }], 'tier fast ✗'],
    ['the literal default', [{ body: { service_tier: 'default' } }], 'tier default ✗'],
    ['no fast mode', [{}], '· default tier hint ✓ ·'],
    ['no cache key', [{ body: { prompt_cache_key: undefined } }], 'no cache key ✗'],
    ['another cache key', [{ body: { prompt_cache_key: 'mine' } }], 'cache key ≠ session ✗'],
    ['another model than the hint', [{ body: { model: 'gpt-9' } }], 'hint ✗'],
    ['no chain', [first, { ...second, body: { previous_response_id: undefined } }], 'not chained ✗'],
    [
      'a chain to an older response',
      [first, second, { ...second, body: { previous_response_id: 'resp_1_0' } }],
      'chained to another response ✗',
    ],
    [
      'a new model',
      [first, { tokens: [18_000, 0], body: { model: 'gpt-9', previous_response_id: undefined } }],
      'whole history · cached 0 of 18.0k: model changed ✗',
    ],
    [
      'other instructions',
      [
        { ...first, body: { instructions: 'Be brief.' } },
        { tokens: [18_000, 0], body: { instructions: 'It is ten.' } },
      ],
      'cached 0 of 18.0k: instructions changed ✗',
    ],
    [
      'other tools',
      [
        { ...first, body: { tools: [{ name: 'a' }] } },
        { tokens: [18_000, 0], body: { tools: [{ name: 'b' }] } },
      ],
      'cached 0 of 18.0k: tools changed ✗',
    ],
    [
      'a history that was rewritten',
      [
        { ...first, body: { input: [text('one'), text('two')] } },
        {
          tokens: [18_000, 0],
          body: {
            previous_response_id: undefined,
            input: [text('one'), text('changed'), text('reply', 'assistant'), text('three')],
          },
        },
      ],
      'cached 0 of 18.0k: item 2 of the history changed ✗',
    ],
    ['a long pause', [first, { tokens: [18_000, 0], after: 1_200_000 }], 'cached 0 of 18.0k: 20 min pause ✗'],
    ['a miss that nothing explains', [first, { tokens: [18_000, 0] }], 'cached 0 of 18.0k: unexplained ✗'],
    [
      'a response that failed',
      [{ last: { type: 'response.failed', response: { error: { code: 'server_error' } } } }],
      'failed: server_error ✗',
    ],
    [
      'an error frame',
      [{ last: { type: 'error', status: 429, error: { code: 'usage_limit_reached' } } }],
      'error 429 usage_limit_reached ✗',
    ],
  ])('shows %s', (_, turns, expected) => {
    expect(lastTurn(turns)).toContain(expected);
  });

  it('shows priority without a hint', () => {
    const events = madeUpSession({ turns: [{ body: { service_tier: 'priority' } }] }).map(
      ([event, at]): SeenEvent => [
        event.type === 'request'
          ? { ...event, headers: event.headers.filter(([name]) => !name.includes('hint')) }
          : event,
        at,
      ],
    );
    expect(linesOf(events).join('\n')).toContain('priority ✓ no hint ✗');
  });

  it('is the same turn while the client sends outputs of tools or tries again', () => {
    const turn = { session_id: sessionId, turn_id: '0198c3f0-0000-7000-8000-00000000000a' };
    const call = { type: 'response.completed', response: { output: [{ type: 'function_call' }] } };
    const failed = { type: 'response.failed', response: { error: { code: 'server_error' } } };
    const body = { client_metadata: turn, previous_response_id: undefined };
    const lines = linesOf(
      madeUpSession({ turns: [{ body, last: call }, { body, last: failed }, { body }, {}] }),
    ).filter((line) => line.startsWith('turn'));
    expect(lines.map((line) => line.split(' · ')[0])).toEqual([
      'turn 1 (2 requests)',
      'turn 1 (2 requests, 1 retry)',
      'turn 2',
    ]);
  });
});

describe('a session', () => {
  it('shows that the backend ended its connection, and where it goes on', () => {
    const lines = linesOf([
      ...madeUpSession({ turns: [first] }),
      [{ type: 'end', connection: 1, by: 'backend' }, 62_100],
      ...madeUpSession({ turns: [second], connection: 2 }),
    ]);
    expect(lines).toContain('  the backend ended the connection after 60.0 s without a request');
    expect(lines).toContain('  the session continues on a new connection');
  });

  it('shows a turn that was lost with its connection', () => {
    const lines = linesOf([
      ...madeUpSession({ turns: [{ last: null }] }),
      [{ type: 'end', connection: 1, by: 'backend' }, 2000],
    ]);
    expect(lines.at(-1)).toContain('the backend ended the connection ✗');
  });

  it('shows that its history is that of another session', () => {
    const history = [text('prompt 0'), text('reply', 'assistant'), text('prompt 1')];
    const other = sessionId.replace(/1$/, '2');
    const lines = linesOf([
      ...madeUpSession({ turns: [first] }),
      ...madeUpSession({
        ...{ id: other, connection: 2 },
        turns: [{ tokens: [18_000, 0], body: { input: history } }],
      }),
    ]);
    expect(lines).toContain(
      '  it repeats the history of session 1 under another id: the cache and the route of that session are lost ✗',
    );
    expect(lines.at(-1)).toBe('  not compared with a golden: it was under way before it was watched');
    expect(lines.join('\n')).toContain('cached 0 of 18.0k: other session ✗');
  });

  it('shows the causes that its start has beside the golden', () => {
    const [exchange] = fillGolden(committedGolden(`${bundledGoldens}/0.171.0/chatgpt/fast.golden.jsonl`), 1);
    if (exchange === undefined) throw new RangeError('the golden has no exchange');
    const headers = exchange.request.headers.map(
      ([name, value]) => [name === 'session-id' ? 'session_id' : name, value] as const,
    );
    const events = eventsOf({ ...exchange, request: { ...exchange.request, headers } });
    expect(linesOf(events.map((event) => [event] as const))).toEqual([
      expect.stringMatching(/^session 1 · codex_exec 0\.171\.0 · [0-9a-f-]{36}$/),
      'turn 1 · priority ✓ hint ✓ · cache key = session ✓ · prewarmed ✓ · cached 0 of 1',
      '  1 cause beside the golden 0.171.0/fast ✗',
      '    session/header-renamed  session-id sent as session_id',
    ]);
  });
});

/**
 * The events of a session of the official client: two turns, and the second one again and again with ids of its own.
 * `change` changes the body of each later request.
 */
function laterTurns(turns: number, change: (body: JsonNode, turn: number) => JsonNode): TraceEvent[] {
  const [exchange] = fillGolden(
    committedGolden(`${bundledGoldens}/0.171.0/chatgpt/second-turn.golden.jsonl`),
    1,
  );
  if (exchange === undefined) throw new RangeError('the golden has no exchange');
  const at = exchange.steps.findLastIndex((step) => clientJson(step) !== undefined);
  const [start, second] = [exchange.steps.slice(0, at), exchange.steps.slice(at)];
  const turnId = stringAt(second[0] && clientJson(second[0]), 'client_metadata', 'turn_id') ?? '';
  const later = Array.from({ length: turns - 1 }, (_, index) => {
    // The time in it stays that of the session.
    const own = turnId.replace(/..$/, String(10 + index));
    return second.map((step): Step => {
      const json = clientJson(step);
      if (json === undefined || step.type === 'response' || step.content.kind !== 'json') return step;
      const text = printJson(change(json, index + 2)).replaceAll(turnId, own);
      return { ...step, content: { ...step.content, json: parseJson(text).node } };
    });
  });
  return eventsOf({ ...exchange, steps: [...start, ...later.flat()] });
}

const withMember = (body: JsonNode, key: string, value: JsonNode) =>
  mapChildren(body, (old, name) => (name === key ? value : old));

describe('a later turn beside the golden', () => {
  const causes = (events: readonly TraceEvent[], analysis?: Analysis) =>
    linesOf(
      events.map((event) => [event] as const),
      analysis,
    ).filter((line) => line.startsWith('  '));

  it('follows it in a session of the official client', () => {
    expect(causes(laterTurns(4, (body) => body))).toEqual(['  follows the golden 0.171.0/default ✓']);
  });

  it('shows its causes once, and with the frames of the first turn that has them', () => {
    const analysis = new Analysis(goldens);
    const events = laterTurns(5, (body, turn) =>
      turn < 3 ? body : withMember(body, 'store', { kind: 'literal', value: true }),
    );
    expect(causes(events, analysis)).toEqual([
      '  follows the golden 0.171.0/default ✓',
      '  1 cause beside the golden 0.171.0/default in turn 3 ✗',
      '    request/member-changed  store: true instead of false',
    ]);
    const [session] = analysis.sessions();
    if (session === undefined) throw new RangeError('there is no session');
    const { golden } = sessionData(session);
    expect(golden).toMatchObject({ type: 'findings', findings: [{ turn: { id: 3, title: 'turn 3' } }] });
    const frames = turnPage(analysis, 3);
    expect(frames?.page.conversations[0]?.findings.length).toBe(1);
    const views = (turn: number) => turnPage(analysis, turn)?.traffic.variants[0]?.views.map(({ id }) => id);
    expect([1, 3].map(views)).toEqual([
      ['parity', 'turns'],
      ['turns', 'parity'],
    ]);
  });

  it('shows that it has the ids of another session', () => {
    const other = uuid7();
    const events = laterTurns(4, (body, turn) => {
      const session = stringAt(body, 'client_metadata', 'session_id') ?? '';
      return turn === 3 ? parseJson(printJson(body).replaceAll(session, other)).node : body;
    });
    const [, note, first, ...rest] = causes(events);
    expect(note).toBe(
      '  a request of it has the id of another session in its body: two sessions are mixed up ✗',
    );
    expect(first).toMatch(/^ {2}\d causes? beside the golden 0\.171\.0\/default in turn 3 ✗$/);
    expect(rest.join('\n')).toContain('session/');
    expect(linesOf(events.map((event) => [event] as const)).join('\n')).toContain(
      'turn 3 · default tier hint ✓ · cache key ≠ session ✗',
    );
  });
});

describe('bounds', () => {
  it('keeps a bounded number of turns, frames and sessions, and counts what it drops', () => {
    const analysis = new Analysis(goldens);
    const turns = Array.from({ length: 1000 }, () => ({ ...second, deltas: 2 }));
    for (const [event, at] of madeUpSession({ turns })) analysis.add(event, at);
    const [session] = analysis.sessions();
    expect(session?.turns.length).toBe(200);
    expect(session?.turns.at(-1)?.number).toBe(1000);
    expect(session?.earlier).toBe(800);
    const kept = Array.from({ length: 1000 }, (_, id) => analysis.framesOf(id + 1)).filter(Boolean);
    expect(kept.length).toBe(40);
    expect(analysis.dropped).toEqual({ sessions: 0, turns: 800, frames: 960 });
  });

  it('keeps a bounded number of bytes of frames', () => {
    const analysis = new Analysis(goldens);
    const noise = () => text(randomBytes(300_000).toString('base64'));
    const turns = Array.from({ length: 30 }, () => ({ ...second, body: { input: [noise()] } }));
    for (const [event, at] of madeUpSession({ turns })) analysis.add(event, at);
    const kept = turns.flatMap((_, index) => analysis.framesOf(index + 1) ?? []);
    // 300 kB each, and 4 MB of all.
    expect(kept.length).toBe(13);
    expect(analysis.dropped.frames).toBe(17);
  });

  it('forgets the session that was used longest ago', () => {
    const analysis = new Analysis(goldens);
    for (let number = 1; number <= 40; number += 1) {
      const id = sessionId.replace(/0001$/, String(1000 + number));
      for (const [event, at] of madeUpSession({ id, connection: number, turns: [first] }))
        analysis.add(event, at);
      analysis.add({ type: 'end', connection: number, by: 'client' });
    }
    expect(analysis.sessions().map(({ session }) => session.number)).toEqual(
      Array.from({ length: 32 }, (_, index) => index + 9),
    );
    expect(analysis.dropped.sessions).toBe(8);
  });

  it('keeps a part of a turn with very many frames', () => {
    const analysis = new Analysis(goldens);
    for (const [event, at] of madeUpSession({ turns: [{ ...first, deltas: 3000 }] })) analysis.add(event, at);
    expect(analysis.framesOf(1)?.omitted).toBe(3004 - 2000);
  });
});
