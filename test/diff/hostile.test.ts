import { describe, expect, it } from 'vitest';
import { neutralityFindings } from '../../src/diff/neutrality/neutrality.ts';
import { parityFindings } from '../../src/diff/parity.ts';
import { verdictOf } from '../../src/diff/verdict.ts';
import type { Golden, Variable } from '../../src/golden/golden.ts';
import type { Exchange, Step } from '../../src/golden/trace/exchanges.ts';
import { githubReport } from '../../src/report/github.ts';
import { jsonReport } from '../../src/report/json.ts';
import { junitReport } from '../../src/report/junit.ts';
import { textReport } from '../../src/report/text.ts';
import { jsonString } from '../../src/wire/json.ts';
import { exchangeOf, message } from './exchange.ts';

function range<T>(length: number, make: (index: number) => T): T[] {
  return Array.from({ length }, (_, index) => make(index));
}

const variable = (name: string, distinct?: string): Variable => ({
  name,
  kind: 'integer',
  number: false,
  distinct,
  lifetime: undefined,
});

function goldenOf(exchanges: readonly Exchange[], variables: readonly Variable[] = []): Golden {
  const table = new Map(variables.map((one) => [one.name, one]));
  const id = { codex: '0.169.0', lane: 'chatgpt', scenario: 'hostile' };
  return { ...id, runs: 2, varied: [], variables: table, exchanges };
}

/** All findings, in all reports. Returns how many there are. */
function reported(golden: Golden, actual: readonly Exchange[]): number {
  const findings = [...parityFindings(golden, actual), ...neutralityFindings(golden.exchanges, actual)];
  const { codex, lane, scenario } = golden;
  const report = {
    subject: 'mine',
    driver: 'replay',
    scenarios: [{ codex, lane, scenario, ...verdictOf(findings, {}) }],
  };
  for (const write of [textReport, jsonReport, junitReport, githubReport]) write(report);
  return findings.length;
}

/**
 * Milliseconds of processor time, since other processes may take the rest. Far above what any case takes: what is not bounded
 * takes minutes, or never ends.
 */
const limit = 20_000;

const many = 10_000;

function inTime(work: () => void): void {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  expect((user + system) / 1000).toBeLessThan(limit);
}

const nested = (depth: number, open: string, inner: string, close: string) =>
  open.repeat(depth) + inner + close.repeat(depth);
const list = (length: number, item: (index: number) => unknown) => JSON.stringify(range(length, item));
const object = (length: number, key: (index: number) => string, value: (index: number) => unknown) =>
  JSON.stringify(Object.fromEntries(range(length, (index) => [key(index), value(index)])));
const inJson = (text: string) => JSON.stringify({ body: text });

const bodies: readonly (readonly [name: string, expected: string, actual: string])[] = [
  ['numbers of 300,000 digits', `1${'0'.repeat(300_000)}1`, `1${'0'.repeat(300_000)}2`],
  ['large exponents', `1e${'9'.repeat(10_000)}`, `1e${'9'.repeat(99_999)}8`],
  ['deep lists', nested(120, '[', '1', ']'), nested(120, '[', '2', ']')],
  ['deep lists of two', nested(120, '[1,', '1', ']'), nested(120, '[2,', '2', ']')],
  ['deep renamed members', nested(120, '{"aaaaaaaaaa":', '1', '}'), nested(120, '{"bbbbbbbbbb":', '1', '}')],
  ['deep and wide', nested(60, '{"a":[[1,2],', '[1]', ']}'), nested(60, '{"b":[[2,1,3],', '[1]', ']}')],
  ['long lists', list(many, (index) => index), list(many, (index) => index + 1_000_000)],
  ['long lists, reversed', list(many, (index) => index), list(many, (index) => -index)],
  [
    'long lists of objects',
    list(many, (at) => ({ id: at, text: 'a' })),
    list(2 * many + 1, (at) => ({ id: -at })),
  ],
  ['moved items', list(many, (at) => `item ${at}`), list(many, (at) => `item ${(at * 7919) % many}`)],
  ['missing items', list(many, (index) => index), '[]'],
  [
    'similar large items',
    list(200, (at) => range(100, (one) => at + one)),
    list(201, (at) => range(100, () => at)),
  ],
  [
    'long texts in lists',
    list(200, (at) => `${at}${'a'.repeat(9999)}`),
    list(201, (at) => `-${at}${'a'.repeat(9999)}`),
  ],
  [
    'many names',
    object(
      many,
      (at) => `a${at}`,
      () => 'a value',
    ),
    object(
      many,
      (at) => `b${at}`,
      () => 'a value',
    ),
  ],
  [
    'names in another order',
    object(
      many,
      (at) => `a${at}`,
      () => 1,
    ),
    object(
      many,
      (at) => `a${many - 1 - at}`,
      () => 1,
    ),
  ],
  [
    'names in other case',
    object(
      many,
      (at) => `a${at}`,
      () => 1,
    ),
    object(
      many,
      (at) => `A${at}`,
      () => 1,
    ),
  ],
  [
    'large values under other names',
    object(
      60,
      (at) => `a${at}`,
      () => 'a'.repeat(99_999),
    ),
    object(
      60,
      (at) => `b${at}`,
      () => 'b'.repeat(99_999),
    ),
  ],
  ['JSON in strings', inJson(list(many, (index) => index)), inJson(list(many, (index) => -index))],
];

