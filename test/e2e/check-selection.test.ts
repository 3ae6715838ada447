import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { freePort } from '../../src/check/free-port.ts';
import { greenProject } from './green-project.ts';

const renamed = 'renames the session header';
const keyless = 'drops the cache key';

it('lists what would be played, and plays nothing', async () => {
  const project = greenProject('none');
  const { exitCode, stdout, stderr } = await project.check(
    ...['--scenario', 'default,fast', '--list', '--report', 'json=list.json'],
  );
  expect({ exitCode, stdout, stderr }).toEqual({
    exitCode: 0,
    stdout: '0.169.0 default\n0.169.0 fast\n',
    stderr: '',
  });
  expect(JSON.parse(project.read('list.json'))).toEqual({
    format: 'codex-parity/list',
    version: 1,
    subject: 'mine',
    driver: 'replay',
    scenarios: ['default', 'fast'].map((scenario) => ({ codex: '0.169.0', lane: 'chatgpt', scenario })),
  });
  expect(project.exists('.codex-parity')).toBe(false);
});

it('lists what would be played without reading goldens', async () => {
  const project = greenProject('none');
  const lane = join(project.folder, 'own', '0.171.0', 'chatgpt');
  mkdirSync(lane, { recursive: true });
  for (const scenario of ['default', 'fast']) writeFileSync(join(lane, `${scenario}.golden.jsonl`), '');
  const { stdout } = await project.run('check', '--subject', 'mine', '--goldens', 'own', '--list');
  expect(stdout).toBe('0.171.0 default\n0.171.0 fast\n');
});

