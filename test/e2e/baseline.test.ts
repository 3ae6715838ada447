import { describe, expect, it } from 'vitest';
import { type CheckInput, check } from '../../src/index.ts';
import { greenProject } from './green-project.ts';

const renamed = 'renames the session header';
const keyless = 'drops the cache key';
const scenarios = ['--scenario', 'default,fast'];
const today = new Date().toISOString().slice(0, 10);

describe('a proxy with a known gap', () => {
  it('is green with its baseline, red with one more gap, and red when an entry no longer matches', async () => {
    const project = greenProject(renamed);
    expect((await project.check(...scenarios)).exitCode).toBe(1);

    const updated = await project.check(...scenarios, '--update-baseline');
    expect(updated.stderr).toContain('wrote parity-baseline.yaml: 1 added, 0 removed\n');
    expect(updated.exitCode).toBe(0);
    expect(project.read('parity-baseline.yaml')).toBe(
      [
        'subject: mine',
        'accepted:',
        '  - code: session/header-renamed',
        '    name: session-id',
        '    scenario: [default, fast]',
        `    reason: accepted on ${today}; say why`,
        '',
      ].join('\n'),
    );

    const green = await project.check(...scenarios);
    expect(green.stdout).toContain('2 findings accepted in parity-baseline.yaml');
    expect(green.exitCode).toBe(0);

    project.setFaults(renamed, keyless);
    const red = await project.check(...scenarios);
    expect(red.stdout).toMatch(/ 1 cause in 2 scenarios .*\n✗ session\/cache-key-missing /);
    expect(red.exitCode).toBe(1);

    project.setFaults('none');
    const unused = await project.check(...scenarios);
    expect(unused.stdout).toContain(
      'parity-baseline.yaml, line 3: session/header-renamed session-id does not occur any more: remove the entry, or run check --update-baseline\n',
    );
    expect(unused.exitCode).toBe(1);
  });

  it('is red from the day after the end date of its entry', async () => {
    const project = greenProject(renamed);
    const entry = (until: string) =>
      `accepted:\n  - code: session/header-renamed\n    reason: ticket 7\n    until: ${until}\n`;
    project.write('parity-baseline.yaml', entry(today));
    expect((await project.check(...scenarios)).exitCode).toBe(0);
    project.write('parity-baseline.yaml', entry('2026-01-31'));
    const { exitCode, stdout } = await project.check(...scenarios);
    expect(stdout).toContain(
      'parity-baseline.yaml, line 2: session/header-renamed was accepted until 2026-01-31: fix it, or move the date\n',
    );
    expect(stdout).toMatch(/^✗ session\/header-renamed /m);
    expect(exitCode).toBe(1);
  });

  it('is judged by an entry only where its scenarios were played', async () => {
    const project = greenProject('none');
    const entry =
      'accepted:\n  - code: session/header-renamed\n    scenario: SCENARIO\n    reason: ticket 7\n';
    const problems = async (scenario: string) => {
      project.write('parity-baseline.yaml', entry.replace('SCENARIO', scenario));
      const { exitCode, stdout } = await project.check('--scenario', 'fast');
      return { exitCode, problem: /line 2: .*/.exec(stdout)?.[0] };
    };
    expect(await problems('default')).toEqual({ exitCode: 0, problem: undefined });
    expect(await problems('"*"')).toEqual({ exitCode: 0, problem: undefined });
    expect((await problems('fast')).exitCode).toBe(1);
  });

  it('keeps reasons, dates and comments of entries that still match when the baseline is updated', async () => {
    const project = greenProject(renamed, keyless);
    project.write(
      'parity-baseline.yaml',
      [
        '# Known gaps.',
        'accepted:',
        '  - code: session/header-renamed',
        '    scenario: [default, fast]',
        '    reason: the old name is needed by a customer # ticket 7',
        '    until: 2999-12-31',
        '  - code: shape/header-added',
        '    name: x-forwarded-for',
        '    scenario: fast',
        '    reason: gone since',
        '',
      ].join('\n'),
    );
    const { exitCode, stderr } = await project.check(...scenarios, '--update-baseline');
    expect(stderr).toContain('1 added, 1 removed');
    expect(exitCode).toBe(0);
    expect(project.read('parity-baseline.yaml')).toBe(
      [
        '# Known gaps.',
        'accepted:',
        '  - code: session/header-renamed',
        '    scenario: [default, fast]',
        '    reason: the old name is needed by a customer # ticket 7',
        '    until: 2999-12-31',
        '  - code: session/cache-key-missing',
        '    name: prompt_cache_key',
        '    scenario: [default, fast]',
        `    reason: accepted on ${today}; say why`,
        '',
      ].join('\n'),
    );
  });

  it('shows what is accepted in every report', async () => {
    const project = greenProject(renamed);
    project.write(
      'known.yaml',
      'accepted:\n  - code: session/header-renamed\n    name: session_id\n    reason: ticket 7\n',
    );
    const files = ['json=r.json', 'junit=r.xml', 'github=r.txt'].flatMap((file) => ['--report', file]);
    const { exitCode, stdout } = await project.check(
      '--scenario',
      'fast',
      '--baseline',
      'known.yaml',
      ...files,
    );
    expect(stdout).toMatch(/· session\/header-renamed .* accepted/);
    expect(JSON.parse(project.read('r.json'))).toMatchObject({
      parity: false,
      passed: true,
      gate: { failOn: 'shape', baseline: { file: 'known.yaml', problems: [] } },
      causes: [{ code: 'session/header-renamed', accepted: 'ticket 7', cells: [{ accepted: 'ticket 7' }] }],
      scenarios: [{ findings: [{ accepted: 'ticket 7' }] }],
    });
    expect(project.read('r.xml')).toContain('failures="0"');
    expect(project.read('r.xml')).toContain('accepted: ticket 7');
    expect(project.read('r.txt')).not.toMatch(/^::(?:error|warning)/m);
    expect(exitCode).toBe(0);
  });
});

