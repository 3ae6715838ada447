import { expect, it } from 'vitest';
import { generalise } from '../../src/golden/learn/generalise.ts';
import { unify } from '../../src/golden/match/unify.ts';
import { parseJson } from '../../src/wire/json.ts';
import { exchangeOf, messageOf, sampleId, uuid7 } from './sample-run.ts';

const run = (id: string, made: string, at: string) => [
  exchangeOf(messageOf('client', parseJson(`{"id":"at_${id}","made":"${made}","at":${at}}`).node)),
];

const v5 = (digit: string) => `${digit.repeat(8)}-1111-5111-8111-111111111111`;
const golden = generalise(sampleId, [
  run(v5('1'), uuid7(1, 'made'), '1785432060.5'),
  run(v5('2'), uuid7(2, 'made'), '1785432120.2345672'),
]);

const paths = (id: string, made: string, at: string) =>
  unify(golden, run(id, made, at)).flatMap(({ kind, places }) =>
    places.map(({ path }) => `${kind} ${path.join('.')}`),
  );

it.each([v5('3'), v5('a')])('accepts another UUID of version 5: %s', (id) => {
  expect(paths(id, uuid7(3, 'made'), '1785432180.5')).toEqual([]);
});

it.each(['', 'x', uuid7(3, 'id'), v5('a').toUpperCase(), `${v5('3')}0`])(
  'rejects an id that is not a UUID of version 5: "%s"',
  (id) => {
    expect(paths(id, uuid7(3, 'made'), '1785432180.5')).toEqual(['retyped id']);
  },
);

it.each([
  ['1970', '00000000-0001-7000-8000-000000000001'],
  ['two days before the clocks', '019fa97d-3b00-7000-8000-000000000001'],
  ['2100', '03bb2cc3-d800-7000-8000-000000000001'],
])('rejects a UUID of version 7 with a time of %s', (_, made) => {
  expect(paths(v5('3'), made, '1785432180.5')).toEqual(['retyped made']);
});

it.each(['1785432180.0', '1785432180.25', '1785518580.25'])('accepts the clock %s', (at) => {
  expect(paths(v5('3'), uuid7(3, 'made'), at)).toEqual([]);
});

it.each(['1785432180', '1785432180.50', '1785432180.123456789012345678901234567890', '1.78543218e9'])(
  'rejects the clock %s, which a 64-bit float is not written as',
  (at) => {
    expect(paths(v5('3'), uuid7(3, 'made'), at)).toEqual(['retyped at']);
  },
);

it('compares the times of ids with each other when there is no clock', () => {
  const ids = (a: string, b: string, c: string) => [
    exchangeOf(messageOf('client', parseJson(`{"a":"${a}","b":"${b}","c":"${c}"}`).node)),
  ];
  const of = (n: number) => ids(uuid7(n, 'a'), uuid7(n, 'b'), uuid7(n, 'c'));
  const withoutClock = generalise(sampleId, [of(1), of(2)]);
  expect(unify(withoutClock, of(3))).toEqual([]);
  const old = ids(uuid7(3, 'a'), '00000000-0001-7000-8000-000000000001', uuid7(3, 'c'));
  expect(unify(withoutClock, old)).toMatchObject([{ kind: 'retyped', places: [{ path: ['b'] }] }]);
});
