import fc from 'fast-check';
import { expect, it } from 'vitest';
import { payloadsOf, sites, withPayloads } from '../../scripts/mutations/sites.ts';
import { generalise } from '../../src/golden/learn/generalise.ts';
import type { Mismatch } from '../../src/golden/match/mismatch.ts';
import { unify } from '../../src/golden/match/unify.ts';
import { type Exchange, exchangesOf } from '../../src/golden/trace/exchanges.ts';
import { differenceText, placeText } from '../../src/report/values.ts';
import type { TraceEvent } from '../../src/trace/trace-event.ts';
import { jsonString } from '../../src/wire/json.ts';
import {
  exchangeOf,
  message,
  sampleEvents,
  sampleGolden,
  sampleId,
  sampleRun,
  sideRequest,
  uuid7,
} from './sample-run.ts';

const golden = sampleGolden();

/** The exchange with `text` replaced in the named places. */
function replaced(exchange: Exchange, text: string, by: string, where: readonly string[]): Exchange {
  return where.reduce((changed, address) => {
    const site = sites(changed).find(({ document, names, node }) => {
      return node.kind === 'string' && [document.part, ...names].join(' › ') === address;
    });
    if (site?.node.kind !== 'string') throw new RangeError(`no string at ${address}`);
    return site.replace(jsonString(site.node.value.replaceAll(text, by)));
  }, exchange);
}

function only([exchange]: readonly Exchange[]): Exchange {
  if (exchange === undefined) throw new RangeError('no exchange');
  return exchange;
}

function summaries(mismatches: readonly Mismatch[]): string[] {
  return mismatches.map(({ kind, places }) => `${kind}: ${places.map(placeText).join(', ')}`);
}

it('finds nothing in the runs of the golden, nor in a new one', () => {
  for (const run of [1, 2, 3, 4, 29]) expect(unify(golden, sampleRun(run))).toEqual([]);
});

it('finds nothing in any run, whichever runs the golden was learned from', () => {
  const some = fc.uniqueArray(fc.nat(1000), { minLength: 3, maxLength: 4 });
  fc.assert(
    fc.property(some, fc.nat(1000), (learned, fresh) => {
      // Runs 0 and 1 differ in the order of client_metadata.
      const runs = [...learned.map(sampleRun), sampleRun(0), sampleRun(1)];
      const golden = generalise(sampleId, runs);
      for (const run of [...runs, sampleRun(fresh)]) expect(unify(golden, run)).toEqual([]);
    }),
    { numRuns: 20 },
  );
});

it('reports a session id that is wrong in six places as one mismatch with six places', () => {
  const places = [
    'handshake › session-id',
    'client message 1 › client_metadata › session_id',
    'client message 1 › client_metadata › x-codex-turn-metadata › session_id',
    'client message 2 › prompt_cache_key',
    'client message 2 › client_metadata › session_id',
    'client message 2 › client_metadata › x-codex-window-id',
  ];
  const [right, wrong] = [uuid7(7, 'thread'), uuid7(7, 'something else')];
  const mismatches = unify(golden, [replaced(only(sampleRun(7)), right, wrong, places)]);
  expect(mismatches).toMatchObject([{ kind: 'disagrees', variable: 'session_id', valueHere: wrong }]);
  const named = mismatches.flatMap((mismatch) => mismatch.places.map(placeText));
  expect(named.toSorted()).toEqual(
    places
      .map((place) => {
        const [part, ...path] = place.split(' › ');
        return `exchange 1 › ${part} › ${path.join('.')}`;
      })
      .toSorted(),
  );
});

it('does not take the name of a variable for its value', () => {
  const [right, wrong] = [uuid7(7, 'thread'), '{{session_id}}'];
  const places = ['client message 2 › prompt_cache_key'];
  const mismatches = unify(golden, [replaced(only(sampleRun(7)), right, wrong, places)]);
  expect(mismatches).toMatchObject([{ places: [{ number: 2, path: ['prompt_cache_key'] }] }]);
});

it('names the other variable that a wrong value belongs to', () => {
  const broken = replaced(only(sampleRun(7)), uuid7(7, 'thread'), uuid7(7, 'turn'), [
    'handshake › thread-id',
  ]);
  expect(unify(golden, [broken])).toMatchObject([
    { kind: 'disagrees', valueHere: uuid7(7, 'turn'), variableHere: 'turn_id' },
  ]);
});

