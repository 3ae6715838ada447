import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { listGoldens } from '../../src/golden/file.ts';
import type { Variable } from '../../src/golden/golden.ts';
import { unify } from '../../src/golden/match/unify.ts';
import { compileTemplate } from '../../src/golden/pattern/compile-template.ts';
import { kinds, type VariableKind } from '../../src/golden/pattern/kinds.ts';
import { parseTemplate, type TemplatePart } from '../../src/golden/pattern/template.ts';
import { committedGolden } from './committed-goldens.ts';
import { fillGolden } from './fill-golden.ts';

const kindNames = Object.keys(kinds) as VariableKind[];
const variables = new Map(
  kindNames.map((kind): [string, Variable] => [
    kind,
    { name: kind, kind, number: false, distinct: undefined, lifetime: undefined },
  ]),
);

/** The same by one regular expression, in exponential time: greedy by kind, or else lazy between the literals. */
function byRegExp(parts: readonly TemplatePart[], text: string): string[] | undefined {
  const match = (patternOf: (name: string, index: number) => string) => {
    const sources = parts.map((part, index) =>
      'variable' in part
        ? `(${patternOf(part.variable, index)})`
        : part.literal.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'),
    );
    return new RegExp(`^${sources.join('')}$`, 's').exec(text)?.slice(1);
  };
  const kindOf = (name: string) => variables.get(name)?.kind ?? 'host_text';
  // Of adjacent variables the last takes all, as it does with '.*?' for each of them. That could take many seconds.
  const lazy = (_: string, index: number) => ('variable' in (parts[index + 1] ?? {}) ? '' : '.*?');
  return match((name) => kinds[kindOf(name)].extent.pattern.source) ?? match(lazy);
}

const values: Readonly<Record<VariableKind, readonly string[]>> = {
  authority: ['localhost:1', 'a', '-'],
  uuid7: ['0198f0e2-3f80-7000-8000-00000000abcd', '0198f0e2-3f80-7000-8000-000000000001'],
  uuid4: ['3e2f1d0c-9b8a-4765-8321-fedcba987654'],
  uuid5: ['3e2f1d0c-9b8a-5765-8321-fedcba987654'],
  websocket_key: ['AAAAAAAAAAAAAAAAAAAAAA=='],
  epoch_ms: ['1785432000000', '1'],
  epoch_s: ['1785432000.5', '1785432000', '1.1'],
  epoch_whole_s: ['1785432000', '1'],
  integer: ['-5', '12', '1', '--1'],
  hex: ['0a', '1', 'a1a1'],
  secret_uuid4: ['<<secret id 1 uuid4>>'],
  secret: ['<<secret token 1>>'],
  sealed: [`1 ${'5ea1'.repeat(16)}`],
  shell_text: ['', '<<sealed 1 ab>>\n'],
  host_text: ['', 'a', '1.1', '-a-', 'x (y) z', 'ab\nab'],
};
const literal = fc.constantFrom('a', '-', '.', '1', ' ', ') ', 'ab', 'aba', '>>', '==', '1.').map((text) => ({
  part: { literal: text },
  text,
}));
const variable = fc
  .constantFrom(...kindNames)
  .chain((kind) =>
    fc.constantFrom(...values[kind], ...values.host_text).map((text) => ({ part: { variable: kind }, text })),
  );
const written = fc.array(fc.oneof(literal, variable), { minLength: 1, maxLength: 7 });

it('finds the values that a regular expression of the whole template finds', () => {
  const noise = fc.constantFrom('', '', '', 'a', '1', '-', ' ');
  fc.assert(
    fc.property(written, noise, noise, (list, before, after) => {
      const parts = list.map(({ part }) => part);
      const text = before + list.map((one) => one.text).join('') + after;
      const actual = compileTemplate(parts, variables)(text);
      const values = actual?.map(([, value]) => value);
      if (!isDeepStrictEqual(values, byRegExp(parts, text))) return false;
      if (values === undefined) return true;
      return parts.map((part) => ('literal' in part ? part.literal : values.shift())).join('') === text;
    }),
    { numRuns: 5000 },
  );
});

it('gives the first of two adjacent texts everything, and as little as possible where kinds do not match', () => {
  const valuesOf = (template: string, text: string) =>
    compileTemplate(parseTemplate(template), variables)(text)?.map(([, value]) => value);
  expect(valuesOf('{{host_text}}{{host_text}}', 'abc')).toEqual(['abc', '']);
  expect(valuesOf('{{host_text}}-{{uuid7}}', `a-b-${values.uuid7[0]}`)).toEqual(['a-b', values.uuid7[0]]);
  expect(valuesOf('{{integer}}-{{integer}}', 'a-b-c')).toEqual(['a', 'b-c']);
  expect(valuesOf('a{{integer}}a', 'a')).toBeUndefined();
});

const million = 1_000_000;
it.each([
  ['many texts', '{{host_text}}{{host_text}}{{host_text}}{{host_text}}!', 'a'.repeat(million)],
  ['many texts between equal literals', `${'{{host_text}}a'.repeat(12)}!`, 'a'.repeat(million)],
  ['runs of digits', `${'{{integer}}1'.repeat(8)}{{epoch_s}}.{{hex}}!`, '1'.repeat(million)],
  ['seals', '{{sealed}}{{sealed}}{{secret}}', '1'.repeat(million)],
  ['secrets', '{{secret}}{{secret_uuid4}}{{secret}}', '<<secret '.repeat(million / 9)],
  ['10,000 variables', '{{host_text}}a'.repeat(10_000), 'a'.repeat(million)],
  [
    'a long literal',
    `{{host_text}}${'a'.repeat(25_000)}b${'a'.repeat(25_000)}{{hex}}{{hex}}`,
    'a'.repeat(million),
  ],
])('takes linear time for %s', (_, template, text) => {
  const start = process.cpuUsage();
  compileTemplate(parseTemplate(template), variables)(text);
  expect(process.cpuUsage(start).user / 1000).toBeLessThan(10_000);
});

it.each(listGoldens(join(import.meta.dirname, '..', '..', 'traces')))(
  'matches $codex $lane $scenario with other values',
  ({ path }) => {
    const golden = committedGolden(path);
    for (const run of [1, 2]) expect(unify(golden, fillGolden(golden, run))).toEqual([]);
  },
);
