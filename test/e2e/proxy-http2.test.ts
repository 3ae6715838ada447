import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { stringify } from 'yaml';
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

it.each(['0.130.0', '0.171.0'])('sends what codex %s sends over HTTP/2', async (codex) => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'codex-parity.config.yaml'), stringify({ subjects: { mine } }));
  const selection = ['--subject', 'mine', '--codex', codex, '--scenario', 'http2-fallback'];
  const { stdout } = await runInProcess(['check', ...selection, '--keep-traces', 'always'], { cwd: folder });
  expect(stdout).toMatch(/ · parity in 1 scenario$/m);
  const traces = join(folder, '.codex-parity', 'traces', codex, 'chatgpt');
  const sent = readFileSync(join(traces, 'http2-fallback.upstream.trace.jsonl'), 'utf8');
  expect(sent).toContain('"target":"/backend-api/codex/responses","version":"2","http2":');
});