it('lists why a scenario would not be checked', async () => {
  const project = greenProject('none');
  const { stdout } = await project.check('--scenario', 'default,review', '--driver', 'openai-chat', '--list');
  expect(stdout).toMatch(/^0\.169\.0 default\n0\.169\.0 review \(not checked: only the official client/);
});

it('plays only the scenarios that failed last', async () => {
  const project = greenProject(renamed);
  project.write(
    'parity-baseline.yaml',
    'accepted:\n  - code: session/header-renamed\n    scenario: default\n    reason: ticket 7\n',
  );
  const check = (...args: readonly string[]) => project.check('--report', 'json=-', ...args);
  const played = ({ stdout }: { readonly stdout: string }): string[] =>
    JSON.parse(stdout).scenarios.map(({ scenario }: { scenario: string }) => scenario);

  const first = await check('--scenario', 'default,fast,flex');
  expect(played(first)).toEqual(['default', 'fast', 'flex']);
  expect(first.exitCode).toBe(1);

  // Of two that failed, one is played and fails again. The other one is not forgotten.
  const again = await check('--last-failed', '--bail', '--shard', '1/2');
  expect(played(again)).toEqual(['fast']);
  expect(again.exitCode).toBe(1);

  project.setFaults('none');
  const fixed = await check('--last-failed');
  expect(played(fixed)).toEqual(['fast', 'flex']);
  expect(fixed.exitCode).toBe(0);

  const nothing = await project.check('--last-failed');
  expect(nothing.stderr).toBe(
    'codex-parity: no scenario failed in the last check: run check without --last-failed\n',
  );
  expect(nothing.exitCode).toBe(2);
});

it('stops after the first scenario that fails, and not after one that is accepted', async () => {
  const project = greenProject(renamed);
  // One scenario at a time, so that it is certain which one is the first.
  const once = ['--scenario', 'default,fast,flex', '--bail', '--backend-port', String(await freePort())];
  const stopped = await project.check(...once);
  expect(stopped.stdout).toContain('1 cause in 1 scenario · 2 not checked');
  expect(stopped.stdout).toContain('fast, 0.169.0 flex: the run ended after the first scenario that failed');
  expect(stopped.exitCode).toBe(1);
  project.write(
    'parity-baseline.yaml',
    'accepted:\n  - code: session/header-renamed\n    scenario: [default, fast]\n    reason: ticket 7\n',
  );
  const accepted = await project.check(...once);
  expect(accepted.stdout).toMatch(/^mine vs codex 0\.169\.0 · 1 cause in 3 scenarios · 2 findings accepted/);
});

it('keeps the traces of scenarios that fail, and reports them', async () => {
  const project = greenProject(renamed);
  const trace = (name: string, side: string) =>
    `.codex-parity/traces/0.169.0/chatgpt/${name}.${side}.trace.jsonl`;
  const check = (...args: readonly string[]) =>
    project.check('--scenario', 'fast', '--report', 'json=report.json', ...args);
  const kept = () =>
    JSON.parse(project.read('report.json')).scenarios.map(
      (scenario: { traces?: unknown }) => scenario.traces,
    );

  await check('--keep-traces', 'never');
  expect(project.exists('.codex-parity/traces')).toBe(false);

  await check();
  const files = { client: trace('fast', 'client'), upstream: trace('fast', 'upstream') };
  expect(kept()).toEqual([[files]]);
  expect((await project.run('show', files.client)).stdout).toContain('\n  session-id: ');
  expect((await project.run('show', files.upstream)).stdout).toContain('\n  session_id: ');
  const compared = await project.run('diff', '0.169.0/fast', files.upstream);
  expect(compared.stdout).toContain('session-id: renamed');

  project.setFaults('none');
  await check();
  expect(kept()).toEqual([undefined]);
  expect(project.exists(files.client)).toBe(false);
  await check('--keep-traces', 'always');
  expect(kept()).toEqual([[files]]);
});

it('merges the reports of shards into the report of the whole check', async () => {
  const project = greenProject(renamed, keyless);
  project.write(
    'parity-baseline.yaml',
    [
      'accepted:',
      '  - code: session/header-renamed',
      '    reason: ticket 7',
      '    scenario: [default, fast, flex]',
      '  - code: shape/header-added',
      '    reason: ticket 8',
      '    scenario: default',
      '',
    ].join('\n'),
  );
  const check = (...args: readonly string[]) => project.check('--scenario', 'default,fast,flex', ...args);
  const files = (name: string) =>
    ['json', 'junit'].flatMap((format) => ['--report', `${format}=${name}.${format}`]);
  const whole = await check(...files('whole'));
  expect(whole.stdout).toContain('parity-baseline.yaml, line 5: shape/header-added does not occur any more');

  const shards = ['1/2', '2/2'].map((shard) => ({ shard, file: `${shard[0]}.json` }));
  for (const { shard, file } of shards) {
    const { stdout } = await check('--shard', shard, '--report', `json=${file}`);
    expect(stdout).not.toContain('does not occur any more');
  }
  const merged = await project.run('merge-reports', '2.json', '1.json', ...files('merged'));
  expect(merged.stdout).toBe(whole.stdout);
  expect(merged.exitCode).toBe(1);
  const withoutTimes = (name: string) => project.read(name).replaceAll(/ time(?:stamp)?="[^"]*"/g, '');
  expect(withoutTimes('merged.junit')).toBe(withoutTimes('whole.junit'));
  const causesOf = (name: string) => JSON.parse(project.read(name)).causes;
  expect(causesOf('merged.json')).toEqual(causesOf('whole.json'));

  const partial = await project.run('merge-reports', '1.json');
  expect(partial.stderr).toBe(
    'codex-parity: the report of shard 2/2 is missing: give those of all 2 shards\n',
  );
  const twice = await project.run('merge-reports', '1.json', '1.json');
  expect(twice.stderr).toBe(
    'codex-parity: 1.json and 1.json both have 0.169.0 default: give each report once\n',
  );
  const damaged = await project.run('merge-reports', 'codex-parity.config.json');
  expect(damaged.stderr).toContain('codex-parity.config.json: not a report of check --report json');
  expect([partial.exitCode, twice.exitCode, damaged.exitCode]).toEqual([2, 2, 2]);
});
