import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { bundledGoldens, selectGoldens } from '../../src/golden/select.ts';
import { repository, temporaryFolder } from './cli.ts';
import { runInProcess } from './run-in-process.ts';

const example = join(repository, 'examples', 'proxy-over-tls');
const program = join(repository, 'src', 'cli', 'main.ts');

/** A folder with the example, which runs from source, without its baseline. `more` is added to its last subject. */
function exampleFolder(more = ''): string {
  const folder = temporaryFolder();
  const path = join(folder, 'codex-parity.config.yaml');
  const command = [process.execPath, '--disable-warning=ExperimentalWarning', program].join(', ');
  const config = readFileSync(join(example, 'codex-parity.config.yaml'), 'utf8');
  writeFileSync(path, config.replace('[codex-parity', `[${command}`) + more);
  return folder;
}

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
  const folder = exampleFolder('    start: once\n');
  const selection = ['--subject', 'proxy-over-tls', '--codex', codex, '--scenario', scenarios.join(',')];
  const { stdout } = await runInProcess(['check', ...selection, '--keep-traces', 'always'], { cwd: folder });
  expect(stdout).toMatch(new RegExp(` · parity in ${scenarios.length} scenarios$`, 'm'));
  const traces = join(folder, '.codex-parity', 'traces', codex, 'chatgpt');
  for (const scenario of scenarios) {
    const sent = readFileSync(join(traces, `${scenario}.upstream.trace.jsonl`), 'utf8');
    expect(sent).toContain('"target":"/backend-api/codex/responses","version":"2","http2":');
  }
});

it('differs in its TLS handshakes by what its baseline accepts, and no more', async () => {
  const selection = ['--codex', '0.118.0,0.130.0,0.171.0', '--scenario', 'default,http-fallback,http-fast'];
  const baseline = ['--baseline', join(example, 'parity-baseline.yaml')];
  const check = ['check', '--subject', 'proxy-over-tls', '--wire', 'tls', ...baseline, ...selection];
  const { stdout, exitCode } = await runInProcess(check, { cwd: exampleFolder() });
  expect(stdout).toMatch(
    / · nothing that counts in \d+ scenarios · \d+ findings accepted in .*parity-baseline\.yaml$/m,
  );
  expect(exitCode).toBe(0);
  const codes = stdout.split('\n').flatMap((line) => /^[✗!~·] (\S+)/.exec(line)?.[1] ?? []);
  expect(codes.sort()).toEqual([
    'wire/tls-ciphers',
    'wire/tls-extensions',
    'wire/tls-groups',
    'wire/tls-key-shares',
    'wire/tls-signatures',
  ]);
});
