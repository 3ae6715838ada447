import fc from 'fast-check';
import { expect, it } from 'vitest';
import { printGolden } from '../../src/golden/file.ts';
import type { Golden } from '../../src/golden/golden.ts';
import { generalise } from '../../src/golden/learn/generalise.ts';
import { unify } from '../../src/golden/match/unify.ts';
import { type Exchange, exchangesOf } from '../../src/golden/trace/exchanges.ts';
import type { MessageEvent } from '../../src/trace/trace-event.ts';
import { jsonString, parseJson, printJson } from '../../src/wire/json.ts';
import { exchangeOf, message, messageOf, sampleEvents, sampleId, sampleRun, uuid7 } from './sample-run.ts';

/** The golden of runs in which the client sends one message: one of these documents in each run. */
function learned(...documents: readonly unknown[]): Golden {
  return generalise(
    sampleId,
    documents.map((json) => [exchangeOf(message('client', json))]),
  );
}

/** The pattern of a step of the first exchange, and the kinds of all variables. */
function pattern(
  golden: Golden,
  step = 0,
): { readonly pattern: string; readonly kinds: Record<string, string> } {
  const found = golden.exchanges[0]?.steps[step];
  const json =
    found?.type === 'message' && found.content.kind === 'json' ? found.content.json : jsonString('');
  const kinds = [...golden.variables.values()].map(({ name, kind }) => [name, kind]);
  return { pattern: printJson(json), kinds: Object.fromEntries(kinds) };
}

const [first, second] = [uuid7(1, 'a'), uuid7(2, 'a')];

it('keeps values that are equal in all runs literal', () => {
  const json = { a: 'x', b: [1, true, null, {}], c: first };
  expect(pattern(learned(json, json))).toEqual({ pattern: JSON.stringify(json), kinds: {} });
});

it.each([
  ['uuid7', first, second],
  ['uuid5', '11111111-1111-5111-8111-111111111111', '22222222-2222-5222-9222-222222222222'],
  ['uuid4', '11111111-1111-4111-8111-111111111111', '22222222-2222-4222-9222-222222222222'],
  ['hex', '0123456789abcdef', 'fedcba9876543210ff'],
  ['epoch_ms', '1785432000001', '1785432000002'],
  ['epoch_s', '1785432000.0', '1785432000.456789'],
  ['epoch_whole_s', '1785432000', '1785432001'],
  ['integer', '17', '18'],
  ['websocket_key', 'AAAAAAAAAAAAAAAAAAAAAA==', 'BAAAAAAAAAAAAAAAAAAAAA=='],
  ['secret', '<<secret x 1>>', '<<secret x 2>>'],
  ['secret_uuid4', '<<secret x 1 uuid4>>', '<<secret x 1 uuid4>>'],
  ['host_text', '/home/a', '/home/b c'],
])('makes a variable of kind %s of %j and %j', (kind, a, b) => {
  const { kinds } = pattern(learned({ it: a }, { it: b }));
  expect(Object.values(kinds)).toEqual([kind]);
});

it('makes number variables of numbers that differ', () => {
  const golden = learned({ at: 1785432000.5, n: 1.0 }, { at: 1785432001.25, n: 1.0 });
  expect(pattern(golden)).toEqual({ pattern: '{"at":"{{at}}","n":1}', kinds: { at: 'epoch_s' } });
  expect(golden.variables.get('at')?.number).toBe(true);
});

it('gives every variable a unique name, and none the name `authority`', () => {
  const run = (number: number) => {
    const ids = ['a', 'b', 'c', 'd'].map((name) => uuid7(number, name));
    return { window: [ids[0], ids[1]], window_2: ids[2], authority: ids[3] };
  };
  expect(pattern(learned(run(1), run(2))).pattern).toBe(
    '{"window":["{{window}}","{{window_2}}"],"window_2":"{{window_2_2}}","authority":"{{authority_2}}"}',
  );
});

