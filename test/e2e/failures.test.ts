import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { installOfficialClient } from '../../src/client/install/install.ts';
import { defaultClientCache } from '../../src/client/install/installed.ts';
import { runInGroup } from '../../src/client/process-group.ts';
import { cli, repository, temporaryFolder } from './cli.ts';
import { runInProcess } from './run-in-process.ts';

// Most of these tests wait for limits and processes, so they run concurrently.

const golden = join(repository, 'traces', '0.169.0', 'chatgpt', 'fast.golden.jsonl');
const main = join(repository, 'src', 'cli', 'main.ts');

/** For programs with hardly any environment: they load compiled modules all the same. */
const { PATH = '', HOME = '', NODE_COMPILE_CACHE = '' } = process.env;

/** Runs a shell command in which `parity` is the program. */
function inShell(line: string) {
  return runInGroup(['bash', '-c', `parity() { "${process.execPath}" "${main}" "$@"; }; ${line}`], {
    cwd: repository,
    env: { PATH, HOME, NODE_COMPILE_CACHE },
  });
}

it.concurrent('reports a registry that does not respond, and leaves no files', async ({ onTestFinished }) => {
  const silent = createServer();
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  onTestFinished(() => void silent.close());
  const address = silent.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const folder = temporaryFolder(onTestFinished);
  const { exitCode, stderr } = await cli(['record', '--codex', '0.160.0', '--out', join(folder, 'out')], {
    env: {
      XDG_CACHE_HOME: join(folder, 'cache'),
      npm_config_registry: `http://127.0.0.1:${port}/`,
      npm_config_cache: join(folder, 'npm'),
    },
  });
  expect(stderr).toMatch(new RegExp(`registry http://127.0.0.1:${port}/ did not respond`));
  expect(exitCode).toBe(2);
  expect(existsSync(join(folder, 'out'))).toBe(false);
  expect(readdirSync(join(folder, 'cache', 'codex-parity', 'clients'))).toEqual([]);
});

it('reports a version that the registry does not have once, alone and among others', async () => {
  const out = temporaryFolder();
  const alone = await runInProcess(['record', '--codex', '9.9.9', '--out', out]);
  expect(alone.stderr).toMatch(
    /^codex-parity: Codex "9\.9\.9" is not in the registry .*npm view @openai\/codex versions\n$/,
  );
  expect(alone.exitCode).toBe(2);

  const matrix = ['--codex', '9.9.9,0.169.0', '--scenario', 'default', '--lane', 'chatgpt', '--runs', '2'];
  const { stderr, exitCode } = await runInProcess(['record', ...matrix, '--out', out]);
  expect(stderr.match(/"9\.9\.9" is not in the registry/g)).toHaveLength(1);
  expect(stderr).toContain('\n1 of 1 done\n');
  expect(stderr).toMatch(
    /^codex-parity: 1 recording failed \(reported above\): record again with --resume$/m,
  );
  expect(existsSync(join(out, '0.169.0', 'chatgpt', 'default.golden.jsonl'))).toBe(true);
  expect(exitCode).toBe(2);
});

// Node's recursive mkdir never returns below /proc (Node 24.21): the kill ends a program that uses it.
it
  .skipIf(process.platform !== 'linux')
  .concurrent.for(['check --codex 0.169.0 --scenario default', 'record --codex 0.160.0 --scenario default'])(
  'reports a cache folder that cannot be made: %s',
  async (line, { onTestFinished }) => {
    const { stderr, exitCode } = await runInGroup(
      ['bash', '-c', `timeout -s KILL 20 "${process.execPath}" "${main}" ${line}`],
      {
        cwd: temporaryFolder(onTestFinished),
        env: { PATH, NODE_COMPILE_CACHE, HOME: '/nowhere', XDG_CACHE_HOME: '/proc/x' },
      },
    );
    expect(stderr.trim().split('\n').at(-1)).toMatch(
      /^codex-parity: cannot make the folder \/proc\/x\/codex-parity\/\w+: no such file or folder\. Set XDG_CACHE_HOME to/,
    );
    expect(exitCode).toBe(2);
  },
);