describe('ends in bounded time for', () => {
  it.each(bodies)('%s', (_, expected, actual) => {
    inTime(() => {
      const both = [expected, actual].map((text) => exchangeOf([message('client', `{"input":${text}}`)]));
      const [before, after] = both;
      if (before === undefined || after === undefined) throw new RangeError('two bodies');
      expect(reported(goldenOf([before]), [after])).toBeGreaterThan(0);
      const answers = [expected, actual].map((text) =>
        exchangeOf([message('backend', `{"type":"a","a":${text}}`)]),
      );
      expect(reported(goldenOf(answers.slice(0, 1)), answers.slice(1))).toBeGreaterThan(0);
    });
  });

  const messages = (count: number, from: 'client' | 'backend', text: (index: number) => string): Step[] =>
    range(count, (index) => message(from, text(index)));

  it.each([
    ['client', 0],
    ['client', 1],
    ['backend', 0],
    ['backend', 1],
  ] as const)('many messages of the %s, and %i more', (from, more) => {
    inTime(() => {
      const before = messages(many, from, (index) => `{"type":"a","at":${index},"text":["a","b"]}`);
      const after = messages(many + more, from, (index) => `{"type":"a","at":${-index},"text":["b","a"]}`);
      reported(goldenOf([exchangeOf(before)]), [exchangeOf(after)]);
    });
  });

  it('many exchanges', () => {
    inTime(() => {
      const exchanges = (count: number, text: string) =>
        range(count, () => exchangeOf([message('client', text)]));
      reported(goldenOf(exchanges(many, '{"a":1}')), exchanges(many + 1, '{"b":2}'));
    });
  });

  it('many headers', () => {
    inTime(() => {
      const withHeaders = (name: (index: number) => string) => {
        const exchange = exchangeOf([]);
        const headers = range(many, (index) => [name(index), jsonString('the same value')] as const);
        return { ...exchange, request: { ...exchange.request, headers } };
      };
      reported(goldenOf([withHeaders((at) => `a-${at}`)]), [withHeaders((at) => `b-${at}`)]);
      reported(goldenOf([withHeaders((at) => `a-${at}`)]), [withHeaders((at) => `A-${many - 1 - at}`)]);
    });
  });

  it('a variable with another value at each of its places', () => {
    inTime(() => {
      const before = message(
        'client',
        list(many, () => '{{a}}'),
      );
      const after = message(
        'client',
        list(many, (index) => String(index)),
      );
      const golden = goldenOf([exchangeOf([before])], [variable('a')]);
      expect(reported(golden, [exchangeOf([after])])).toBeGreaterThan(0);
    });
  });

  it('many variables with one value', () => {
    inTime(() => {
      const before = message(
        'client',
        list(many, (index) => `{{a${index}}}`),
      );
      const after = message(
        'client',
        list(many, () => '1'),
      );
      const variables = range(many, (index) => variable(`a${index}`, 'group'));
      expect(reported(goldenOf([exchangeOf([before])], variables), [exchangeOf([after])])).toBeGreaterThan(0);
    });
  });
});