it('is not used for another subject than its own', async () => {
  const project = greenProject('none');
  project.write(
    'parity-baseline.yaml',
    'subject: other\naccepted:\n  - code: session/header-renamed\n    scenario: fast\n    reason: ticket 7\n',
  );
  const green = await project.check('--scenario', 'fast');
  expect(green.stderr).toContain('parity-baseline.yaml is not used: it is the baseline of subject other\n');
  expect(green.exitCode).toBe(0);
  const { exitCode, stderr } = await project.check(
    '--scenario',
    'fast',
    '--baseline',
    'parity-baseline.yaml',
  );
  expect(stderr).toBe(
    'codex-parity: parity-baseline.yaml is the baseline of subject other, not of mine: name another file with --baseline\n',
  );
  expect(exitCode).toBe(2);
});

it('applies to the library', async () => {
  const project = greenProject(renamed);
  project.write('known.yaml', 'accepted:\n  - code: session/header-renamed\n    reason: ticket 7\n');
  const checked = async (options: Pick<CheckInput, 'baseline' | 'failOn'>) => {
    const { parity, passed } = await check({
      ...{ subject: 'mine', folder: project.folder, codex: ['0.169.0'], scenarios: ['fast'] },
      ...options,
    });
    return { parity, passed };
  };
  expect(await checked({})).toEqual({ parity: false, passed: false });
  expect(await checked({ baseline: 'known.yaml' })).toEqual({ parity: false, passed: true });
  project.setFaults('adds a header');
  expect(await checked({ failOn: 'identity' })).toEqual({ parity: false, passed: true });
});

it('does not accept a subject that fails in every scenario when the baseline is updated', async () => {
  const project = greenProject('no such fault');
  const { exitCode, stderr } = await project.check('--scenario', 'fast', '--update-baseline');
  expect(stderr).toContain('scenario/failed is not accepted: every scenario shows it');
  expect(project.exists('parity-baseline.yaml')).toBe(false);
  expect(exitCode).toBe(1);
});

it.each([
  ['breaks', 0],
  ['identity', 0],
  ['shape', 1],
])('fails for an added header with --fail-on %s: %i', async (severity, expected) => {
  const project = greenProject('adds a header');
  const { exitCode, stdout } = await project.check('--scenario', 'fast', '--fail-on', severity);
  expect(exitCode).toBe(expected);
  expect(stdout.includes(`below --fail-on ${severity}`)).toBe(expected === 0);
});