it.concurrent('reports that standard output cannot be written', async () => {
  const { stderr, exitCode } = await inShell(`parity show ${golden} > /dev/full`);
  expect(stderr).toBe('codex-parity: cannot write standard output: the disk is full\n');
  expect(exitCode).toBe(2);
});

it.concurrent('keeps its exit code if nobody reads its output', async ({ onTestFinished }) => {
  const folder = temporaryFolder(onTestFinished);
  const script =
    'require("http").createServer((_, r) => r.writeHead(404).end()).listen(Number(process.argv[1]), "127.0.0.1")';
  const subjects = { bad: { command: [process.execPath, '-e', script, '{port}'] } };
  writeFileSync(join(folder, 'codex-parity.config.json'), JSON.stringify({ subjects }));
  const check = 'check --subject bad --codex 0.169.0 --scenario fast';
  const { stdout } = await inShell(`cd ${folder}; parity ${check} | true; echo "\${PIPESTATUS[0]}"`);
  expect(stdout).toBe('1\n');
});

it.each([
  {
    subject: 'dies at once',
    script: 'console.error("no licence"); process.exit(7)',
    expected: /ended with exit code 7; it last printed: no licence/,
  },
  {
    subject: 'dies in the middle of a line',
    script: 'process.stderr.write("no licence"); process.exitCode = 7',
    expected: /ended with exit code 7; it last printed: no licence/,
  },
  {
    subject: 'throws an exception',
    script: 'throw new Error("no licence")',
    expected: /ended with exit code 1; its first error: Error: no licence/,
  },
  {
    subject: 'never listens',
    script: 'console.log("warming up"); setInterval(() => {}, 1000)',
    expected: /does not listen on port \d+ after 5 s; it last printed: warming up/,
  },
  {
    subject: 'accepts a connection and never responds',
    script:
      'console.log("ready"); require("net").createServer(() => {}).listen(Number(process.argv[1]), "127.0.0.1")',
    expected: /does not answer HTTP on port \d+ after 5 s; it last printed: ready/,
  },
  {
    subject: 'dies in the middle',
    script:
      'require("net").createServer((s) => s.once("data", (d) => { if (d.length) { console.log("oops"); process.exit(1) } })).listen(Number(process.argv[1]), "127.0.0.1")',
    expected: /ended with exit code 1; it last printed: oops/,
  },
])('quotes the output of a subject that $subject', async ({ script, expected }) => {
  const folder = temporaryFolder();
  const command = [process.execPath, '-e', script, '{port}'];
  writeFileSync(join(folder, 'codex-parity.config.json'), JSON.stringify({ subjects: { bad: { command } } }));
  const { exitCode, stdout } = await runInProcess(
    ['check', '--verbose', '--subject', 'bad', '--codex', '0.169.0', '--scenario', 'fast', '--timeout', '5'],
    { cwd: folder },
  );
  expect(stdout).toMatch(/fast +failed +failed +failed\n/);
  expect(stdout).toMatch(expected);
  expect(exitCode).toBe(1);
});

it('reports a subject whose program does not exist', async () => {
  const folder = temporaryFolder();
  const subjects = { bad: { command: ['/nope/prog', '{port}'] } };
  writeFileSync(join(folder, 'codex-parity.config.json'), JSON.stringify({ subjects }));
  const check = ['check', '--verbose', '--subject', 'bad', '--codex', '0.169.0', '--scenario', 'fast'];
  const { stdout } = await runInProcess(check, { cwd: folder });
  expect(stdout).toContain('subject bad: cannot run /nope/prog: program not found');
});

it('rejects an unknown placeholder', async () => {
  const folder = temporaryFolder();
  const script = 'const {x} = process; console.log(x)';
  const subjects = {
    bad: { command: [process.execPath, '-e', script, '$'.concat('{home}'), '--port={prot}'] },
  };
  writeFileSync(join(folder, 'codex-parity.config.json'), JSON.stringify({ subjects }));
  const { stderr, exitCode } = await runInProcess(['check', '--verbose', '--subject', 'bad'], {
    cwd: folder,
  });
  const problem =
    'subjects.bad.command.4 has the unknown placeholder {prot}: did you mean "port"? choose from {port}, ';
  expect(stderr).toContain(`codex-parity.config.json, line 1: ${problem}`);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(exitCode).toBe(2);
});

