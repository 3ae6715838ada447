import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authJson, madeUpSignIn } from '../../src/client/official/made-up-sign-in.ts';
import { runInGroup } from '../../src/client/process-group.ts';
import { makeFolder } from '../../src/files.ts';
import { reportFormats } from '../../src/report/write.ts';
import { cli, repository } from './cli.ts';
import { runInProcess } from './run-in-process.ts';

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
    writeFileSync(
      join(folder, 'package.json'),
      JSON.stringify({ name: 'of-a-user', private: true, type: 'module' }),
    );
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

  /** Links a development dependency of the repository into the folder. */
  function link(name: string): void {
    const path = join(folder, 'node_modules', name);
    if (existsSync(path)) return;
    makeFolder(dirname(path));
    symlinkSync(join(repository, 'node_modules', name), path);
  }

  /** What the compiler reports about a file of the user. */
  async function problemsOf(file: string): Promise<string> {
    for (const name of ['typescript', '@types/node']) link(name);
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023', '--types', 'node'];
    const tsc = join(repository, 'node_modules', 'typescript', 'bin', 'tsc');
    const { stdout } = await runInGroup([process.execPath, tsc, ...options, file], { cwd: folder, env });
    return stdout;
  }

  it('records a golden, and checks with it over the bundled ones', async () => {
    const recorded = await installed(
      'record',
      '--codex',
      '0.171.0',
      '--scenario',
      'default',
      '--lane',
      'chatgpt',
    );
    expect(recorded).toMatchObject({ exitCode: 0 });
    const path = 'traces/0.171.0/chatgpt/default.golden.jsonl';
    expect(readFileSync(join(folder, path), 'utf8')).toBe(readFileSync(join(repository, path), 'utf8'));
    const checked = await installed('check', '--codex', '0.171.0', '--scenario', 'default,fast');
    expect(checked.stdout).toMatch(/^bundled vs codex .* · parity in 2 scenarios/);
    expect(checked.exitCode).toBe(0);
  });

  it.each([
    [['show', '0.171.0/fast'], /^golden: codex 0\.171\.0, lane chatgpt, scenario fast/],
    [['show', 'latest'], /^golden: codex \d+\.\d+\.\d+, lane chatgpt, scenario default/],
    [['export', '0.171.0/fast'], /"_webSocketMessages"/],
    [['drift', '0.169.0', 'latest'], /0\.169\.0/],
    [['doctor'], /^ok +node +v/m],
    [['bench-tier', '--runs', '1'], /priority/],
    [['explain', 'session/header-renamed'], /session\/header-renamed/],
    [['check', '--codex', 'latest', '--scenario', 'default', '--report', 'html=-'], /^<!doctype html>/i],
    [['check', '--codex', 'latest', '--list'], /default/],
    [['check', '--codex', 'latest', '--scenario', 'default', '--report', 'json=report.json'], /parity/],
    [['merge-reports', 'report.json'], /parity/],
    [['init', '--example', 'codex-lb'], /^$/],
    [['--version'], /^\d+\.\d+\.\d+$/m],
    [['completion'], /yargs command completion script/],
    [['--get-yargs-completions', 'codex-parity', 'check', '--lane', 'chat'], /^chatgpt$/m],
    [['--get-yargs-completions', 'codex-parity', 'check', '--scenario', 'default,fas'], /^default,fast$/m],
    [['--get-yargs-completions', 'codex-parity', 'show', '0.171.0/fas'], /^0\.171\.0\/fast$/m],
  ])('runs %j', async (args, output) => {
    const { exitCode, stdout } = await installed(...args);
    expect(stdout).toMatch(output);
    expect(exitCode).toBe(0);
  });

  it('runs the backend, watch and the proxy in front of it, and a replay to all', async () => {
    const stopping = new AbortController();
    /** Starts a server. Resolves with its URL when it listens, and with the end of its process. */
    const start = (...args: readonly string[]) => {
      const bin = join(folder, 'node_modules', '.bin', 'codex-parity');
      const listening = Promise.withResolvers<string>();
      const page = Promise.withResolvers<string>();
      const ended = runInGroup([bin, ...args], {
        ...{ cwd: folder, env, signal: stopping.signal, graceMs: 5000 },
        onStderrLine: (line) => {
          const [, url] = /listening on (\S+)/.exec(line) ?? [];
          if (url !== undefined) listening.resolve(url);
          const [, address] = /live page (\S+)/.exec(line) ?? [];
          if (address !== undefined) page.resolve(address);
        },
      });
      ended.then(({ stderr }) => listening.reject(new Error(stderr)));
      return { listening: listening.promise, page: page.promise, ended };
    };
    writeFileSync(
      join(folder, 'auth.json'),
      authJson(madeUpSignIn({ accountId: 'a', userId: 'u', email: 'e@example.com', plan: 'pro' })),
    );
    const backend = start('backend', '--port', '0', '--replay', 'latest');
    const responds = `${await backend.listening}/backend-api/codex`;
    const watch = start('watch', '--listen', '0', '--page', '0', '--upstream', responds);
    const proxy = start(
      'proxy',
      '--port',
      '0',
      '--upstream',
      await watch.listening,
      '--auth',
      'auth.json',
      '--log-level',
      'warn',
    );
    const replayed = await installed('replay', 'latest', '--to', await proxy.listening);
    expect(replayed.stdout).toMatch(/^played \d+ exchange/);
    expect(replayed.exitCode).toBe(0);
    const page = await watch.page;
    expect(await (await fetch(page)).text()).toContain('<title>watch · codex-parity</title>');
    await expect.poll(async () => (await fetch(new URL('turns/1', page))).status).toBe(200);
    stopping.abort();
    const [, , watched] = await Promise.all([backend.ended, proxy.ended, watch.ended]);
    expect(watched.stdout).toMatch(/^session 1 · /);
  });

  it('compares a trace with a golden that is named', async () => {
    const { exitCode, stderr } = await installed('diff', '0.171.0/fast', 'none.trace.jsonl');
    expect(stderr).toBe(
      'codex-parity: cannot read none.trace.jsonl: no such file or folder: name a trace, which "record -- COMMAND" and "proxy --record" write\n',
    );
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
    expect(await problemsOf('library.ts')).toBe('');
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
    link('vitest');
    const vitest = join(repository, 'node_modules', 'vitest', 'vitest.mjs');
    const { exitCode, stdout } = await runInGroup([process.execPath, vitest, 'run', '--root', folder], {
      cwd: folder,
      env,
    });
    expect(stdout).toContain('1 passed');
    expect(exitCode).toBe(0);
    expect(await problemsOf('proxy.test.ts')).toBe('');
  });
});

