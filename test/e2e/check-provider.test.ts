import { expect, it } from 'vitest';
import { runMutated, shaper } from './mutation.ts';
import { runInProcess } from './run-in-process.ts';

const provider = ['check', '--verbose', '--lane', 'provider', '--codex', '0.169.0'] as const;

it.each(['replay', 'codex'])(
  'finds no difference in the bundled proxy as a provider, with driver %s',
  async (driver) => {
    const { exitCode, stdout } = await runInProcess([...provider, '--driver', driver]);
    expect(stdout).toMatch(/0\.169\.0 provider {2}default +ok +ok +ok/);
    expect(stdout).toMatch(/0\.169\.0 provider {2}fast +ok +ok +ok/);
    expect(stdout).toMatch(/0\.169\.0 provider {2}http-fallback +not checked +not checked +not checked\n/);
    expect(stdout).toMatch(/not checked: .*: the client sends its tier after the upgrade/);
    expect(exitCode).toBe(0);
  },
);

it('fails if no selected scenario can be checked', async () => {
  const { exitCode, stderr } = await runInProcess([...provider, '--scenario', 'http-fallback']);
  expect(stderr).toContain('codex-parity: none of the selected scenarios can be checked: the client sends');
  expect(exitCode).toBe(2);
});

it.each([
  {
    broken: 'adds to an item what the client sends in lane chatgpt',
    change: (source: string) =>
      source.replace(
        'members.set(key, value);',
        `members.set(key, value.replace('"type":"message"', '"type":"message","internal_chat_message_metadata_passthrough":{"turn_id":""}'));`,
      ),
    finding: /client message 2 › input\.\d+\.internal_chat_message_metadata_passthrough: added/,
  },
  {
    broken: 'drops the input',
    change: (source: string) => source.replace('members.set(key, value);', "if (key !== 'input') $&"),
    finding: /client message 1 › input: missing\n {2}also at {2}exchange 1 › client message 2 › input\n/,
  },
  {
    broken: 'changes the effort',
    change: (source: string) =>
      source.replace('members.set(key, value);', `members.set(key, value.replace('"low"', '"high"'));`),
    finding: /client message 1 › reasoning\.effort: changed/,
  },
  {
    broken: 'drops the tier of the routing hint',
    change: (source: string) => source.replace(/`;tier=.*?`/, "''"),
    finding: /handshake › x-codex-routing-hint: changed/,
  },
  {
    broken: 'drops the tier',
    change: (source: string) => source.replace(/^.*members\.set\('service_tier'.*$/m, ''),
    finding: /client message 1 › service_tier: missing/,
  },
])('reports the place if a provider $broken', async ({ change, finding }) => {
  const [result] = await runMutated({ file: shaper, change }, [[...provider, '--scenario', 'fast']]);
  expect(result?.stdout).toMatch(finding);
  expect(result?.exitCode).toBe(1);
});
