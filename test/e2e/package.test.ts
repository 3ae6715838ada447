import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runInGroup } from '../../src/client/process-group.ts';
import { cli, repository } from './cli.ts';

describe('the packed tarball, installed into an empty folder', () => {
  const folder = mkdtempSync(join(tmpdir(), 'codex-parity-package-'));
  /** The Node that runs the tests comes first. */
  const env = {
    ...(process.env as Record<string, string>),
    PATH: [dirname(process.execPath), process.env.PATH].join(delimiter),
    npm_config_update_notifier: 'false',
  };

  beforeAll(() => {
    const options = { cwd: repository, env, stdio: 'pipe', encoding: 'utf8' } as const;
    execFileSync('npm', ['pack', '--pack-destination', folder, '--silent'], options);
    const [tarball = ''] = readdirSync(folder);
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'of-a-user', private: true, type: 'module' }));
    execFileSync('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', join(folder, tarball)], {
      ...options,
      cwd: folder,
    });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Runs the installed command line in the folder. */
  async function installed(...args: string[]) {
    const bin = join(folder, 'node_modules', '.bin', 'codex-parity');
    return runInGroup([bin, ...args], { cwd: folder, env });
  }

  it('records a golden, and checks with it over the bundled ones', async () => {
    const recorded = await installed('record', '--codex', '0.171.0', '--scenario', 'default', '--lane', 'chatgpt');
    expect(recorded).toMatchObject({ exitCode: 0 });
    const path = 'traces/0.171.0/chatgpt/default.golden.jsonl';
    expect(readFileSync(join(folder, path), 'utf8')).toBe(readFileSync(join(repository, path), 'utf8'));
    const checked = await installed('check', '--codex', '0.171.0', '--scenario', 'default,fast');
    expect(checked.stdout).toContain('parity: bundled sends what the official client sends (2 scenarios');
    expect(checked.exitCode).toBe(0);
  });

  it.each([
    [['show', '0.171.0/fast'], /^golden: codex 0\.171\.0, lane chatgpt, scenario fast/],
    [['show', 'latest'], /^golden: codex \d+\.\d+\.\d+, lane chatgpt, scenario default/],
    [['drift', '0.169.0', 'latest'], /0\.169\.0/],
    [['doctor'], /^ok +node +v/m],
    [['bench-tier', '--runs', '1'], /priority/],
    [['proxy', '--help'], /codex-parity proxy/],
    [['--version'], /^\d+\.\d+\.\d+$/m],
    [['completion'], /codex-parity/],
  ])('runs %j', async (args, output) => {
    const { exitCode, stdout } = await installed(...args);
    expect(stdout).toMatch(output);
    expect(exitCode).toBe(0);
  });

  it('compares a trace with a golden that is named', async () => {
    const { exitCode, stderr } = await installed('diff', '0.171.0/fast', 'none.trace.jsonl');
    expect(stderr).toBe('codex-parity: cannot read none.trace.jsonl: no such file or folder\n');
    expect(exitCode).toBe(2);
  });

  it('has a library that runs and has types', async () => {
    writeFileSync(
      join(folder, 'library.ts'),
      `import { check, diff, type Finding, ParityError, readGolden, record } from 'codex-parity';

const golden = readGolden('0.171.0/fast');
const report = await check({ subject: 'bundled', codex: [golden.codex], scenarios: ['fast'] });
const findings: readonly Finding[] = report.scenarios.flatMap((scenario) => scenario.findings);
let code: string | undefined;
try {
  diff(golden, 'none.trace.jsonl');
} catch (error) {
  if (error instanceof ParityError) code = error.code;
}
const functions: unknown[] = [record];
console.log(JSON.stringify({ parity: report.parity, findings: findings.length, code, functions: functions.length }));
`,
    );
    const { exitCode, stdout } = await runInGroup([process.execPath, 'library.ts'], { cwd: folder, env });
    expect(JSON.parse(stdout)).toEqual({ parity: true, findings: 0, code: 'file-unreadable', functions: 1 });
    expect(exitCode).toBe(0);
    expect(await compiled('library.ts')).toBe('');
  });

  it('has matchers for Vitest that run and have types', async () => {
    writeFileSync(
      join(folder, 'proxy.test.ts'),
      `import 'codex-parity/vitest';
import { check } from 'codex-parity';
import { expect, it } from 'vitest';

it('is neutral', async () => {
  const report = await check({ subject: 'bundled', codex: ['latest'], scenarios: ['default'] });
  expect(report).toMatchGolden();
  expect(report).toBeNeutral();
  expect(() => expect('none.trace.jsonl').toMatchGolden('latest')).toThrow('cannot read none.trace.jsonl');
});
`,
    );
    for (const name of ['vitest', 'typescript', '@types/node'])
      if (!existsSync(join(folder, 'node_modules', name))) link(name);
    const vitest = join(repository, 'node_modules', 'vitest', 'vitest.mjs');
    const { exitCode, stdout } = await runInGroup([process.execPath, vitest, 'run', '--root', folder], {
      cwd: folder,
      env,
    });
    expect(stdout).toContain('1 passed');
    expect(exitCode).toBe(0);
    expect(await compiled('proxy.test.ts')).toBe('');
  });
});