it('makes one variable of equal values in a header, a body, JSON in a header and part of a longer string', () => {
  const run = (thread: string): Exchange[] => {
    const exchange = exchangeOf(message('client', { key: thread, window: `${thread}:0` }));
    const headers = [
      ['thread-id', jsonString(thread)],
      ['metadata', jsonString(JSON.stringify({ thread, n: 1 }))],
    ] as const;
    return [{ ...exchange, request: { ...exchange.request, headers } }];
  };
  const golden = generalise(sampleId, [run(first), run(second)]);
  expect([...golden.variables.keys()]).toEqual(['thread_id']);
  expect(golden.exchanges[0]?.request.headers.map(([name, value]) => [name, printJson(value)])).toEqual([
    ['thread-id', '"{{thread_id}}"'],
    ['metadata', '{"{{json}}":{"thread":"{{thread_id}}","n":1}}'],
  ]);
  expect(pattern(golden).pattern).toBe('{"key":"{{thread_id}}","window":"{{thread_id}}:0"}');
});

it('keeps the common parts of two strings literal', () => {
  expect(pattern(learned({ a: 'Linux 5.1 (x)' }, { a: 'Linux 6.2 (x)' })).pattern).toBe(
    '{"a":"Linux {{a}}.{{a_2}} (x)"}',
  );
  expect(pattern(learned({ a: 'in /home/a b now' }, { a: 'in /root now' })).pattern).toBe(
    '{"a":"in /{{a}} now"}',
  );
});

it('makes an object unordered only if its key order differs', () => {
  expect(pattern(learned({ b: 1, a: 2 }, { b: 1, a: 2 })).pattern).toBe('{"b":1,"a":2}');
  expect(pattern(learned({ b: 1, a: 2 }, { a: 2, b: 1 })).pattern).toBe('{"{{unordered}}":true,"a":2,"b":1}');
});

it('makes headers unordered only if their order differs', () => {
  const run = (n: number, names: readonly string[]): Exchange[] => {
    const headers = names.map((name) => [name, jsonString(name === 'id' ? uuid7(n, 'id') : name)] as const);
    return [{ ...exchangeOf(), request: { ...exchangeOf().request, headers } }];
  };
  const [a, b] = [
    ['host', 'id', 'accept', 'accept'],
    ['accept', 'host', 'accept', 'id'],
  ];
  const ordered = generalise(sampleId, [run(1, a), run(2, a)]);
  expect(printGolden(ordered)).not.toContain('unordered');
  expect(unify(ordered, run(3, b)).map(({ kind }) => kind)).toContain('moved');

  const unordered = generalise(sampleId, [run(1, a), run(2, b)]);
  expect(printGolden(unordered)).toContain(
    '"unordered":true,"headers":[["accept","accept"],["accept","accept"],["host"',
  );
  expect(unify(unordered, run(3, ['id', 'accept', 'accept', 'host']))).toEqual([]);
  expect(unify(unordered, run(3, ['id', 'accept', 'host'])).map(({ kind }) => kind)).toEqual(['missing']);
  expect(printGolden(generalise(sampleId, [run(2, b), run(1, a)]))).toBe(printGolden(unordered));
});

it('keeps both members of a repeated key in an unordered object', () => {
  const run = (text: string) => [exchangeOf(messageOf('client', parseJson(text).node))];
  const runs = [run('{"b":1,"a":2,"a":3}'), run('{"a":2,"a":3,"b":1}')];
  const golden = generalise(sampleId, runs);
  expect(pattern(golden).pattern).toBe('{"{{unordered}}":true,"a":2,"a":3,"b":1}');
  for (const exchanges of runs) expect(unify(golden, exchanges)).toEqual([]);
});

it('keeps two clocks of one message apart although their values are equal', () => {
  const golden = learned(
    { made: 1785432000001, sent: 1785432000001 },
    { made: 1785432000002, sent: 1785432000002 },
  );
  expect(pattern(golden).pattern).toBe('{"made":"{{made}}","sent":"{{sent}}"}');
});

