import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { authJson, madeUpSignIn } from '../../src/client/official/made-up-sign-in.ts';
import { runInGroup } from '../../src/client/process-group.ts';
import { makeFolder } from '../../src/files.ts';
import { repository } from './cli.ts';
import { runInProcess } from './run-in-process.ts';

const root = mkdtempSync(join(tmpdir(), 'codex-parity-distribution-'));
/** The folders of the Dockerfile. */
const folders: Readonly<Record<string, string>> = {
  '/build': join(root, 'build'),
  '/package': join(root, 'package'),
  '/installed': join(root, 'installed'),
  '/work': join(root, 'work'),
};
const userFolder = join(root, 'installed');
const env = {
  ...(process.env as Record<string, string>),
  /** The Node that runs the tests comes first. */
  PATH: [dirname(process.execPath), process.env.PATH].join(delimiter),
  npm_config_update_notifier: 'false',
  npm_config_prefer_offline: 'true',
  // The compiler ends before its garbage matters.
  GOGC: 'off',
};

/** The lines that ran in the checkout. Those that the action begins with too are not run again: they take half a minute. */
const built: string[] = [];
let entry = { program: '', cwd: '' };

beforeAll(async () => {
  for (const folder of Object.values(folders)) mkdirSync(folder);
  const files = execFileSync('git', ['ls-files', '-z'], { cwd: repository, encoding: 'utf8' }).split('\0');
  for (const file of files.filter((name) => name !== ''))
    cpSync(join(repository, file), join(root, 'build', file));
  // The package is installed into the folder of a user.
  writeFileSync(
    join(userFolder, 'package.json'),
    JSON.stringify({ name: 'of-a-user', private: true, type: 'module' }),
  );
  let cwd = root;
  for (const line of readFileSync(join(repository, 'Dockerfile'), 'utf8').split('\n')) {
    const [, instruction, rest = ''] = /^(RUN|WORKDIR|ENV|ENTRYPOINT) (.*)$/.exec(line) ?? [];
    if (instruction === 'WORKDIR') cwd = mapped(rest);
    if (instruction === 'ENV') env.PATH = mapped(rest).replace(/^PATH=(.*)\$PATH$/, `$1${env.PATH}`);
    if (instruction === 'RUN') {
      // A dry run fails if the lock file does not fit package.json. Without one, npm writes what it would install.
      const [, command = ''] = /^npm (ci|install) /.exec(rest) ?? [];
      const option = { ci: ' --dry-run', install: ' --package-lock-only' }[command];
      expect(await shell(mapped(rest) + (option ?? ''), cwd)).toMatchObject({ exitCode: 0 });
      if (option !== undefined) await linkPackages(cwd);
      if (cwd === folders['/build']) built.push(rest);
    }
    if (instruction !== 'ENTRYPOINT') continue;
    const [program = ''] = z.array(z.string()).parse(JSON.parse(rest));
    entry = { program, cwd };
  }
}, 400_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

const lockFile = z.object({
  packages: z.record(
    z.string(),
    z.object({
      resolved: z.string().optional(),
      hasInstallScript: z.boolean().optional(),
      bin: z.record(z.string(), z.string()).optional(),
    }),
  ),
});

/**
 * Installs the packages of a lock file. Those that "npm ci" has installed in the repository are linked, because npm takes half a
 * minute to write them again. Packages with an install script are left out: nothing must need them, as scripts are ignored.
 */
async function linkPackages(folder: string): Promise<void> {
  const { packages } = lockFile.parse(JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')));
  for (const [path, { resolved, hasInstallScript, bin = {} }] of Object.entries(packages)) {
    const [, name] = /^node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(path) ?? [];
    if (name === undefined) continue;
    if (resolved?.startsWith('file:') === true) {
      mkdirSync(join(folder, path), { recursive: true });
      const unpacked = await shell(
        `tar -xzf ${resolved.slice('file:'.length)} -C ${path} --strip-components 1`,
        folder,
      );
      expect(unpacked).toMatchObject({ exitCode: 0 });
      makeFolder(join(folder, 'node_modules', '.bin'));
      for (const [program, file] of Object.entries(bin))
        symlinkSync(join('..', name, file), join(folder, 'node_modules', '.bin', program));
    } else if (hasInstallScript !== true) link(folder, name);
  }
}

/** Links a package of the repository into a folder. Packages for other systems are not there. */
function link(folder: string, name: string): void {
  const [from, to] = [repository, folder].map((root) => join(root, 'node_modules', name));
  if (from === undefined || to === undefined || !existsSync(from) || existsSync(to)) return;
  makeFolder(dirname(to));
  symlinkSync(from, to);
}

/** Runs a line in a shell. */
async function shell(line: string, cwd: string, variables: Readonly<Record<string, string>> = {}) {
  return runInGroup(['bash', '-e', '-o', 'pipefail', '-c', line], { cwd, env: { ...env, ...variables } });
}

/** The text with the folders of this test in the place of those of the image. */
function mapped(text: string): string {
  return Object.entries(folders).reduce(
    (line, [path, folder]) => line.replaceAll(new RegExp(`(?<![\\w.])${path}\\b`, 'g'), folder),
    text,
  );
}

it('has a command line in the image', async () => {
  const { stdout, exitCode } = await shell(
    `${entry.program} check --codex latest --scenario default --report html=report.html`,
    entry.cwd,
  );
  expect(stdout).toContain('parity');
  expect(exitCode).toBe(0);
  // The page is built with the package.
  expect(readFileSync(join(entry.cwd, 'report.html'), 'utf8')).toContain('"headline":"Parity in 1 scenario"');
});

const action = z
  .object({
    inputs: z.record(z.string(), z.object({ default: z.string().optional() })),
    runs: z.object({
      steps: z.array(
        z.object({ run: z.string().optional(), env: z.record(z.string(), z.string()).optional() }),
      ),
    }),
  })
  .parse(parse(readFileSync(join(repository, 'action.yml'), 'utf8')));

it('checks the bundled proxy by the steps of the action', async () => {
  const given: Readonly<Record<string, string>> = {
    subject: 'bundled',
    arguments: '--scenario default,fast',
  };
  const value = (text: string) =>
    text.replaceAll(
      /\$\{\{ inputs\.([\w-]+) \}\}/g,
      (_, name: string) => given[name] ?? action.inputs[name]?.default ?? '',
    );
  const outputs: string[] = [];
  for (const { run, env: variables = {} } of action.runs.steps) {
    if (run === undefined) continue;
    const filled = Object.fromEntries(Object.entries(variables).map(([name, text]) => [name, value(text)]));
    const remaining = run.split(' && ').filter((command) => !built.includes(command));
    const { stdout, exitCode, stderr } = await shell(remaining.join(' && '), join(root, 'work'), {
      ...filled,
      GITHUB_ACTION_PATH: join(root, 'build'),
    });
    expect({ exitCode, stderr: exitCode === 0 ? '' : stderr }).toEqual({ exitCode: 0, stderr: '' });
    outputs.push(stdout);
  }
  expect(outputs.join('\n')).toContain('::notice title=codex-parity::bundled: parity');
  expect(readFileSync(join(root, 'work/.codex-parity/junit.xml'), 'utf8')).toContain('failures="0"');
});

it('has an example workflow that gives the action only inputs that it has', () => {
  const workflow = z
    .object({
      jobs: z.object({
        check: z.object({
          steps: z.array(
            z.object({ uses: z.string().optional(), with: z.record(z.string(), z.string()).optional() }),
          ),
        }),
      }),
    })
    .parse(parse(readFileSync(join(repository, 'examples/workflow.yml'), 'utf8')));
  const own = workflow.jobs.check.steps.find(({ uses }) => uses?.includes('/codex-parity@'));
  expect(Object.keys(own?.with ?? {}).length).toBeGreaterThan(0);
  for (const name of Object.keys(own?.with ?? {})) expect(action.inputs).toHaveProperty(name);
});

describe('the package, installed into the folder of a user', () => {
  const folder = userFolder;

  /** Runs the installed command line in the folder. */
  async function installed(...args: string[]) {
    const bin = join(folder, 'node_modules', '.bin', 'codex-parity');
    return runInGroup([bin, ...args], { cwd: folder, env });
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

  // In one process: each command needs other files and packages. The start of a process is tested above and below.
  it.each([
    [['show', '0.171.0/fast'], /^golden: codex 0\.171\.0, lane chatgpt, scenario fast/],
    [['show', 'latest'], /^golden: codex \d+\.\d+\.\d+, lane chatgpt, scenario default/],
    [['export', '0.171.0/fast'], /"_webSocketMessages"/],
    [['drift', '0.169.0', 'latest'], /0\.169\.0/],
    [['doctor'], /^ok +node +v/m],
    [['bench-tier', '--runs', '1'], /priority/],
    [['explain', 'session/header-renamed'], /session\/header-renamed/],
    [
      [
        ...['check', '--codex', 'latest', '--scenario', 'default'],
        ...['--report', 'html=-', '--report', 'json=report.json'],
      ],
      /^<!doctype html>/i,
    ],
    [['check', '--codex', 'latest', '--list'], /default/],
    [['merge-reports', 'report.json'], /parity/],
    [['init', '--example', 'codex-lb'], /^$/],
  ])('runs %j', async (args, output) => {
    const file = join(folder, 'node_modules', 'codex-parity', 'dist', 'cli', 'run.js');
    const { run } = await import(pathToFileURL(file).href);
    const { exitCode, stdout } = await runInProcess(args, { cwd: folder, run });
    expect(stdout).toMatch(output);
    expect(exitCode).toBe(0);
  });

  it.each([
    [['--version'], /^\d+\.\d+\.\d+$/m],
    [['completion'], /yargs command completion script/],
    [['--get-yargs-completions', 'codex-parity', 'check', '--lane', 'chat'], /^chatgpt$/m],
    [['--get-yargs-completions', 'codex-parity', 'check', '--scenario', 'default,fas'], /^default,fast$/m],
    [['--get-yargs-completions', 'codex-parity', 'show', '0.171.0/fas'], /^0\.171\.0\/fast$/m],
  ])('runs %j in a process of its own', async (args, output) => {
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

  const files = {
    'library.ts': `import { check, diff, type Finding, ParityError, readGolden, record } from 'codex-parity';

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
    'proxy.test.ts': `import 'codex-parity/vitest';
import { check } from 'codex-parity';
import { expect, it } from 'vitest';

it('is neutral', async () => {
  const report = await check({ subject: 'bundled', codex: ['latest'], scenarios: ['default'] });
  expect(report).toMatchGolden();
  expect(report).toBeNeutral();
  expect(() => expect('none.trace.jsonl').toMatchGolden('latest')).toThrow('cannot read none.trace.jsonl');
});
`,
  };

  it('has a library', async () => {
    writeFileSync(join(folder, 'library.ts'), files['library.ts']);
    const { exitCode, stdout } = await runInGroup([process.execPath, 'library.ts'], { cwd: folder, env });
    expect(JSON.parse(stdout)).toEqual({ parity: true, findings: 0, code: 'file-unreadable', functions: 1 });
    expect(exitCode).toBe(0);
  });

  it('has matchers for Vitest', async () => {
    writeFileSync(join(folder, 'proxy.test.ts'), files['proxy.test.ts']);
    link(folder, 'vitest');
    const vitest = join(repository, 'node_modules', 'vitest', 'vitest.mjs');
    const { exitCode, stdout } = await runInGroup([process.execPath, vitest, 'run', '--root', folder], {
      cwd: folder,
      env,
    });
    expect(stdout).toContain('1 passed');
    expect(exitCode).toBe(0);
  });

  it('has types of the library and the matchers', async () => {
    for (const name of ['vitest', 'typescript', '@types/node']) link(folder, name);
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const tsc = join(repository, 'node_modules', 'typescript', 'bin', 'tsc');
    const options = [
      '--noEmit',
      '--singleThreaded',
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2023',
      '--types',
      'node',
    ];
    const { exitCode, stdout } = await runInGroup(
      [process.execPath, tsc, ...options, ...Object.keys(files)],
      { cwd: folder, env },
    );
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
  });
});