describe('the bin', () => {
  const bin = join(repository, 'bin', 'codex-parity.cjs');

  it.each(['v8.17.0', 'v20.20.2', 'v22.20.0'])('reports Node %s as too old in one line', async (version) => {
    const pretend = `Object.defineProperty(process.versions, 'node', { value: '${version.slice(1)}' }); require('${bin}')`;
    const { exitCode, stderr, stdout } = await runInGroup([process.execPath, '-e', pretend], {
      cwd: repository,
      env: {},
    });
    expect(stderr).toBe(
      `codex-parity: Node 22.21.0 or later is needed, and this is ${version.slice(1)}: install a newer Node\n`,
    );
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  });

  it.each(['codex-parity.cjs', 'node-problem.cjs'])('%s has no syntax newer than ES5', (file) => {
    const code = readFileSync(join(repository, 'bin', file), 'utf8').replaceAll(
      /^\s*\/\/.*$|\/\*[\s\S]*?\*\//gm,
      '',
    );
    expect(code).not.toMatch(/=>|`|\b(?:const|let|class|import|async|await)\b|\?\?|\?\.|\.\.\./);
  });
});

it.concurrent.each([
  'record',
  'check',
  'diff',
  'show',
  'drift',
  'watch',
  'explain',
  'proxy',
  'bench-tier',
  'init',
  'import',
  'export',
])('prints an example in the help of %s', async (command) => {
  const { exitCode, stdout } = await cli([command, '--help']);
  expect(stdout).toContain('Examples:');
  expect(stdout).toMatch(new RegExp(`codex-parity ${command}`));
  // All defaults are printed alike.
  expect(stdout).not.toContain('[default: "');
  expect(exitCode).toBe(0);
});

it.concurrent.each(['check', 'merge-reports'])(
  'lists all report formats in the help of %s',
  async (command) => {
    const { stdout } = await cli([command, '--help']);
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain(`the formats ${reportFormats.join(', ')};`);
  },
);

it('prints the help of a command with help COMMAND', async () => {
  const [help, option] = [await cli(['help', 'export']), await cli(['export', '--help'])];
  expect(help).toEqual({ ...option, exitCode: 0 });
  expect(help.stdout).toContain('codex-parity export');
});

it('prints the state of the installation with doctor', async () => {
  const { stdout } = await runInProcess(['doctor']);
  expect(stdout).toMatch(/^ok +node +v/m);
  expect(stdout).toMatch(/^ok +goldens +\d+ goldens of codex 0\.118\.0, .*, 0\.171\.0$/m);
  expect(stdout).toMatch(/official clients/);
  expect(stdout).toMatch(/certificate authority/);
  expect(stdout).toMatch(/registry +https?:/);
});

it.each(['traces/0.169.0/chatgpt/fast.golden.jsonl', '0.169.0/fast', '0.169.0/chatgpt/fast'])(
  'prints the golden %s in readable form',
  async (name) => {
    const { stdout } = await runInProcess(['show', name]);
    expect(stdout).toContain('golden: codex 0.169.0, lane chatgpt, scenario fast, learned from 3 runs');
    expect(stdout).toMatch(/\{\{session_id\}\} +a UUID of version 7/);
    expect(stdout).toContain('  session-id: {{session_id}}');
    expect(stdout).toContain('"service_tier": "priority"');
  },
);
