import fc from 'fast-check';
import { expect, it } from 'vitest';
import { generalise } from '../../src/golden/learn/generalise.ts';
import type { Mismatch } from '../../src/golden/match/mismatch.ts';
import { unify } from '../../src/golden/match/unify.ts';
import { type Exchange, exchangesOf } from '../../src/golden/trace/exchanges.ts';
import { differenceText, placeText } from '../../src/report/values.ts';
import type { TraceEvent } from '../../src/trace/trace-event.ts';
import { jsonString } from '../../src/wire/json.ts';
import { clientMessages, sites, withClientMessages } from './mutate.ts';
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

/** The exchange, changed wherever `text` stands in the places named. */
function replaced(exchange: Exchange, text: string, by: string, where: readonly string[]): Exchange {
  return where.reduce((changed, address) => {
    const site = sites(changed).find(({ document, names, node }) => {
      return node.kind === 'string' && [document.part, ...names].join(' › ') === address;
    });
    if (site?.node.kind !== 'string') throw new RangeError(`${address} is no place`);
    return site.replace(jsonString(site.node.value.replaceAll(text, by)));
  }, exchange);
}

function only([exchange]: readonly Exchange[]): Exchange {
  if (exchange === undefined) throw new RangeError('there is no exchange');
  return exchange;
}

function told(mismatches: readonly Mismatch[]): string[] {
  return mismatches.map(({ kind, places }) => `${kind}: ${places.map(placeText).join(', ')}`);
}

it('finds nothing in the runs that were learned from, nor in a fresh one', () => {
  for (const run of [1, 2, 3, 4, 29]) expect(unify(golden, sampleRun(run))).toEqual([]);
});

it('finds nothing in any run, whichever runs were learned from', () => {
  const some = fc.uniqueArray(fc.nat(1000), { minLength: 3, maxLength: 4 });
  fc.assert(
    fc.property(some, fc.nat(1000), (learned, fresh) => {
      // Three turns of the wheel, so that the order of client_metadata is seen to vary.
      const runs = [...learned.map(sampleRun), sampleRun(0), sampleRun(1)];
      const golden = generalise(sampleId, runs);
      for (const run of [...runs, sampleRun(fresh)]) expect(unify(golden, run)).toEqual([]);
    }),
    { numRuns: 20 },
  );
});

it('tells a session id that is broken in six places as one finding with six places', () => {
  const places = [
    'handshake › session-id',
    'client message 1 › client_metadata › session_id',
    'client message 1 › client_metadata › x-codex-turn-metadata › session_id',
    'client message 2 › prompt_cache_key',
    'client message 2 › client_metadata › session_id',
    'client message 2 › client_metadata › x-codex-window-id',
  ];
  const [right, wrong] = [uuid7(7, 'thread'), uuid7(7, 'something else')];
  const found = unify(golden, [replaced(only(sampleRun(7)), right, wrong, places)]);
  expect(found).toMatchObject([{ kind: 'disagrees', variable: 'session_id', valueHere: wrong }]);
  const named = found.flatMap((mismatch) => mismatch.places.map(placeText));
  expect(named.toSorted()).toEqual(
    places
      .map((place) => {
        const [part, ...path] = place.split(' › ');
        return `exchange 1 › ${part} › ${path.join('.')}`;
      })
      .toSorted(),
  );
});

it('says so where the wrong value is another variable', () => {
  const broken = replaced(only(sampleRun(7)), uuid7(7, 'thread'), uuid7(7, 'turn'), [
    'handshake › thread-id',
  ]);
  expect(unify(golden, [broken])).toMatchObject([
    { kind: 'disagrees', valueHere: uuid7(7, 'turn'), variableHere: 'turn_id' },
  ]);
});

it('believes the client and not the backend that repeats what a broken client said', () => {
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
  expect(told(unify(golden, [{ ...broken, steps }]))).toEqual([
    'disagrees: exchange 1 › client message 2 › prompt_cache_key',
  ]);
});

it('takes the ids that the backend gave, of whatever form, and expects the client to use them', () => {
  const exchange = only(sampleRun(7));
  const given = /"resp_([0-9a-f]{32})"/.exec(JSON.stringify(exchange.steps[2]))?.[1] ?? '';
  const named = (text: string): Exchange => ({
    ...exchange,
    steps: exchange.steps.map((step): (typeof exchange.steps)[number] =>
      JSON.parse(JSON.stringify(step).replaceAll(given, text)),
    ),
  });
  expect(unify(golden, [named('not-hexadecimal')])).toEqual([]);
  const stale = withClientMessages(named('new'), (step, number) => [
    number === 2 ? (clientMessages(exchange)[1] ?? step) : step,
  ]);
  expect(told(unify(golden, [stale]))).toEqual([
    'disagrees: exchange 1 › client message 2 › previous_response_id',
  ]);
});