it('makes one variable of a clock that later messages repeat under its name', () => {
  const run = (at: number) => [exchangeOf(message('client', { at }), message('client', { at }))];
  const golden = generalise(sampleId, [run(1785432000001), run(1785432000002)]);
  expect([...golden.variables.keys()]).toEqual(['at']);
});

it('groups identifiers and clocks that differ from each other in every run', () => {
  const run = (n: number, same: boolean) => {
    const at = 1785432000001 + n;
    const b = uuid7(n, same ? 'a' : 'b');
    return [exchangeOf(message('client', { a: uuid7(n, 'a'), b, at }), message('client', { at: at + 10 }))];
  };
  const groups = (golden: Golden) =>
    [...golden.variables.values()].map(({ name, distinct }) => `${name}: ${distinct}`);
  expect(groups(generalise(sampleId, [run(1, false), run(2, false)]))).toEqual([
    'a: uuid7',
    'b: uuid7',
    'at: at',
    'at_2: at',
  ]);
  expect(groups(generalise(sampleId, [run(1, false), run(2, true)])).slice(0, 2)).toEqual([
    'a: undefined',
    'b: undefined',
  ]);
});

/** The context windows that a client names in the handshake and in the prewarm when it resumes a thread. */
const races = [
  ['own', 'own'],
  ['new', 'new'],
  ['new', 'own'],
] as const;
type Race = (typeof races)[number];

/** A thread that is resumed on another connection. `changed` overrides parts of that. */
function resumed(run: number, [handshake, prewarm]: Race, changed: object = {}): Exchange[] {
  const { thread, generate, window } = { thread: 'thread', generate: false, window: 'own', ...changed };
  const metadata = (context_window_id: string, turn: string) => ({
    'x-codex-turn-metadata': JSON.stringify({ context_window_id: uuid7(run, context_window_id) }),
    turn_id: turn === '' ? '' : uuid7(run, turn),
  });
  const exchange = (id: string, inHandshake: string, ...messages: readonly MessageEvent[]): Exchange => {
    const { turn_id: _, ...headers } = { 'thread-id': uuid7(run, id), ...metadata(inHandshake, '') };
    const { request, ...rest } = exchangeOf(...messages);
    const named = Object.entries(headers).map(([name, value]) => [name, jsonString(value)] as const);
    return { ...rest, request: { ...request, headers: named } };
  };
  const request = (window: string, turn: string, generate = true) =>
    message('client', { ...(generate ? {} : { generate }), client_metadata: metadata(window, turn) });
  return [
    exchange('thread', 'own', request('own', '', false), request('own', 'first turn')),
    exchange(thread, handshake, request(prewarm, '', generate), request(window, 'second turn')),
  ];
}

it('learns the same golden from resumed threads, whichever context windows their handshake and prewarm name', () => {
  const goldens = races.flatMap((first) =>
    races.flatMap((second) =>
      races.map((third) =>
        generalise(
          sampleId,
          [first, second, third].map((race, at) => resumed(at, race)),
        ),
      ),
    ),
  );
  expect(goldens).toHaveLength(27);
  expect(new Set(goldens.map(printGolden)).size).toBe(1);
  const [golden] = goldens;
  if (golden === undefined) throw new RangeError('nothing learned');
  expect(
    [...golden.variables.values()].map(({ name, kind, distinct, lifetime }) => [
      name,
      kind,
      distinct,
      lifetime,
    ]),
  ).toEqual([
    ['thread_id', 'uuid7', 'uuid7', undefined],
    ['context_window_id', 'uuid7', 'uuid7', 'session'],
    ['turn_id', 'uuid7', 'uuid7', 'turn'],
    ['context_window_id_2', 'uuid7', undefined, undefined],
    ['context_window_id_3', 'uuid7', undefined, undefined],
    ['turn_id_2', 'uuid7', 'uuid7', 'turn'],
  ]);
  for (const race of races) expect(unify(golden, resumed(7, race))).toEqual([]);
  expect(unify(golden, resumed(7, ['new', 'new'], { window: 'new' }))).toMatchObject([
    { kind: 'disagrees', variable: 'context_window_id' },
  ]);
});

