import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { stringify } from 'yaml';
import { bundledGoldens, selectGoldens } from '../../src/golden/select.ts';
import { temporaryFolder } from './cli.ts';
import { runInProcess } from './run-in-process.ts';

const program = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');

/** The bundled proxy as a program that goes out through HTTPS_PROXY, to the official hosts. */
const mine = {
  command: [
    ...[process.execPath, '--disable-warning=ExperimentalWarning', program, 'proxy', '--port', '{port}'],
    ...['--upstream', 'https://chatgpt.com/backend-api/codex', '--auth', '{auth}', '--codex', '{codex}'],
  ],
  upstream: 'https',
  path: '/backend-api/codex',
};

/** The scenarios whose goldens have a request over HTTP/2, by version. */
const recorded = Map.groupBy(
  selectGoldens([bundledGoldens]).filter(
    ({ lane, path }) => lane === 'chatgpt' && /"version":"2","http2":/.test(readFileSync(path, 'utf8')),
  ),
  ({ codex }) => codex,
);
const cases = [...recorded].map(([codex, files]) => ({
  codex,
  // All that the newest version has: the others differ from it in few of them.
  scenarios: codex === '0.171.0' ? files.map(({ scenario }) => scenario) : ['http-fast', 'http2-fallback'],
}));

it('has goldens over HTTP/2 of every scenario over HTTP but one', () => {
  const versions = selectGoldens([bundledGoldens], undefined, ['http2-fallback']).map(({ codex }) => codex);
  expect(cases.map(({ codex }) => codex)).toEqual([...new Set(versions)]);
  expect(cases.at(-1)?.scenarios).toHaveLength(16);
  expect(cases.flatMap(({ scenarios }) => scenarios)).not.toContain('http-fallback');
});

it.each(cases)('sends what codex $codex sends over HTTP/2', async ({ codex, scenarios }) => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'codex-parity.config.yaml'), stringify({ subjects: { mine } }));
  const selection = ['--subject', 'mine', '--codex', codex, '--scenario', scenarios.join(',')];
  const { stdout } = await runInProcess(['check', ...selection, '--keep-traces', 'always'], { cwd: folder });
  expect(stdout).toMatch(new RegExp(` · parity in ${scenarios.length} scenarios$`, 'm'));
  const traces = join(folder, '.codex-parity', 'traces', codex, 'chatgpt');
  for (const scenario of scenarios) {
    const sent = readFileSync(join(traces, `${scenario}.upstream.trace.jsonl`), 'utf8');
    expect(sent).toContain('"target":"/backend-api/codex/responses","version":"2","http2":');
  }
});