it('names all places where as many say one thing as another', () => {
  const say = (a: string, b: string) => [exchangeOf(message('client', { a, b, c: 1 }))];
  const [one, two, three, four] = ['1', '2', '3', '4'].map((name) => uuid7(1, name));
  if (one === undefined || two === undefined || three === undefined || four === undefined) return;
  const golden = generalise(sampleId, [say(one, one), say(two, two)]);
  expect(told(unify(golden, say(three, four)))).toEqual([
    'disagrees: exchange 1 › client message 1 › b, exchange 1 › client message 1 › a',
  ]);
});

it('tells one item that was put into a list of many as one finding', () => {
  const list = Array.from({ length: 60 }, (_, at) => ({ type: 'message', id: at, content: [`text ${at}`] }));
  const say = (input: readonly unknown[]) => [exchangeOf(message('client', { input }))];
  const golden = generalise(sampleId, [say(list)]);
  for (const at of [0, 30, 60]) {
    const more = list.toSpliced(at, 0, { type: 'message', id: 7, content: ['injected'] });
    expect(told(unify(golden, say(more)))).toEqual([`added: exchange 1 › client message 1 › input.${at}`]);
    const fewer = list.toSpliced(Math.min(at, 59), 1);
    expect(told(unify(golden, say(fewer)))).toHaveLength(1);
  }
  expect(told(unify(golden, say([...list.slice(1), ...list.slice(0, 1)])))).toEqual([
    'moved: exchange 1 › client message 1 › input.59',
  ]);
});

it('tells one header that is put before all others as one finding', () => {
  const exchange = only(sampleRun(7));
  const headers = [['x-first', jsonString('1')] as const, ...exchange.request.headers];
  expect(told(unify(golden, [{ ...exchange, request: { ...exchange.request, headers } }]))).toEqual([
    'added: exchange 1 › handshake › x-first',
  ]);
});

it('tells an exchange too many or too few as one finding', () => {
  const say = (text: string) =>
    exchangeOf(message('client', { type: 'response.create', text, n: text.length }));
  const [a, b] = [say('first words'), say('others')];
  const golden = generalise(sampleId, [[a, b]]);
  expect(told(unify(golden, [a]))).toEqual(['missing: exchange 2 › request']);
  expect(told(unify(golden, [b]))).toEqual(['missing: exchange 1 › request']);
  expect(told(unify(golden, [exchangeOf(), a, b]))).toEqual(['added: exchange 1 › request']);
  expect(told(unify(golden, [a, b, b]))).toHaveLength(1);
  expect(told(unify(golden, []))).toHaveLength(2);
});

it('compares the Host header with the connection it was sent on', () => {
  const exchange = only(sampleRun(7));
  const elsewhere = { ...exchange, connection: { ...exchange.connection, authority: 'other:1' } };
  expect(told(unify(golden, [elsewhere]))).toEqual(['changed: exchange 1 › handshake › Host']);
});

it('compares ALPN only where both connections are secure', () => {
  const secure = (...offered: string[]): Exchange[] => {
    const exchange = exchangeOf(message('client', { a: 1 }));
    return [{ ...exchange, connection: { ...exchange.connection, tls: { offered, chosen: null } } }];
  };
  const golden = generalise(sampleId, [secure('http/1.1')]);
  expect(unify(golden, secure('http/1.1'))).toEqual([]);
  expect(unify(golden, [exchangeOf(message('client', { a: 1 }))])).toEqual([]);
  expect(told(unify(golden, secure('h2', 'http/1.1')))).toEqual([
    'added: exchange 1 › handshake › ALPN offered.0',
  ]);
});

it('tells a body that was cut off', () => {
  const content = { kind: 'json', json: jsonString('x'), spaced: false } as const;
  const say = (complete: boolean): Exchange[] => [
    { ...exchangeOf(), steps: [{ type: 'body', exchange: 1, from: 'client', complete, content }] },
  ];
  expect(told(unify(generalise(sampleId, [say(true)]), say(false)))).toEqual([
    'reframed: exchange 1 › client body',
  ]);
});

it('shows where two long texts part', () => {
  const say = (end: string) => [exchangeOf(message('client', { a: `${'x'.repeat(300)}${end}` }))];
  expect(unify(generalise(sampleId, [say('yes')]), say('no')).map(differenceText)).toMatchObject([
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
  const wanted = told(unify(golden, exchangesOf(broken)));
  expect(wanted).toHaveLength(2);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(broken.length), noise), { maxLength: 8 }), (noises) => {
      const events = noises.reduce<TraceEvent[]>((all, [at, some]) => all.toSpliced(at, 0, ...some), broken);
      expect(told(unify(golden, exchangesOf(events)))).toEqual(wanted);
    }),
  );
});