it('learns one context window for a thread whose first upgrade was refused', () => {
  const runs = [1, 2].map((run) => {
    const [first, ...others] = resumed(run, ['own', 'own']);
    return first === undefined ? [] : [{ ...first, steps: [] }, ...others];
  });
  const names = [...generalise(sampleId, runs).variables.keys()];

  expect(names).toEqual(['thread_id', 'context_window_id', 'turn_id']);
});

it.each([
  ['a new connection without a prewarm', { generate: true }],
  ['the first connection of another thread', { thread: 'other' }],
])('expects %s to name the context window that it named in every run', (_, changed) => {
  const golden = generalise(
    sampleId,
    [1, 2, 3].map((run) => resumed(run, ['own', 'own'], changed)),
  );
  expect([...golden.variables.keys()].filter((name) => name.startsWith('context'))).toEqual([
    'context_window_id',
  ]);
  expect(unify(golden, resumed(7, ['new', 'own'], changed))).toMatchObject([
    { kind: 'disagrees', variable: 'context_window_id' },
  ]);
});

it.each([
  ['user-agent', 'x/1 (Debian 12) y', 'x/1 ({{user_agent}}) y'],
  ['Content-Length', '1024', '{{content_length}}'],
])(
  'makes a variable of the host text in the header %s although it does not differ',
  (name, value, pattern) => {
    const { request, ...exchange } = exchangeOf();
    const run = [{ ...exchange, request: { ...request, headers: [[name, jsonString(value)] as const] } }];
    expect(generalise(sampleId, [run, run]).exchanges[0]?.request.headers).toEqual([
      [name, jsonString(pattern)],
    ]);
  },
);

it.each(['{{name}}', '{{{{}}', 'a {{json}} b {{', '}}{{{{{', '{{unordered}}'])(
  'treats %j in a prompt as text, not as a pattern',
  (text) => {
    const run = (json: unknown) => [exchangeOf(message('client', json))];
    const fixed = generalise(sampleId, [run({ text }), run({ text })]);
    expect(fixed.variables.size).toBe(0);
    expect(unify(fixed, run({ text }))).toEqual([]);
    expect(unify(fixed, run({ text: `${text}x` }))).toMatchObject([{ kind: 'changed' }]);

    const mixed = generalise(sampleId, [
      run({ text: `${text} ${first}` }),
      run({ text: `${text} ${second}` }),
    ]);
    expect([...mixed.variables.keys()]).toEqual(['text']);
    expect(unify(mixed, run({ text: `${text} ${uuid7(3, 'a')}` }))).toEqual([]);
    expect(unify(mixed, run({ text: `x${text} ${uuid7(3, 'a')}` }))).toMatchObject([{ kind: 'changed' }]);

    const asKey = generalise(sampleId, [run({ [text]: 1 }), run({ [text]: 1 })]);
    expect(unify(asKey, run({ [text]: 1 }))).toEqual([]);
    expect(unify(asKey, run({ other: 1 })).map(({ kind }) => kind)).toEqual(['missing', 'added']);

    const inString = generalise(
      sampleId,
      [run({ a: JSON.stringify({ [text]: text }) }), run({ a: '{}' })].slice(0, 1),
    );
    expect(unify(inString, run({ a: JSON.stringify({ [text]: text }) }))).toEqual([]);
    expect(unify(inString, run({ a: JSON.stringify({ [text]: 1 }) }))).toMatchObject([{ kind: 'retyped' }]);
  },
);

