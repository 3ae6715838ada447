import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { parseConfig, readConfig } from '../../src/config/config.ts';
import { GoldenLines, listGoldens, readGolden } from '../../src/golden/file.ts';
import { formatOf } from '../../src/trace/line-file.ts';
import { readTrace } from '../../src/trace/trace.ts';

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'parity-hostile-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

function goldensFolder(): string {
  const path = join(folder(), 'traces');
  mkdirSync(join(path, '0.169.0', 'chatgpt'), { recursive: true });
  writeFileSync(join(path, '0.169.0', 'chatgpt', 'fast.golden.jsonl'), '');
  return path;
}

function golden(...lines: readonly unknown[]): string {
  const path = join(folder(), 'x.golden.jsonl');
  const head = { format: 'codex-parity/golden', version: 1, codex: '1', lane: 'a', scenario: 'b', runs: 2 };
  writeFileSync(
    path,
    [head, ...lines, { type: 'finished' }].map((line) => `${JSON.stringify(line)}\n`).join(''),
  );
  return path;
}

const shared = (name: string, value: unknown) => ({ type: 'shared', name, value });
const reference = (name: string) => ({ '{{shared}}': name });

it('refuses shared documents that grow exponentially', () => {
  const laughs = Array.from({ length: 60 }, (_, index) =>
    shared(`a${index + 1}`, [reference(`a${index}`), reference(`a${index}`)]),
  );
  expect(() => readGolden(golden(shared('a0', 'ha'), ...laughs))).toThrow(
    /:\d+: not valid \(with its shared documents, the file has more than 67108864 characters\)/,
  );
});

it('refuses one large document that is used very often, also if its lines are known', () => {
  const uses = Array.from({ length: 100 }, () => reference('a'));
  const lines = Array.from({ length: 10 }, (_, index) => shared(`b${index}`, uses));
  const known = new GoldenLines();
  for (const path of [1, 2].map(() => golden(shared('a', 'ha'.repeat(100_000)), ...lines)))
    expect(() => readGolden(path, known)).toThrow(
      `${path}:6: not valid (with its shared documents, the file has`,
    );
});

it('refuses shared documents that are nested very deeply', () => {
  const deep = (inner: unknown) => Array.from({ length: 150 }).reduce((value) => [value], inner);
  const lines = Array.from({ length: 200 }, (_, index) =>
    shared(`a${index + 1}`, deep(reference(`a${index}`))),
  );
  expect(() => readGolden(golden(shared('a0', 1), ...lines))).toThrow(/:4: not valid .*more than 264 levels/);
});

it('refuses shared documents that name each other or themselves', () => {
  const undeclared = /shared document "b" is used but not declared before this line/;
  expect(() => readGolden(golden(shared('a', reference('b')), shared('b', reference('a'))))).toThrow(
    undeclared,
  );
  expect(() => readGolden(golden(shared('b', reference('b'))))).toThrow(undeclared);
});

it('refuses a shared document with a variable that no line before it declares', () => {
  const variable = { type: 'variable', name: 'b', kind: 'hex' };
  expect(() => readGolden(golden(shared('a', [{ text: 'x{{b}}' }]), variable))).toThrow(
    /:2: not valid \(variable \{\{b\}\} is used but not declared before this line\)/,
  );
});

it('refuses very many variables', () => {
  const variables = Array.from({ length: 10_001 }, (_, index) => ({
    type: 'variable',
    name: `a${index}`,
    kind: 'hex',
  }));
  expect(() => readGolden(golden(...variables))).toThrow(
    /:10002: not valid \(the file has more than 10000 variables\)/,
  );
});

it('opens nothing but regular files', () => {
  const pipe = join(folder(), 'pipe.jsonl');
  execFileSync('mkfifo', [pipe]);
  for (const path of [pipe, '/dev/zero']) {
    for (const read of [readGolden, readTrace, formatOf])
      expect(() => read(path)).toThrow(`cannot read ${path}: it is not a regular file`);
  }
  const configured = folder();
  execFileSync('mkfifo', [join(configured, 'codex-parity.config.json')]);
  expect(() => readConfig(configured)).toThrow('it is not a regular file');
  expect(() => readTrace(configured)).toThrow(`cannot read ${configured}: it is a folder`);
});

it('refuses files of absurd size', () => {
  const path = join(folder(), 'codex-parity.config.json');
  writeFileSync(path, '');
  truncateSync(path, 2 ** 40);
  for (const read of [readGolden, readTrace, formatOf])
    expect(() => read(path)).toThrow(
      /^cannot read .*: it has 1099511627776 bytes, and at most 67108864 are read$/,
    );
  expect(() => readConfig(join(path, '..'))).toThrow(/and at most 65536 are read$/);
});

it('refuses a configuration that is nested very deeply or has very many aliases', () => {
  expect(() => parseConfig('['.repeat(60_000), 'a.yaml')).toThrow(/^a\.yaml, line 1: /);
  const laughs = Array.from(
    { length: 30 },
    (_, index) => `a${index + 1}: &a${index + 1} [*a${index}, *a${index}]`,
  );
  expect(() => parseConfig(['a0: &a0 [1]', ...laughs].join('\n'), 'a.yaml')).toThrow(/^a\.yaml, line 1: /);
});

it('lists goldens in folders that links inside lead to, and none outside', () => {
  const path = goldensFolder();
  symlinkSync('0.169.0', join(path, '0.170.0'));
  expect(listGoldens(path).map(({ codex, scenario }) => `${codex} ${scenario}`)).toEqual([
    '0.169.0 fast',
    '0.170.0 fast',
  ]);
  symlinkSync(goldensFolder(), join(path, '0.171.0'));
  expect(() => listGoldens(path)).toThrow(
    `cannot read ${path}/0.171.0: it is a link that leads out of the folder`,
  );
});

it('does not follow links in a loop', () => {
  const path = goldensFolder();
  for (const name of ['a', 'b']) symlinkSync('..', join(path, '0.169.0', name));
  for (const name of ['c', 'd']) symlinkSync('.', join(path, name));
  expect(listGoldens(path).map(({ codex }) => codex)).toEqual(['0.169.0']);
});

it.each(['pipe', 'folder', 'link out', 'link to nothing', 'loop'])(
  'refuses a golden that is a %s',
  (what) => {
    const path = goldensFolder();
    const file = join(path, '0.169.0', 'chatgpt', 'a.golden.jsonl');
    if (what === 'pipe') execFileSync('mkfifo', [file]);
    if (what === 'folder') mkdirSync(file);
    if (what === 'link out') symlinkSync('/dev/zero', file);
    if (what === 'link to nothing') symlinkSync('nothing', file);
    if (what === 'loop') symlinkSync('a.golden.jsonl', file);
    expect(() => listGoldens(path)).toThrow(`cannot read ${file}: `);
  },
);
