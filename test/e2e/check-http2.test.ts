import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { stringify } from 'yaml';
import { temporaryFolder } from './cli.ts';
import { runInProcess } from './run-in-process.ts';

/** What a check prints about a proxy that goes out through HTTPS_PROXY (see http2-proxy.ts). */
async function check(variant: string): Promise<string> {
  const folder = temporaryFolder();
  const command = [process.execPath, join(import.meta.dirname, 'http2-proxy.ts'), '{port}', variant];
  const mine = { command, upstream: 'https', path: '/backend-api/codex' };
  writeFileSync(join(folder, 'codex-parity.config.yaml'), stringify({ subjects: { mine } }));
  const selection = ['--codex', '0.171.0', '--scenario', 'http2-fallback'];
  const { stdout } = await runInProcess(['check', '--subject', 'mine', ...selection], { cwd: folder });
  return stdout;
}

it('finds nothing in a proxy that uses HTTP/2 like the official client', async () => {
  expect(await check('none')).toMatch(/^mine vs codex 0\.171\.0 · parity in 1 scenario$/m);
});

it.each([
  ['pseudo-headers', /^~ wire\/http2-pseudo-headers .*:path/],
  ['settings', /^~ wire\/http2-settings .*INITIAL_WINDOW_SIZE=65535/],
  ['window', /^~ wire\/http2-window .*\+0/],
  ['http/1.1', /^~ transport\/alpn .*http\/1\.1/],
])('finds one cause in a proxy that has other %s', async (variant, cause) => {
  const printed = await check(variant);
  expect(printed).toMatch(/^mine vs codex 0\.171\.0 · 1 cause in 1 scenario$/m);
  expect(printed.split('\n').filter((line) => /^[✗!~]/.test(line))).toEqual([expect.stringMatching(cause)]);
});
