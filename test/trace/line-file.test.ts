import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { LineFile } from '../../src/trace/line-file.ts';

function fileOf(text: string): LineFile {
  const folder = mkdtempSync(join(tmpdir(), 'parity-lines-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'lines'), text);
  const file = new LineFile(join(folder, 'lines'));
  onTestFinished(() => file.close());
  return file;
}

function texts(file: LineFile): string[] {
  return Array.from({ length: file.length }, (_, at) => file.text(at + 1));
}

it.each([
  ['', []],
  ['a', ['a']],
  ['a\n', ['a']],
  ['\n', ['']],
  ['a\n\nb', ['a', '', 'b']],
  ['a\u2028b\r\nc\n', ['a\u2028b\r', 'c']],
])('has the lines of %j', (text, lines) => {
  expect(texts(fileOf(text))).toEqual(lines);
  expect(texts(new LineFile('given', Buffer.from(text)))).toEqual(lines);
});

it('reads lines in any order, and such as are longer than what is read at once', () => {
  const lines = Array.from({ length: 50 }, (_, at) => `${at}é${'x'.repeat(at === 20 ? 3_000_000 : 100_000)}`);
  const file = fileOf(lines.join('\n'));
  for (const at of [49, 0, 20, 21, 19, 20, 1, 48]) expect(file.text(at + 1)).toBe(lines[at]);
  expect(texts(file)).toEqual(lines);
});

it('has no line but those that there are', () => {
  expect(() => fileOf('a\n').line(2)).toThrow('no line 2');
  expect(() => fileOf('a\n').line(0)).toThrow('no line 0');
});
