import fc from 'fast-check';
import { expect, it } from 'vitest';
import { printGolden } from '../../src/golden/file.ts';
import { generalise } from '../../src/golden/learn/generalise.ts';
import { unify } from '../../src/golden/match/unify.ts';
import { type Exchange, exchangesOf, goldenExchanges } from '../../src/golden/trace/exchanges.ts';
import type { TraceEvent } from '../../src/trace/trace-event.ts';
import { jsonString } from '../../src/wire/json.ts';
import type { Side } from '../../src/wire/message.ts';
import { message, sampleId, uuid7 } from './sample-run.ts';

/** A websocket: the thread that it belongs to, and the client's messages. */
type Socket = { readonly thread: string; readonly subagent?: string; readonly sends: readonly string[] };

/** The events of a websocket in a run: the connection, the upgrade, and a message and a response for each text. */
function socket(run: number, number: number, { thread, subagent, sends }: Socket): TraceEvent[] {
  const headers = [
    ['session-id', uuid7(run, 'root')],
    ['thread-id', uuid7(run, thread)],
    ...(subagent === undefined ? [] : [['x-openai-subagent', subagent]]),
    ['x-codex-turn-metadata', JSON.stringify({ agent_name: `/${thread}` })],
  ].map(([name = '', value = '']) => [name, jsonString(value)] as const);
  const target = jsonString('/backend-api/codex/responses');
  return [
    { type: 'connection', connection: number, authority: 'chatgpt.com', tls: null },
    { type: 'request', connection: number, exchange: number, method: 'GET', target, headers },
    { type: 'response', exchange: number, status: 101, headers: [] },
    ...sends.flatMap((text): TraceEvent[] => [
      { ...message('client', { text, thread: uuid7(run, thread) }), exchange: number },
      { ...message('backend', { type: 'response.completed' }), exchange: number },
    ]),
  ];
}

function end(connection: number, by: Side): TraceEvent {
  return { type: 'end', connection, by };
}

const root: Socket = { thread: 'root', sends: ['one', 'two', 'three'] };
const subagents: readonly Socket[] = [
  { thread: 'adam', subagent: 'collab_spawn', sends: ['adam'] },
  { thread: 'eve', subagent: 'collab_spawn', sends: ['eve', 'more'] },
  { thread: 'judge', subagent: 'review', sends: ['judge'] },
];

/** Merges lists, each in its order: `picks` has the index of the list to take the next event from. */
function interleaved(lists: readonly (readonly TraceEvent[])[], picks: readonly number[]): TraceEvent[] {
  const rest = lists.map((list) => [...list]);
  const mixed = picks.flatMap((pick) => rest[pick % rest.length]?.splice(0, 1) ?? []);
  return [...mixed, ...rest.flat()];
}

function sockets(run: number, turns: readonly number[]): Exchange[] {
  return exchangesOf(
    interleaved(
      [root, ...subagents].map((one, index) => socket(run, index + 1, one)),
      turns,
    ),
  );
}

it('learns the same golden and finds nothing, in whatever order subagents send', () => {
  const straight = [1, 2, 3].map((run) => sockets(run, []));
  const text = printGolden(generalise(sampleId, straight));
  const order = fc.array(fc.nat(11), { maxLength: 40 });
  fc.assert(
    fc.property(order, order, order, order, (first, second, third, fresh) => {
      const golden = generalise(sampleId, [sockets(1, first), sockets(2, second), sockets(3, third)]);
      expect(printGolden(golden)).toBe(text);
      expect(unify(golden, sockets(4, fresh))).toEqual([]);
    }),
  );
});

it('finds the same differences in a subagent, whatever was sent before it', () => {
  const golden = generalise(
    sampleId,
    [1, 2, 3].map((run) => sockets(run, [])),
  );
  const wrong = [root, ...subagents.slice(0, 2), { ...subagents[2], thread: 'judge', sends: ['judged'] }];
  const findings = (turns: readonly number[]) =>
    unify(
      golden,
      exchangesOf(
        interleaved(
          wrong.map((one, index) => socket(4, index + 1, { subagent: 'review', ...one })),
          turns,
        ),
      ),
    );
  const usual = findings([]);
  expect(usual.length).toBeGreaterThan(0);
  fc.assert(
    fc.property(fc.array(fc.nat(11), { maxLength: 40 }), (turns) => {
      expect(findings(turns)).toEqual(usual);
    }),
  );
});