it('lets a subject close its files', async () => {
  const folder = temporaryFolder();
  const recording = ['--port', '{port}', '--upstream', '{upstream}', '--auth', '{auth}', '--record', folder];
  const subjects = { mine: { command: [process.execPath, main, 'proxy', ...recording] } };
  writeFileSync(join(folder, 'codex-parity.config.json'), JSON.stringify({ subjects }));
  const check = ['check', '--verbose', '--subject', 'mine', '--codex', '0.169.0', '--scenario', 'fast'];
  expect((await runInProcess(check, { cwd: folder })).exitCode).toBe(0);
  const traces = readdirSync(folder).filter((file) => file.endsWith('.trace.jsonl'));
  expect(traces).toHaveLength(1);
  expect((await runInProcess(['show', join(folder, traces[0] ?? '')])).exitCode).toBe(0);
});

it.concurrent('reports what was checked before it is interrupted', async ({ onTestFinished }) => {
  const folder = temporaryFolder(onTestFinished);
  const timers: NodeJS.Timeout[] = [];
  const { exitCode, stdout, stderr } = await cli(['check', '--verbose', '--keep-traces', 'always'], {
    cwd: folder,
    onStderr: (_, child) => {
      if (timers.length > 0) return;
      // Once a scenario was checked. A second signal would end the process at once.
      const timer = setInterval(() => {
        if (!existsSync(join(folder, '.codex-parity', 'traces'))) return;
        clearInterval(timer);
        child.kill('SIGINT');
      }, 20);
      timers.push(timer);
    },
  });
  for (const timer of timers) clearInterval(timer);
  expect(stdout).toMatch(/ +ok +ok +ok\n/);
  expect(stdout).toMatch(/\nnot checked: .*, \d+ more: interrupted\n/);
  expect(stderr).toMatch(/codex-parity: interrupted\n$/);
  expect(exitCode).toBe(2);
});

it.concurrent('leaves no golden and no process if it is interrupted', async ({ onTestFinished }) => {
  const { version } = await installOfficialClient('0.169.0');
  const folder = temporaryFolder(onTestFinished);
  const cache = join(folder, 'cache', 'codex-parity');
  mkdirSync(cache, { recursive: true });
  // The clients under another path, so that their processes can be told from those of other tests.
  symlinkSync(defaultClientCache(process.env), join(cache, 'clients'));
  const { exitCode, stderr } = await cli(
    ['record', '--codex', version, '--scenario', 'default', '--runs', '50', '--out', join(folder, 'out')],
    {
      env: { XDG_CACHE_HOME: join(folder, 'cache') },
      onStderr: (text, child) => {
        if (text.includes('run 2 of 50')) setTimeout(() => child.kill('SIGINT'), 100);
      },
    },
  );
  expect(stderr).toMatch(/codex-parity: .*interrupted/);
  expect(stderr).not.toContain('run 50 of 50');
  expect(exitCode).toBe(2);
  expect(existsSync(join(folder, 'out'))).toBe(false);
  expect(readdirSync(join(cache, 'runs'))).toEqual([]);
  const { stdout } = await runInGroup(['ps', '-eo', 'args'], {
    cwd: folder,
    env: { PATH },
  });
  expect(stdout).toContain('ps -eo args');
  expect(stdout).not.toContain(folder);
});

it('rejects an invalid subject path before it starts the subject', async () => {
  const folder = temporaryFolder();
  const subjects = { bad: { command: ['no-such-program'], path: 'v1' } };
  writeFileSync(join(folder, 'codex-parity.config.json'), JSON.stringify({ subjects }));
  const { exitCode, stderr } = await runInProcess(['check', '--verbose', '--subject', 'bad'], {
    cwd: folder,
  });
  expect(stderr).toMatch(/line 1: subjects\.bad\.path must begin with a slash/);
  expect(exitCode).toBe(2);
});