it('trusts the client, not a backend that repeats what a wrong client sent', () => {
  const wrong = uuid7(7, 'something else');
  const exchange = only(sampleRun(7));
  const key = 'client message 2 › prompt_cache_key';
  const broken = replaced(exchange, uuid7(7, 'thread'), wrong, [key]);
  const steps = broken.steps.map((step) => {
    if (step.type !== 'message' || step.from !== 'backend') return step;
    const response = { id: `resp_${'0'.repeat(32)}`, created_at: 1785432000.5, prompt_cache_key: wrong };
    const given = step === exchange.steps[2] || step === exchange.steps[3];
    return given ? step : message('backend', { type: 'response.created', response });
  });
  expect(summaries(unify(golden, [{ ...broken, steps }]))).toEqual([
    'disagrees: exchange 1 › client message 2 › prompt_cache_key',
  ]);
});

it('accepts ids of any form from the backend, and expects the client to use them', () => {
  const exchange = only(sampleRun(7));
  const given = /"resp_([0-9a-f]{32})"/.exec(JSON.stringify(exchange.steps[2]))?.[1] ?? '';
  const named = (text: string): Exchange => ({
    ...exchange,
    steps: exchange.steps.map((step): (typeof exchange.steps)[number] =>
      JSON.parse(JSON.stringify(step).replaceAll(given, text)),
    ),
  });
  expect(unify(golden, [named('not-hexadecimal')])).toEqual([]);
  const stale = withPayloads(named('new'), 'client', (step, number) => [
    number === 2 ? (payloadsOf(exchange, 'client')[1] ?? step) : step,
  ]);
  expect(summaries(unify(golden, [stale]))).toEqual([
    'disagrees: exchange 1 › client message 2 › previous_response_id',
  ]);
});

it('names all places if each of two values has as many of them', () => {
  const run = (a: string, b: string) => [exchangeOf(message('client', { a, b, c: 1 }))];
  const [one, two, three, four] = ['1', '2', '3', '4'].map((name) => uuid7(1, name));
  if (one === undefined || two === undefined || three === undefined || four === undefined) return;
  const golden = generalise(sampleId, [run(one, one), run(two, two)]);
  expect(summaries(unify(golden, run(three, four)))).toEqual([
    'disagrees: exchange 1 › client message 1 › b, exchange 1 › client message 1 › a',
  ]);
});

it('reports an item inserted into a long array as one mismatch', () => {
  const list = Array.from({ length: 60 }, (_, at) => ({ type: 'message', id: at, content: [`text ${at}`] }));
  const run = (input: readonly unknown[]) => [exchangeOf(message('client', { input }))];
  const golden = generalise(sampleId, [run(list)]);
  for (const at of [0, 30, 60]) {
    const more = list.toSpliced(at, 0, { type: 'message', id: 7, content: ['injected'] });
    expect(summaries(unify(golden, run(more)))).toEqual([
      `added: exchange 1 › client message 1 › input.${at}`,
    ]);
    const fewer = list.toSpliced(Math.min(at, 59), 1);
    expect(summaries(unify(golden, run(fewer)))).toHaveLength(1);
  }
  expect(summaries(unify(golden, run([...list.slice(1), ...list.slice(0, 1)])))).toEqual([
    'moved: exchange 1 › client message 1 › input.59',
  ]);
});

it('reports a header inserted before all others as one mismatch', () => {
  const exchange = only(sampleRun(7));
  const headers = [['x-first', jsonString('1')] as const, ...exchange.request.headers];
  expect(summaries(unify(golden, [{ ...exchange, request: { ...exchange.request, headers } }]))).toEqual([
    'added: exchange 1 › handshake › x-first',
  ]);
});

it('reports an added or missing exchange as one mismatch', () => {
  const run = (text: string) =>
    exchangeOf(message('client', { type: 'response.create', text, n: text.length }));
  const [a, b] = [run('first words'), run('others')];
  const golden = generalise(sampleId, [[a, b]]);
  expect(summaries(unify(golden, [a]))).toEqual(['missing: exchange 2 › request']);
  expect(summaries(unify(golden, [b]))).toEqual(['missing: exchange 1 › request']);
  expect(summaries(unify(golden, [exchangeOf(), a, b]))).toEqual(['added: exchange 1 › request']);
  expect(summaries(unify(golden, [a, b, b]))).toHaveLength(1);
  expect(summaries(unify(golden, []))).toHaveLength(2);
});