it.each<[string, TraceEvent[], (Side | undefined)[]]>([
  [
    'another exchange begins after the client ended it',
    [end(1, 'client'), ...socket(1, 2, root)],
    ['client', undefined],
  ],
  [
    'another exchange begins after the backend ended it',
    [end(1, 'backend'), ...socket(1, 2, root)],
    ['backend', undefined],
  ],
  ['nothing follows', [end(1, 'client')], [undefined]],
])('records which side ended a connection when %s', (_, events, ends) => {
  expect(exchangesOf([...socket(1, 1, root), ...events]).map(({ end }) => end)).toEqual(ends);
});

it('records an end only if two messages follow on another connection, since one may have been on its way', () => {
  const [child] = subagents;
  if (child === undefined) throw new RangeError('no subagent');
  const both = (last: number): TraceEvent[] => {
    const rest = socket(1, 1, { ...root, sends: ['one', 'two', 'three', 'four'] });
    const cut = rest.length - 2 * last;
    return [
      ...rest.slice(0, cut - 2),
      ...socket(1, 2, child),
      ...rest.slice(cut - 2, cut),
      end(2, 'client'),
      ...rest.slice(cut),
    ];
  };
  expect(exchangesOf(both(1)).map(({ end }) => end)).toEqual([undefined, undefined]);
  expect(exchangesOf(both(2)).map(({ end }) => end)).toEqual([undefined, 'client']);
});

it('takes the side that sent a close message as the one that ended the connection', () => {
  const close: TraceEvent = {
    ...message('backend', 0),
    exchange: 1,
    opcode: 'close',
    content: { kind: 'close', code: 1000 },
  };
  const events = [...socket(1, 1, root), close, end(1, 'client'), ...socket(1, 2, root)];
  expect(exchangesOf(events)[0]?.end).toBe('backend');
});

it.each([
  [true, undefined],
  [false, 'client'],
])('records the end of an HTTP connection unless the response was complete (%s)', (complete, expected) => {
  const [connection, request, , ...rest] = socket(1, 1, { ...root, sends: [] });
  if (connection === undefined || request === undefined) throw new RangeError('no request');
  const response: TraceEvent[] = [
    { type: 'response', exchange: 1, status: 200, headers: [] },
    { type: 'body', exchange: 1, from: 'backend', complete, content: { kind: 'events', events: [] } },
    end(1, 'client'),
  ];
  const [first] = exchangesOf([connection, request, ...rest, ...response, ...socket(1, 2, root)]);
  expect(first?.end).toBe(expected);
});

it('reports a connection that is kept although the official client ends it', () => {
  const run = (n: number, dropped: boolean) =>
    exchangesOf([...socket(n, 1, root), ...(dropped ? [end(1, 'client')] : []), ...socket(n, 2, root)]);
  const golden = generalise(sampleId, [run(1, true), run(2, true)]);
  expect(printGolden(golden)).toContain('{"type":"end","connection":1,"by":"client"}\n');
  expect(unify(golden, run(3, true))).toEqual([]);
  expect(unify(golden, run(3, false))).toEqual([
    {
      kind: 'missing',
      places: [{ exchange: 1, side: 'client', part: 'connection', path: [] }],
      expected: { type: 'connection end', by: 'client' },
    },
  ]);
});

it('learns no end that only some runs have', () => {
  const run = (n: number, ends: TraceEvent[]) =>
    exchangesOf([...socket(n, 1, root), ...ends, ...socket(n, 2, root)]);
  const golden = generalise(sampleId, [run(1, [end(1, 'client')]), run(2, [])]);
  expect(golden.exchanges.map(({ end }) => end)).toEqual([undefined, undefined]);
});

it('reads every end of a golden, even if nothing follows', () => {
  const events = [...socket(1, 1, root), end(1, 'client')];
  expect(goldenExchanges(events).map(({ end }) => end)).toEqual(['client']);
});
