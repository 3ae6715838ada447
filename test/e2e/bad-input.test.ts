import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { installOfficialClient } from '../../src/client/install.ts';
import { defaultClientCache } from '../../src/client/installed.ts';
import { runInGroup } from '../../src/client/process-group.ts';
import { cli, repository, temporaryFolder } from './cli.ts';

const golden = join(repository, 'traces', '0.169.0', 'chatgpt', 'fast.golden.jsonl');

it.each([
  { wrong: 'no command', args: [], says: /name a command/ },
  {
    wrong: 'an unknown driver',
    args: ['check', '--driver', 'nobody'],
    says: /Invalid values: Argument: driver, Given: "nobody", Choices: "replay"/,
  },
  { wrong: 'an unknown command', args: ['chekc'], says: /chekc/ },
  { wrong: 'an unknown option', args: ['check', '--colour'], says: /colour/ },
  {
    wrong: 'a version without goldens',
    args: ['check', '--codex', '0.1.0'],
    says: /no golden for codex 0\.1\.0: there are 0\.118\.0, .*0\.169\.0/,
  },
  {
    wrong: 'a scenario without goldens',
    args: ['check', '--scenario', 'nope'],
    says: /no golden for scenario "nope"/,
  },
  {
    wrong: 'an unknown subject',
    args: ['check', '--subject', 'nope'],
    says: /no subject "nope": choose from bundled/,
  },
  { wrong: 'an unknown driver', args: ['check', '--driver', 'nope'], says: /driver/ },
  {
    wrong: 'an unknown report format',
    args: ['check', '--report', 'pdf=x'],
    says: /text, json, junit, github/,
  },
  {
    wrong: 'a subject URL without a backend port',
    args: ['check', '--subject-url', 'http://127.0.0.1:1'],
    says: /needs --backend-port/,
  },
  {
    wrong: 'a subject URL that is none',
    args: ['check', '--subject-url', 'x', '--backend-port', '1'],
    says: /must be an http URL/,
  },
  {
    wrong: 'a port that is none',
    args: ['check', '--backend-port', '99999'],
    says: /whole number up to 65535/,
  },
  { wrong: 'nothing to record', args: ['record'], says: /name a version with --codex/ },
  {
    wrong: 'a version that is none',
    args: ['record', '--codex', 'newest'],
    says: /"newest" is not a version/,
  },
  {
    wrong: 'an unknown scenario to record',
    args: ['record', '--codex', '0.169.0', '--scenario', 'nope'],
    says: /no scenario "nope": choose from agents-md, bad-request/,
  },
  {
    wrong: 'an unknown lane',
    args: ['record', '--codex', '0.169.0', '--lane', 'fast'],
    says: /no lane "fast": choose from chatgpt, api-key/,
  },
  {
    wrong: 'a lane that the scenario has not',
    args: ['record', '--codex', '0.169.0', '--scenario', 'flex', '--lane', 'provider'],
    says: /flex has no golden in the lane provider/,
  },
  {
    wrong: 'an option given twice',
    args: ['check', '--codex', '0.118.0', '--codex', '0.169.0'],
    says: /--codex is given more than once/,
  },
  { wrong: 'an empty list of scenarios', args: ['check', '--scenario', ''], says: /list .* is empty/ },
  { wrong: 'an empty list of versions', args: ['check', '--codex', ','], says: /list .* is empty/ },
  {
    wrong: 'a file for a folder of goldens',
    args: ['check', '--goldens', golden],
    says: /there are no goldens in/,
  },
  { wrong: 'a time limit of nothing', args: ['check', '--timeout', '0'], says: /above 0/ },
  {
    wrong: 'a shard that is none',
    args: ['record', '--codex', '0.169.0', '--shard', '3/2'],
    says: /must be a part and their number/,
  },
  { wrong: 'a single run', args: ['record', '--codex', '0.169.0', '--runs', '1'], says: /at least 2/ },
  {
    wrong: 'a program that does not exist',
    args: ['record', '--out', '{folder}/t.jsonl', '--', 'no-such-program'],
    says: /cannot run no-such-program/,
  },
  {
    wrong: 'a sign-in that does not exist',
    args: ['proxy', '--auth', '{folder}/auth.json'],
    says: /cannot read the sign-in/,
  },
  {
    wrong: 'a file that does not exist',
    args: ['show', '{folder}/nothing.jsonl'],
    says: /there is no such file/,
  },
  { wrong: 'a folder for a file', args: ['show', '{folder}'], says: /it is a folder/ },
  {
    wrong: 'a golden for a trace',
    args: ['diff', golden, golden],
    says: /is a golden, and a trace is needed/,
  },
])('answers $wrong with one line and exit code 2', async ({ args, says }) => {
  const folder = temporaryFolder();
  const { exitCode, stderr } = await cli(args.map((arg) => arg.replace('{folder}', folder)));
  expect(stderr.trim()).toMatch(says);
  expect(
    stderr
      .trim()
      .split('\n')
      .filter((line) => line.startsWith('codex-parity: ')),
  ).toHaveLength(1);
  expect(stderr).not.toMatch(/\n\s+at /);
  expect(exitCode).toBe(2);
});