it.each([
  [
    'the number of items',
    [{ a: [1] }, { a: [] }],
    'mini, exchange 1, step 1, json.a: the number of items differs between recordings (1, 0)',
  ],
  [
    'keys',
    [{ a: { b: 1 } }, { a: { c: 1 } }],
    'mini, exchange 1, step 1: json.a has keys that differ between recordings',
  ],
  [
    'types',
    [{ a: [1] }, { a: ['1'] }],
    'mini, exchange 1, step 1: json.a.0 has a type that differs between recordings',
  ],
  ['flags', [{ a: true }, { a: false }], 'mini, exchange 1, step 1: json.a differs between recordings'],
])('reports where runs differ in %s', (_, documents, text) => {
  expect(() => learned(...documents)).toThrow(
    expect.objectContaining({ code: 'runs-disagree', message: text }),
  );
});

it('reports where runs differ in framing, in counts and in ALPN', () => {
  const runs = (...steps: MessageEvent[]) => steps.map((step) => [exchangeOf(step)]);
  const sent = message('client', {});
  const thrown = (text: string) =>
    expect.objectContaining({ code: 'runs-disagree', message: expect.stringContaining(text) });
  expect(() => generalise(sampleId, runs(sent, { ...sent, fragments: 2 }))).toThrow(
    thrown('step 1: fragments differs'),
  );
  expect(() => generalise(sampleId, runs(sent, { ...sent, from: 'backend' }))).toThrow(
    thrown('step 1: from differs'),
  );
  expect(() => generalise(sampleId, runs(sent, { ...sent, opcode: 'binary' }))).toThrow(
    thrown('step 1: opcode differs'),
  );
  expect(() => generalise(sampleId, [[exchangeOf(sent)], [exchangeOf()]])).toThrow(
    thrown('the number of messages'),
  );
  expect(() => generalise(sampleId, [[exchangeOf()], []])).toThrow(thrown('the number of model requests'));
  expect(() => generalise(sampleId, [[], []])).toThrow(thrown('the client sent no model request'));
  const bytes = (sha256: string) => ({ ...sent, content: { kind: 'bytes' as const, bytes: 1, sha256 } });
  expect(() => generalise(sampleId, runs(bytes('a'), bytes('b')))).toThrow(thrown('step 1: sha256 differs'));
  const tls = { offered: ['h2'], chosen: null };
  const secure = { ...exchangeOf(), connection: { ...exchangeOf().connection, tls } };
  expect(() => generalise(sampleId, [[exchangeOf()], [secure]])).toThrow(thrown('exchange 1: ALPN differs'));
});

it('learns unusual escapes, and rejects escapes that differ between runs', () => {
  const run = (text: string) => [exchangeOf(messageOf('client', parseJson(text).node))];
  const golden = generalise(sampleId, [run('{"\\u0061":"\\u00e9"}'), run('{"\\u0061":"\\u00e9"}')]);
  expect(unify(golden, run('{"\\u0061":"\\u00e9"}'))).toEqual([]);
  expect(unify(golden, run('{"a":"é"}')).map(({ kind }) => kind)).toEqual(['respelled', 'respelled']);
  expect(() => generalise(sampleId, [run('{"a":"\\u00e9"}'), run('{"a":"é"}')])).toThrow(
    'json.a has unusual escapes',
  );
  expect(() => generalise(sampleId, [run('{"a":1}'), run('{"\\u0061":1}')])).toThrow(
    'json.a has unusual escapes',
  );
});

it('keeps only the response headers that change what the client does', () => {
  const response = {
    type: 'response',
    exchange: 1,
    status: 101,
    headers: [
      ['Date', jsonString('x')],
      ['x-codex-turn-state', jsonString('y')],
    ],
  } as const;
  const golden = generalise(sampleId, [[{ ...exchangeOf(), steps: [response] }]]);
  expect(golden.exchanges[0]?.steps[0]).toMatchObject({ headers: [['x-codex-turn-state', { value: 'y' }]] });
});

it('learns the same golden whatever the order of the runs', () => {
  const texts = [
    [1, 2, 3],
    [3, 1, 2],
    [2, 1, 3],
  ].map((runs) => printGolden(generalise(sampleId, runs.map(sampleRun))));
  expect(new Set(texts).size).toBe(1);
});

