import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { repository } from './cli.ts';
import { runInProcess } from './run-in-process.ts';

it('reports the rename of the session header in the version that made it', async () => {
  const { stdout, exitCode } = await runInProcess(['drift', '0.130.0', '0.133.0']);
  expect(stdout).toContain('renamed `session_id` to `session-id`');
  expect(stdout).not.toMatch(/(added|removed) `session[-_]id`/);
  expect(exitCode).toBe(0);
});

it('reports what was added between 0.155.1 and 0.160.0', async () => {
  const { stdout } = await runInProcess(['drift', '0.155.1', '0.160.0']);
  expect(stdout).toContain('added `x-openai-account-routing-override`');
  expect(stdout).toContain('added `client_metadata.guardian_credits_requested`');
  expect(stdout).toContain('added `client_metadata.mcp_attribution`');
  expect(stdout).toContain('added `turn_trigger`');
});

it('lists the compared scenarios, and reports a new item apart from a changed list', async () => {
  const { stdout } = await runInProcess(['drift', '0.118.0', '0.128.0']);
  expect(stdout).toContain(
    'Compared in default (api-key), default, fast, http-fallback, http-fast, resume, second-turn, tool-turn; a change without a list occurs in all of them.',
  );
  expect(stdout).toContain('changed `tools`\n');
  expect(stdout).toContain('added `tools[image_generation]` (all but default (api-key))\n');
});

it('folds scenarios by transport, and a model that also shows in the hint', async () => {
  const { stdout } = await runInProcess(['drift', '0.149.0', '0.155.1']);
  expect(stdout).toMatch(/changed `model`: `"gpt-5.6-sol"` → `"gpt-6-astra"`, and in `x-codex-routing-hint`/);
  expect(stdout).not.toMatch(/changed `x-codex-routing-hint`/);
  const { stdout: earlier } = await runInProcess(['drift', '0.128.0', '0.130.0']);
  expect(earlier).toContain('`"TLS, ALPN h2 http/1.1"` (all over HTTP)\n');
});

it('names the first of many scenarios', async () => {
  const versions = ['0.169.0', '0.171.0'];
  const { stdout } = await runInProcess(['drift', ...versions]);
  expect(stdout).toMatch(/^Compared in (?:[^,]+, ){7}[^,]+ and \d+ more; a change without a list/m);
  const { stdout: document } = await runInProcess(['drift', ...versions, '--format', 'markdown']);
  expect(document).not.toMatch(/ and \d+ more/);
});

it('names the tools that were added and removed inside the input', async () => {
  const { stdout } = await runInProcess(['drift', '0.149.0', '0.155.1']);
  expect(stdout).toContain('added `tools[clock]`');
});

it('takes "latest" as the newest version that has goldens', async () => {
  const { stderr, exitCode } = await runInProcess(['drift', '--since', 'latest']);
  expect(stderr).toMatch(/^no goldens of a version after \d+\.\d+\.\d+: nothing to compare\n$/);
  expect(exitCode).toBe(0);
});

it('prints JSON', async () => {
  const { stdout } = await runInProcess(['drift', '0.130.0', '0.133.0', '--format', 'json']);
  const { drifts } = JSON.parse(stdout);
  expect(drifts).toHaveLength(1);
  expect(drifts[0]).toMatchObject({ from: '0.130.0', to: '0.133.0' });
  expect(drifts[0].changes).toContainEqual({
    group: 'handshake',
    kind: 'renamed',
    place: 'session_id',
    before: 'session_id',
    after: 'session-id',
    scenarios: [
      'default (api-key)',
      'default',
      'fast',
      'http-fallback',
      'http-fast',
      'http2-fallback',
      'resume',
      'second-turn',
      'tool-turn',
    ],
  });
});

it('matches docs/history.md', async () => {
  const { stdout } = await runInProcess(['drift', '--since', '0.118.0', '--format', 'markdown']);
  const history = readFileSync(join(repository, 'docs', 'history.md'), 'utf8');
  expect(stdout).toContain('## 0.130.0 → 0.133.0');
  expect(history.endsWith(stdout), 'run: npm run history').toBe(true);
});

it.each([
  { wrong: 'a single version', args: ['drift', '0.118.0'], expected: /give two versions/ },
  {
    wrong: 'a version without goldens',
    args: ['drift', '0.118.0', '0.1.0'],
    expected: /no golden for codex 0\.1\.0/,
  },
])('reports $wrong in one line, with exit code 2', async ({ args, expected }) => {
  const { stderr, exitCode } = await runInProcess(args);
  expect(stderr).toMatch(expected);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(exitCode).toBe(2);
});
