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
  compareVersions,
  goldenPath,
  listGoldens,
  printGolden,
  readGolden,
  writeGolden,
} from '../../src/golden/file.ts';
import { unify } from '../../src/golden/unify.ts';
import { dialogue, id, miniGolden } from './conversation.ts';

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'parity-goldens-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

it('reads back what it wrote, byte for byte', async () => {
  const { path } = writeGolden(folder(), miniGolden());
  const golden = await readGolden(path);
  expect(golden).toEqual(miniGolden());
  expect(printGolden(golden)).toBe(readFileSync(path, 'utf8'));
  expect(unify(golden, dialogue(9))).toEqual([]);
});

it.each(listGoldens('traces'))('reads back $codex $lane $scenario, byte for byte', async ({ path }) => {
  expect(printGolden(await readGolden(path))).toBe(readFileSync(path, 'utf8'));
});

it('writes nothing when nothing changed, and leaves no other file behind', () => {
  const goldens = folder();
  expect(writeGolden(goldens, miniGolden()).changed).toBe(true);
  const { path, changed } = writeGolden(goldens, miniGolden());
  expect(changed).toBe(false);
  expect(writeGolden(goldens, { ...miniGolden(), runs: 4 }).changed).toBe(true);
  expect(readdirSync(dirname(path))).toEqual(['mini.golden.jsonl']);
  expect(path).toBe(goldenPath(goldens, id));
});

it('names the line of a golden that is corrupt', async () => {
  const path = join(folder(), 'bad.golden.jsonl');
  const lines = printGolden(miniGolden()).split('\n');
  writeFileSync(path, lines.with(1, '{"type":"variable","name":"a","kind":"colour"}').join('\n'));
  await expect(readGolden(path)).rejects.toMatchObject({
    code: 'file-corrupt',
    message: expect.stringContaining('line 2 is not valid: "colour" is no kind of variable'),
  });
  writeFileSync(path, lines.slice(0, -2).join('\n'));
  await expect(readGolden(path)).rejects.toMatchObject({ message: expect.stringContaining('was cut off') });
});

it('refuses a golden of a newer format', async () => {
  const path = join(folder(), 'new.golden.jsonl');
  writeFileSync(path, printGolden(miniGolden()).replace('"version":1', '"version":2'));
  await expect(readGolden(path)).rejects.toMatchObject({ code: 'format-newer' });
});

it('lists goldens by version, lane and scenario, and nothing else', () => {
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

it('orders versions by their numbers', () => {
  expect(['0.118.0', '0.99.0', '0.118.10', '0.118.9', '1.0.0'].sort(compareVersions)).toEqual([
    '0.99.0',
    '0.118.0',
    '0.118.9',
    '0.118.10',
    '1.0.0',
  ]);
});
