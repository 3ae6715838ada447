import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import {
  GoldenLines,
  goldenPath,
  listGoldens,
  printGolden,
  readGolden,
  writeGolden,
} from '../../src/golden/file.ts';
import { generalise } from '../../src/golden/learn/generalise.ts';
import { unify } from '../../src/golden/match/unify.ts';
import type { Exchange } from '../../src/golden/trace/exchanges.ts';
import { sampleGolden, sampleId, sampleRun, sampleRunOfTwoTurns } from './sample-run.ts';

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'parity-goldens-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

it('reads back what it wrote, byte for byte', async () => {
  const { path } = writeGolden(folder(), sampleGolden());
  const golden = readGolden(path);
  expect(golden).toEqual(sampleGolden());
  expect(printGolden(golden)).toBe(readFileSync(path, 'utf8'));
  expect(unify(golden, sampleRun(9))).toEqual([]);
});

it('reads back what varied, lifetimes, headers in any order, and ends of connections', async () => {
  const learned = generalise(sampleId, [1, 2, 3].map(sampleRunOfTwoTurns), ['cwd', 'time zone']);
  const exchanges = learned.exchanges.map(
    (exchange): Exchange => ({
      ...exchange,
      request: { ...exchange.request, unordered: true },
      end: 'client',
    }),
  );
  const { path } = writeGolden(folder(), { ...learned, exchanges });
  const text = readFileSync(path, 'utf8');
  for (const part of ['"varied":["cwd","time zone"]', '"lifetime":"turn"', '"unordered":true,"headers"']) {
    expect(text).toContain(part);
  }
  expect(text).toMatch(/\n\{"type":"end","connection":1,"by":"client"\}\n\{"type":"finished"\}\n$/);
  const golden = readGolden(path);
  expect(golden).toEqual({ ...learned, exchanges });
  expect(printGolden(golden)).toBe(text);
});

it('rejects two variables with the same name', async () => {
  const path = join(folder(), 'twice.golden.jsonl');
  const lines = printGolden(sampleGolden()).split('\n');
  const at = lines.findIndex((line) => line.includes('"type":"variable"'));
  writeFileSync(path, lines.toSpliced(at + 3, 0, lines[at] ?? '').join('\n'));
  expect(() => readGolden(path)).toThrow(`:${at + 4}: not valid (variable "`);
});

it('reads a golden that has neither lifetimes nor `varied`', async () => {
  const path = join(folder(), 'old.golden.jsonl');
  const old = printGolden(sampleGolden()).replaceAll(/,"lifetime":"\w+"/g, '');
  expect(old).not.toContain('varied');
  writeFileSync(path, old);
  const golden = readGolden(path);
  expect(golden.varied).toEqual([]);
  expect([...golden.variables.values()].map(({ lifetime }) => lifetime)).toContain(undefined);
  expect(printGolden(golden)).toBe(old);
});

it('writes nothing when nothing changed, and leaves no temporary file', () => {
  const goldens = folder();
  expect(writeGolden(goldens, sampleGolden()).changed).toBe(true);
  const { path, changed } = writeGolden(goldens, sampleGolden());
  expect(changed).toBe(false);
  expect(writeGolden(goldens, { ...sampleGolden(), runs: 4 }).changed).toBe(true);
  expect(readdirSync(dirname(path))).toEqual(['mini.golden.jsonl']);
  expect(path).toBe(goldenPath(goldens, sampleId));
});

it('reports the line where a golden is corrupt', async () => {
  const path = join(folder(), 'bad.golden.jsonl');
  const lines = printGolden(sampleGolden()).split('\n');
  writeFileSync(path, lines.with(1, '{"type":"variable","name":"a","kind":"colour"}').join('\n'));
  expect(() => readGolden(path)).toThrow(
    expect.objectContaining({
      code: 'file-corrupt',
      message: expect.stringContaining(':2: not valid ("kind" must be one of '),
    }),
  );
  const badLifetime = '{"type":"variable","name":"a","kind":"hex","lifetime":"age"}';
  writeFileSync(path, lines.with(1, badLifetime).join('\n'));
  expect(() => readGolden(path)).toThrow(
    expect.objectContaining({
      message: expect.stringContaining(':2: not valid ("lifetime" must be one of '),
    }),
  );
  writeFileSync(path, lines.slice(0, -2).join('\n'));
  expect(() => readGolden(path)).toThrow(
    expect.objectContaining({ message: expect.stringContaining('is cut off') }),
  );
});

it('reports each file and line that is corrupt, although other goldens have its lines', () => {
  const known = new GoldenLines();
  const goldens = folder();
  const whole = printGolden(sampleGolden()).split('\n');
  const at = whole.findIndex((line) => line.includes('"type":"variable"'));
  const variable = whole[at] ?? '';
  const { name } = JSON.parse(variable);
  const used = whole.findIndex((line, index) => index > at && line.includes(`{{${name}}}`));
  const damaged: [lines: string[], problem: string][] = [
    [whole.with(2, '{"type"'), ':3: not valid JSON ('],
    [whole.with(2, '{"type":"colour"}'), ':3: not valid ("colour" is not an event type'],
    [whole.with(2, '{"type":"end","connection":1,"by":"me"}'), ':3: not valid ("by" must be one of '],
    [whole.with(at + 1, variable), `:${at + 2}: not valid (variable "${name}" is declared twice)`],
    [whole.toSpliced(at, 1), `:${used}: not valid (variable {{${name}}} is used but not declared before`],
    [whole.slice(0, -2), `:${whole.length - 2}: the file is cut off after this line`],
  ];
  const paths = ['first', 'second'].map((file) => join(goldens, file));
  for (const [lines, problem] of damaged) {
    writeFileSync(paths[0] ?? '', whole.join('\n'));
    expect(readGolden(paths[0] ?? '', known)).toEqual(sampleGolden());
    for (const path of paths) {
      writeFileSync(path, lines.join('\n'));
      expect(() => readGolden(path, known)).toThrow(`${path}${problem}`);
    }
  }
});

it('rejects a golden of a newer format', async () => {
  const path = join(folder(), 'new.golden.jsonl');
  writeFileSync(path, printGolden(sampleGolden()).replace('"version":1', '"version":2'));
  expect(() => readGolden(path)).toThrow(expect.objectContaining({ code: 'format-newer' }));
});

it('lists goldens sorted by version, lane and scenario, and no other files', () => {
  const goldens = folder();
  for (const path of ['0.118.0/b/x', '0.99.0/b/x', '0.118.0/a/z', '0.118.0/a/y', 'too/few', 'a/b/c/d']) {
    mkdirSync(dirname(join(goldens, path)), { recursive: true });
    writeFileSync(join(goldens, `${path}.golden.jsonl`), '');
  }
  writeFileSync(join(goldens, '0.99.0/b/README.md'), '');
  expect(listGoldens(goldens).map(({ codex, lane, scenario }) => `${codex} ${lane} ${scenario}`)).toEqual([
    '0.99.0 b x',
    '0.118.0 a y',
    '0.118.0 a z',
    '0.118.0 b x',
  ]);
  expect(listGoldens(join(goldens, 'none'))).toEqual([]);
  expect(existsSync(join(goldens, 'none'))).toBe(false);
});
