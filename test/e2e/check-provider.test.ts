import { expect, it } from 'vitest';
import { cli } from './cli.ts';

/** The file that shapes the requests of the proxy. */
const shaper = 'proxy/shape/request-shaper.ts';

const provider = ['check', '--lane', 'provider', '--codex', '0.169.0'] as const;

it.each(['replay', 'codex'])(
  'finds the bundled proxy at parity as a provider, driven by %s',
  async (driver) => {
    const { exitCode, stdout, stderr } = await cli([...provider, '--driver', driver]);
    expect(stdout).toMatch(/0\.169\.0 provider {2}default +ok +ok +ok/);
    expect(stdout).toMatch(/0\.169\.0 provider {2}fast +ok +ok +ok/);
    expect(stderr).toContain('skipped: http-fallback cannot be checked in lane provider');
    expect(exitCode).toBe(0);
  },
);

it('refuses to check nothing', async () => {
  const { exitCode, stderr } = await cli([...provider, '--scenario', 'http-fallback']);
  expect(stderr).toContain('codex-parity: none of the selected scenarios can be checked in lane provider');
  expect(exitCode).toBe(2);
});

it.each([
  {
    broken: 'adds to an item what the usual client has there',
    change: (source: string) =>
      source.replace(
        'members.set(key, value);',
        `members.set(key, value.replace('"type":"message"', '"type":"message","internal_chat_message_metadata_passthrough":{"turn_id":""}'));`,
      ),
    finding: /client message 2 › input\.\d+\.internal_chat_message_metadata_passthrough: added/,
  },
  {
    broken: 'leaves out the input',
    change: (source: string) => source.replace('members.set(key, value);', "if (key !== 'input') $&"),
    finding: /client message 1 › input: missing\n {2}also at {2}exchange 1 › client message 2 › input\n/,
  },
  {
    broken: 'says another effort than the client',
    change: (source: string) =>
      source.replace('members.set(key, value);', `members.set(key, value.replace('"low"', '"high"'));`),
    finding: /client message 1 › reasoning\.effort: changed/,
  },
  {
    broken: 'loses the tier of the routing hint',
    change: (source: string) => source.replace(/`;tier=.*?`/, "''"),
    finding: /handshake › x-codex-routing-hint: changed/,
  },
  {
    broken: 'loses the tier',
    change: (source: string) => source.replace(/^.*members\.set\('service_tier'.*$/m, ''),
    finding: /client message 1 › service_tier: missing/,
  },
])('names the place when a provider $broken', async ({ change, finding }) => {
  const { exitCode, stdout } = await cli([...provider, '--scenario', 'fast'], {
    mutation: { file: shaper, change },
  });
  expect(stdout).toMatch(finding);
  expect(exitCode).toBe(1);
});
