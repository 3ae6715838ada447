import fc from 'fast-check';
import { expect, it } from 'vitest';
import { differenceOf } from '../../src/golden/match/difference.ts';

const number = (text: string) => ({ kind: 'number', text }) as const;
const kindOf = (expected: string, actual: string) => differenceOf(number(expected), number(actual)).kind;

it.each([
  ['1', '1.0'],
  ['100', '1e2'],
  ['0.5', '5E-1'],
  ['-1.50', '-15e-1'],
  ['0', '-0.0e5'],
])('%s and %s are one number', (expected, actual) => {
  expect(kindOf(expected, actual)).toBe('respelled');
});

it('agrees with Number on numbers that it can hold', () => {
  const spelled = fc
    .tuple(fc.integer({ min: -999, max: 999 }), fc.integer({ min: -3, max: 3 }))
    .map(([digits, power]) => `${digits}e${power}`);
  fc.assert(
    fc.property(spelled, spelled, (a, b) => {
      expect(kindOf(a, b) === 'respelled').toBe(Number(a) === Number(b));
    }),
  );
});

it('compares numbers of 300,000 digits', () => {
  const zeros = '0'.repeat(300_000);
  const start = process.cpuUsage();
  expect(kindOf(`1${zeros}1`, `1${zeros}2`)).toBe('changed');
  expect(kindOf(`1${zeros}1`, `10${zeros}10e-1`)).toBe('changed');
  expect(kindOf(`1${zeros}1`, `1${zeros}10e-1`)).toBe('respelled');
  expect(kindOf(`1e1${zeros}1`, `1e1${zeros}2`)).toBe('changed');
  expect(process.cpuUsage(start).user / 1000).toBeLessThan(2000);
});