it.each([
  {
    wrong: 'cut off in the middle of a line',
    change: (text: string) => text.slice(0, 3000),
    says: /line \d+ is not valid JSON/,
  },
  {
    wrong: 'cut off between two lines',
    change: (text: string) => text.split('\n').slice(0, 5).join('\n'),
    says: /line 5 is the last.*cut off/,
  },
  {
    wrong: 'corrupt in one line',
    change: (text: string) => text.replace('"kind":"uuid7"', '"kind":"uuid9"'),
    says: /line \d+ is not valid: "uuid9"/,
  },
  {
    wrong: 'of a newer format',
    change: (text: string) => text.replace('"version":1', '"version":2'),
    says: /format version 2.*update codex-parity/,
  },
  { wrong: 'something else', change: () => '{"hello":"world"}\n', says: /no trace and no golden/ },
  { wrong: 'empty', change: () => '', says: /empty/ },
  {
    wrong: 'without one of its variables',
    change: (text: string) => text.replace(/^.*"name":"session_id".*\n/m, ''),
    says: /variable \{\{session_id\}\} is used and not declared/,
  },
])('says what is wrong with a golden that is $wrong', async ({ change, says }) => {
  const file = join(temporaryFolder(), 'broken.golden.jsonl');
  writeFileSync(file, change(readFileSync(golden, 'utf8')));
  const { exitCode, stderr } = await cli(['show', file]);
  expect(stderr).toMatch(says);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(exitCode).toBe(2);
});

it('names a registry that does not answer, and leaves nothing behind', async () => {
  const silent = createServer();
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  onTestFinished(() => void silent.close());
  const address = silent.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const folder = temporaryFolder();
  const { exitCode, stderr } = await cli(['record', '--codex', '0.160.0', '--out', join(folder, 'out')], {
    env: {
      XDG_CACHE_HOME: join(folder, 'cache'),
      npm_config_registry: `http://127.0.0.1:${port}/`,
      npm_config_cache: join(folder, 'npm'),
    },
  });
  expect(stderr).toMatch(new RegExp(`registry http://127.0.0.1:${port}/ did not answer`));
  expect(exitCode).toBe(2);
  expect(existsSync(join(folder, 'out'))).toBe(false);
  expect(readdirSync(join(folder, 'cache', 'codex-parity', 'clients'))).toEqual([]);
});

it('names a port that is taken', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  onTestFinished(() => void taken.close());
  const address = taken.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const { exitCode, stderr } = await cli([
    'check',
    '--scenario',
    'fast',
    '--codex',
    '0.169.0',
    '--backend-port',
    String(port),
  ]);
  expect(stderr).toContain(`codex-parity: port ${port} is taken`);
  expect(exitCode).toBe(2);
});

it.each([
  {
    subject: 'dies at once',
    script: 'console.error("no licence"); process.exit(7)',
    says: /ended with exit code 7; it last printed: no licence/,
  },
  {
    subject: 'dies in the middle of a line',
    script: 'process.stderr.write("no licence"); process.exitCode = 7',
    says: /ended with exit code 7; it last printed: no licence/,
  },
  {
    subject: 'never listens',
    script: 'console.log("warming up"); setInterval(() => {}, 1000)',
    says: /does not listen on port \d+ after 2 s; it last printed: warming up/,
  },
  {
    subject: 'accepts and then says nothing',
    script:
      'console.log("ready"); require("net").createServer(() => {}).listen(Number(process.argv[1]), "127.0.0.1")',
    says: /did not finish fast within 2 s; it last printed: ready/,
  },
  {
    subject: 'dies in the middle',
    script:
      'require("net").createServer((s) => s.once("data", (d) => { if (d.length) { console.log("oops"); process.exit(1) } })).listen(Number(process.argv[1]), "127.0.0.1")',
    says: /ended with exit code 1; it last printed: oops/,
  },
])('tells what a subject printed last when it $subject', async ({ script, says }) => {
  const folder = temporaryFolder();
  const command = [process.execPath, '-e', script, '{port}'];
  writeFileSync(join(folder, 'codex-parity.config.json'), JSON.stringify({ subjects: { bad: { command } } }));
  const { exitCode, stderr } = await cli(
    ['check', '--subject', 'bad', '--codex', '0.169.0', '--scenario', 'fast', '--timeout', '2'],
    { cwd: folder },
  );
  expect(stderr).toMatch(says);
  expect(exitCode).toBe(2);
});

it('leaves no golden and no process behind when it is interrupted', async () => {
  const { version } = await installOfficialClient('0.169.0');
  const folder = temporaryFolder();
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
    env: { PATH: process.env.PATH ?? '' },
  });
  expect(stdout).toContain('ps -eo args');
  expect(stdout).not.toContain(folder);
});

it('refuses a subject path that is none before it starts the subject', async () => {
  const folder = temporaryFolder();
  const subjects = { bad: { command: ['no-such-program'], path: 'v1' } };
  writeFileSync(join(folder, 'codex-parity.config.json'), JSON.stringify({ subjects }));
  const { exitCode, stderr } = await cli(['check', '--subject', 'bad'], { cwd: folder });
  expect(stderr).toMatch(/line 1: subjects\.bad\.path must begin with a slash/);
  expect(exitCode).toBe(2);
});
