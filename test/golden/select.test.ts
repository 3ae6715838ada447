import { cpSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import {
  bundledGoldens,
  defaultGoldens,
  fileNamed,
  layeredGoldens,
  selectGoldens,
} from '../../src/golden/select.ts';
import { temporaryFolder } from '../e2e/cli.ts';

/** A project with a golden of its own under the version and path that a bundled one has, and one of a newer version. */
function project(): { readonly folder: string; readonly traces: string } {
  const folder = temporaryFolder();
  const traces = join(folder, 'traces');
  for (const codex of ['0.171.0', '0.999.0'])
    cpSync(
      join(bundledGoldens, '0.171.0/chatgpt/fast.golden.jsonl'),
      join(traces, codex, 'chatgpt/fast.golden.jsonl'),
    );
  return { folder, traces };
}

it('lays the goldens of a project over the bundled ones', () => {
  const { folder, traces } = project();
  const folders = defaultGoldens(folder);
  expect(folders).toEqual([traces, bundledGoldens]);
  const [bundled, layered] = [layeredGoldens([bundledGoldens]), layeredGoldens(folders)];
  expect(layered).toHaveLength(bundled.length + 1);
  expect(layered.at(-1)).toMatchObject({ codex: '0.999.0', folder: traces });
  expect(fileNamed(folders, '0.171.0/fast')).toBe(join(traces, '0.171.0/chatgpt/fast.golden.jsonl'));
  expect(fileNamed(folders, '0.171.0')).toBe(join(bundledGoldens, '0.171.0/chatgpt/default.golden.jsonl'));
  expect(fileNamed(folders, 'latest/fast')).toBe(join(traces, '0.999.0/chatgpt/fast.golden.jsonl'));
});

it('uses the bundled goldens alone for a folder without goldens', () => {
  const folder = temporaryFolder();
  expect(defaultGoldens(folder)).toEqual([bundledGoldens]);
  mkdirSync(join(folder, 'traces', 'of', 'something else'), { recursive: true });
  expect(defaultGoldens(folder)).toEqual([bundledGoldens]);
});

const newest = readdirSync(bundledGoldens)
  .toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  .at(-1);

it.each([
  ['0.171.0/api-key/fast', '0.171.0/api-key/fast'],
  ['0.171.0/fast', '0.171.0/chatgpt/fast'],
  ['0.171.0', '0.171.0/chatgpt/default'],
  ['latest', `${newest}/chatgpt/default`],
])('finds the golden %s', (name, path) => {
  expect(fileNamed([bundledGoldens], name)).toBe(join(bundledGoldens, `${path}.golden.jsonl`));
});

it.each(['a/file.golden.jsonl', './0.171.0/fast', 'live.trace.jsonl', '0.171.0/a/b/c'])(
  'takes %s for a path',
  (path) => {
    expect(fileNamed([bundledGoldens], path)).toBe(path);
  },
);

it('finds a golden where a folder has its name', () => {
  const before = process.cwd();
  process.chdir(bundledGoldens);
  onTestFinished(() => process.chdir(before));
  expect(fileNamed([bundledGoldens], '0.171.0')).toMatch(/default\.golden\.jsonl$/);
});

it('takes a file that exists for a file, whatever its name', () => {
  const here = join(bundledGoldens, '..');
  expect(fileNamed([bundledGoldens], join(here, 'package.json'))).toBe(join(here, 'package.json'));
});

it.each([
  ['0.171.0/fsat', 'no golden for scenario "fsat": did you mean "fast"?'],
  ['0.171.1/fast', 'no golden for codex 0.171.1: choose from '],
  [
    '0.171.0/api-kye/fast',
    'no golden for codex 0.171.0, scenario "fast" in lane api-kye: did you mean "api-key"? choose from lane ',
  ],
])('reports that there is no golden %s', (name, problem) => {
  expect(() => fileNamed([bundledGoldens], name)).toThrow(problem);
});

it('reports a folder without goldens, even beside one that has some', () => {
  const empty = temporaryFolder();
  expect(() => selectGoldens([empty, bundledGoldens])).toThrow(
    `no goldens in ${empty}: record some, or correct --goldens`,
  );
});