it('compares the Host header with the connection it was sent on', () => {
  const exchange = only(sampleRun(7));
  const elsewhere = { ...exchange, connection: { ...exchange.connection, authority: 'other:1' } };
  expect(summaries(unify(golden, [elsewhere]))).toEqual(['changed: exchange 1 › handshake › Host']);
});

it.each([
  { lane: 'chatgpt', host: 'chatgpt.com', found: [] },
  { lane: 'api-key', host: 'api.openai.com', found: [] },
  { lane: 'chatgpt', host: 'api.openai.com', found: ['changed: exchange 1 › handshake › Host'] },
  { lane: 'chatgpt', host: 'chatgpt.com.evil.example', found: ['changed: exchange 1 › handshake › Host'] },
])('accepts $host as the Host of a relayed connection in lane $lane: $found', ({ lane, host, found }) => {
  const exchange = only(sampleRun(7));
  const relayed: Exchange = {
    ...exchange,
    connection: { ...exchange.connection, authority: '127.0.0.1:9100' },
    request: {
      ...exchange.request,
      headers: exchange.request.headers.map(([name, value]) => [
        name,
        name === 'Host' ? jsonString(host) : value,
      ]),
    },
  };
  expect(summaries(unify({ ...golden, lane }, [relayed]))).toEqual(found);
});

it('compares ALPN only if both connections use TLS', () => {
  const secure = (...offered: string[]): Exchange[] => {
    const exchange = exchangeOf(message('client', { a: 1 }));
    return [{ ...exchange, connection: { ...exchange.connection, tls: { offered, chosen: null } } }];
  };
  const golden = generalise(sampleId, [secure('http/1.1')]);
  expect(unify(golden, secure('http/1.1'))).toEqual([]);
  expect(unify(golden, [exchangeOf(message('client', { a: 1 }))])).toEqual([]);
  expect(summaries(unify(golden, secure('h2', 'http/1.1')))).toEqual([
    'changed: exchange 1 › handshake › ALPN offered',
  ]);
});

it('reports a body that was cut off', () => {
  const content = { kind: 'json', json: jsonString('x'), spaced: false } as const;
  const run = (complete: boolean): Exchange[] => [
    { ...exchangeOf(), steps: [{ type: 'body', exchange: 1, from: 'client', complete, content }] },
  ];
  expect(summaries(unify(generalise(sampleId, [run(true)]), run(false)))).toEqual([
    'reframed: exchange 1 › client body',
  ]);
});

it('shows where two long texts begin to differ', () => {
  const run = (end: string) => [exchangeOf(message('client', { a: `${'x'.repeat(300)}${end}` }))];
  expect(unify(generalise(sampleId, [run('yes')]), run('no')).map(differenceText)).toMatchObject([
    {
      expected: expect.stringMatching(/^…x+yes" \(305 characters\)$/),
      actual: expect.stringMatching(/^…x+no" /),
    },
  ]);
});

it('does not depend on how side requests, pongs and other connections interleave', () => {
  const broken = sampleEvents(7).map(
    (event): TraceEvent =>
      event.type === 'request' && event.exchange === 2
        ? { ...event, headers: event.headers.toSpliced(3, 2) }
        : event,
  );
  const pong: TraceEvent = {
    type: 'message',
    exchange: 2,
    from: 'client',
    opcode: 'pong',
    compressed: false,
    fragments: 1,
    content: { kind: 'bytes', bytes: 0, sha256: '' },
  };
  const noise = fc.constantFrom<TraceEvent[]>([pong], sideRequest(1, 1), sideRequest(9, 9), [
    { type: 'end', connection: 9, by: 'client' },
  ]);
  const expected = summaries(unify(golden, exchangesOf(broken)));
  expect(expected).toHaveLength(2);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(broken.length), noise), { maxLength: 8 }), (noises) => {
      const events = noises.reduce<TraceEvent[]>((all, [at, some]) => all.toSpliced(at, 0, ...some), broken);
      expect(summaries(unify(golden, exchangesOf(events)))).toEqual(expected);
    }),
  );
});