it('learns the same golden from other runs', () => {
  const texts = [
    [1, 2, 3],
    [11, 12, 20],
  ].map((runs) => printGolden(generalise(sampleId, runs.map(sampleRun))));
  expect(new Set(texts).size).toBe(1);
});

it('ignores the numbers of connections and exchanges', () => {
  const renumbered = sampleEvents(2).map((event) => ({
    ...event,
    ...('connection' in event ? { connection: event.connection + 70 } : {}),
    ...('exchange' in event ? { exchange: event.exchange + 700 } : {}),
  }));
  expect(printGolden(generalise(sampleId, [sampleRun(1), exchangesOf(renumbered)]))).toBe(
    printGolden(generalise(sampleId, [sampleRun(1), sampleRun(2)])),
  );
});

it('learns patterns that match every run it learned from', () => {
  fc.assert(
    fc.property(
      fc.array(shape, { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 2, max: 4 }),
      (shapes, count) => {
        const runs = Array.from({ length: count }, (_, run) => [
          exchangeOf(...shapes.map((make) => message('client', make(run)))),
        ]);
        const golden = generalise(sampleId, runs);
        for (const run of runs) expect(unify(golden, run)).toEqual([]);
        expect(printGolden(generalise(sampleId, runs.toReversed()))).toBe(printGolden(golden));
      },
    ),
  );
});

it('learns patterns that match a run it did not learn from', () => {
  fc.assert(
    fc.property(fc.array(shape, { minLength: 1, maxLength: 4 }), (shapes) => {
      const run = (number: number) => [exchangeOf(...shapes.map((make) => message('client', make(number))))];
      const golden = generalise(sampleId, [run(0), run(1), run(2)]);
      expect(unify(golden, run(3))).toEqual([]);
      expect(unify(golden, run(17))).toEqual([]);
    }),
  );
});

/** Makes the document of a run. */
type Shape = (run: number) => unknown;

const { shape } = fc.letrec<{ shape: Shape; text: (run: number) => string }>((tie) => ({
  text: fc
    .array(
      fc.oneof(
        fc
          .constantFrom('a', 'bc ', '-', ':0', '{', '{{', '{{a}}', '}}', '"', ' ', 'é')
          .map((text) => () => text),
        fc.constantFrom('t', 'u').map((name) => (run: number) => uuid7(run, name)),
        fc.constantFrom('t', 'u').map((name) => (run: number) => `host${run}${name}`),
        fc.constant((run: number) => String(run + 10)),
        fc.constant(
          (run: number) => `<<sealed tag ${run} ${uuid7(run, 's').replaceAll('-', '').repeat(2)}>>`,
        ),
        fc.constant(() => '<<secret token 1>>'),
      ),
      { maxLength: 4 },
    )
    .map((parts) => (run: number) => parts.map((part) => part(run)).join('')),
  shape: fc.oneof(
    { depthSize: 'small' },
    tie('text'),
    fc.constantFrom<unknown>(null, true, 1, 'x').map((value) => () => value),
    fc.constantFrom(0, 500).map((offset) => (run: number) => 1_785_432_000_000 + run * 1000 + offset),
    fc.array(tie('shape'), { maxLength: 3 }).map((items) => (run: number) => items.map((item) => item(run))),
    fc
      .tuple(
        fc.dictionary(fc.constantFrom('a', 'b', 'c', '{{json}}'), tie('shape'), { noNullPrototype: true }),
        fc.boolean(),
      )
      .map(([members, unordered]) => (run: number) => {
        const entries = Object.entries(members).map(([key, value]) => [key, value(run)] as const);
        return Object.fromEntries(unordered && run % 2 === 1 ? entries.reverse() : entries);
      }),
    tie('shape').map((inner) => (run: number) => JSON.stringify({ inner: inner(run) })),
  ),
}));
