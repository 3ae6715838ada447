import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import { GoldenLines, printGolden, readGolden, writeGolden } from '../../src/golden/file.ts';
import type { Golden } from '../../src/golden/golden.ts';
import { generalise } from '../../src/golden/learn/generalise.ts';
import { unify } from '../../src/golden/match/unify.ts';
import type { Exchange } from '../../src/golden/trace/exchanges.ts';
import { exchangeOf, message, sampleId, uuid7 } from './sample-run.ts';

const long = (name: string) => `${name} ${'and so on '.repeat(120)}`;

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'parity-shared-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

function messages(...sent: readonly unknown[]): Exchange {
  return exchangeOf(...sent.map((json) => ({ ...message('client', json), exchange: 1 })));
}

function goldenOf(...sent: readonly unknown[]): Golden {
  return generalise(sampleId, [[messages(...sent)]]);
}

function linesOf(golden: Golden): string[] {
  return printGolden(golden).trim().split('\n');
}

/** Reads a golden from the text of its file. */
function read(text: string, lines?: GoldenLines): Golden {
  const path = join(folder(), 'x.golden.jsonl');
  writeFileSync(path, text);
  return readGolden(path, lines);
}

it('writes a repeated document once, before its first use, and names it after its key', async () => {
  const tools = [{ name: 'exec', description: long('run') }];
  const golden = goldenOf({ a: 1, tools }, { a: 2, tools }, { nested: { Tools: tools } });
  const lines = linesOf(golden);
  const at = lines.findIndex((line) => line.startsWith('{"type":"shared"'));
  expect(lines[at]).toBe(JSON.stringify({ type: 'shared', name: 'tools', value: tools }));
  expect(lines[at + 1]).toContain('"json":{"a":1,"tools":{"{{shared}}":"tools"}}}');
  expect(lines.filter((line) => line.includes(long('run')))).toHaveLength(1);
  expect(await read(printGolden(golden))).toEqual(golden);
});

it('gives every shared document a unique name, whatever the keys are', async () => {
  const documents = [{ tools: long('one') }, { tools: long('two') }, { tools_2: long('three') }];
  const golden = goldenOf(...documents.flatMap((one) => [1, 2].map((at) => ({ at, ...one }))));
  const names = linesOf(golden).flatMap((line) => /^\{"type":"shared","name":"(\w+)"/.exec(line)?.[1] ?? []);
  expect(names).toEqual(['tools', 'tools_2', 'tools_2_2']);
  expect(await read(printGolden(golden))).toEqual(golden);
});

it('shares a document that is part of a shared document and also used elsewhere', async () => {
  const text = long('text');
  const whole = { item: { text }, more: long('more') };
  const golden = goldenOf({ a: 1, whole }, { a: 2, whole }, { b: 1, text });
  const shared = linesOf(golden).filter((line) => line.startsWith('{"type":"shared"'));
  expect(shared.map((line) => JSON.parse(line))).toEqual([
    { type: 'shared', name: 'text', value: text },
    { type: 'shared', name: 'whole', value: { item: { text: { '{{shared}}': 'text' } }, more: whole.more } },
  ]);
  expect(await read(printGolden(golden))).toEqual(golden);
});

it('writes short documents and those that occur once in place', () => {
  const golden = goldenOf({ a: long('one'), b: 'short' }, { a: long('two'), b: 'short' });
  expect(printGolden(golden)).not.toContain('shared');
});

it('reads back an equal golden, whatever it contains', async () => {
  const texts = fc.constantFrom(long('a'), long('b "quoted"'), 'short', '{{shared}}', '{{a}}');
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, texts, fc.integer(), tie('list'), tie('object')),
    list: fc.array(tie('value'), { maxLength: 4 }),
    object: fc.dictionary(fc.constantFrom('text', 'Tools', '{{shared}}', '{{json}}', 'é', '1'), tie('value')),
  }));
  await fc.assert(
    fc.asyncProperty(fc.array(value, { minLength: 1, maxLength: 4 }), async (sent) => {
      const golden = goldenOf(...sent, ...sent.slice(0, 2));
      const text = printGolden(golden);
      const again = await read(text);
      expect(again).toEqual(golden);
      expect(printGolden(again)).toBe(text);
    }),
  );
});

it('compares a shared document at all places that refer to it', () => {
  const instructions = (turn: string) => [{ role: 'developer', text: long('rules'), turn }];
  const run = (number: number) => {
    const input = instructions(uuid7(number, 'turn'));
    return messages({ turn: 1, input }, { turn: 2, input });
  };
  const golden = generalise(sampleId, [[run(1)], [run(2)]]);
  const text = printGolden(golden);
  expect(text).toContain('"turn":2,"input":{"{{shared}}":"input"}');
  const restored = read(text);
  expect(unify(restored, [run(3)])).toEqual([]);
  const input = instructions(uuid7(3, 'turn'));
  const changed = [{ ...input[0], role: 'user' }];
  expect(unify(restored, [messages({ turn: 1, input }, { turn: 2, input: changed })])).toMatchObject([
    { kind: 'changed', places: [{ side: 'client', part: 'message', number: 2, path: ['input', 0, 'role'] }] },
  ]);
});

it('reports the line of a reference to a document that is not declared before it', async () => {
  const text = long('text');
  const { path } = writeGolden(folder(), goldenOf({ a: 1, text }, { a: 2, text }));
  const lines = readFileSync(path, 'utf8').split('\n');
  const at = lines.findIndex((line) => line.includes('"type":"shared"'));
  const without = lines.toSpliced(at, 1);
  for (const broken of [without, without.toSpliced(at + 1, 0, lines[at] ?? '')]) {
    writeFileSync(path, broken.join('\n'));
    expect(() => readGolden(path)).toThrow(
      expect.objectContaining({
        code: 'file-corrupt',
        message: expect.stringContaining(
          `${path}:${at + 1}: not valid (shared document "text" is used but not declared before this line).`,
        ),
      }),
    );
  }
});

it('takes the documents of its own golden for a line that other goldens have too', () => {
  const golden = (text: string) => goldenOf({ a: 1, text }, { a: 2, text });
  const [one, other] = [golden(long('one')), golden(long('other'))];
  const lines = new GoldenLines();
  const texts = [one, other].map(printGolden);
  for (const text of texts) expect(printGolden(read(text, lines))).toBe(text);
  expect(read(texts[0] ?? '', lines)).toEqual(one);
  const without = texts[0]?.replace(/.*"type":"shared".*\n/, '') ?? '';
  expect(() => read(without, lines)).toThrow('shared document "text" is used but not declared');
});

it('rejects two shared documents with the same name, and a reference that is not the only member', async () => {
  const text = long('text');
  const whole = printGolden(goldenOf({ a: 1, text }, { a: 2, text }));
  const line = /.*"type":"shared".*\n/.exec(whole)?.[0] ?? '';
  expect(() => read(whole.replace(line, () => line + line))).toThrow(
    'shared document "text" is declared twice',
  );
  expect(() => read(whole.replace('"{{shared}}":"text"', '"{{shared}}":"text","a":1'))).toThrow(
    'must be the only member',
  );
});
