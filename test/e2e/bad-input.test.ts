import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { installOfficialClient } from '../../src/client/install/install.ts';
import { defaultClientCache } from '../../src/client/install/installed.ts';
import { makeEnvironment } from '../../src/client/official/environment.ts';
import { runInGroup } from '../../src/client/process-group.ts';
import { cli, repository, temporaryFolder } from './cli.ts';

const golden = join(repository, 'traces', '0.169.0', 'chatgpt', 'fast.golden.jsonl');

it.each([
  { wrong: 'no command', args: [], says: /name a command/ },
  {
    wrong: 'an unknown driver',
    args: ['check', '--driver', 'nobody'],
    says: /--driver "nobody" must be one of replay, codex, .* \(see codex-parity check --help\)/,
  },
  {
    wrong: 'an unknown command',
    args: ['chekc'],
    says: /there is no command "chekc": choose from record, check, .*doctor \(see codex-parity --help\)/,
  },
  {
    wrong: 'a command without what it is about',
    args: ['diff', 'a'],
    says: /diff needs 2 arguments, and got 1 \(see codex-parity diff --help\)/,
  },
  {
    wrong: 'an unknown option',
    args: ['check', '--colour'],
    says: /: colour \(see codex-parity check --help\)/,
  },
  {
    wrong: 'a version without goldens',
    args: ['check', '--codex', '0.1.0'],
    says: /no golden for codex 0\.1\.0: choose from 0\.118\.0, .*0\.169\.0/,
  },
  {
    wrong: 'a scenario without goldens',
    args: ['check', '--scenario', 'nope'],
    says: /no golden for scenario "nope"/,
  },
  {
    wrong: 'an unknown subject',
    args: ['check', '--subject', 'nope'],
    says: /unknown subject "nope": choose from bundled/,
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
    args: ['check', '--subject-url', 'x'],
    says: /--subject-url "x" is not an http URL/,
  },
  {
    wrong: 'a port that is none',
    args: ['check', '--backend-port', '99999'],
    says: /--backend-port must be a whole number from 0 to 65535/,
  },
  {
    wrong: 'a port that is a word',
    args: ['check', '--backend-port', 'abc'],
    says: /--backend-port must be a number/,
  },
  { wrong: 'an option without its value', args: ['proxy', '--port'], says: /--port needs a value/ },
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
  {
    wrong: 'an empty list of scenarios',
    args: ['check', '--scenario', ''],
    says: /value of scenario is empty/,
  },
  { wrong: 'an empty list of versions', args: ['check', '--codex', ','], says: /--codex is an empty list/ },
  {
    wrong: 'a file for a folder of goldens',
    args: ['check', '--goldens', golden],
    says: /no goldens in/,
  },
  { wrong: 'a time limit of nothing', args: ['check', '--timeout', '0'], says: /above 0/ },
  {
    wrong: 'a shard that is none',
    args: ['record', '--codex', '0.169.0', '--shard', '3/2'],
    says: /must be a part and their number/,
  },
  {
    wrong: 'a single run',
    args: ['record', '--codex', '0.169.0', '--runs', '1'],
    says: /--runs must be a whole number from 2/,
  },
  {
    wrong: 'a program that does not exist',
    args: ['record', '--out', '{folder}/t.jsonl', '--', 'no-such-program'],
    says: /cannot run no-such-program/,
  },
  {
    wrong: 'a folder for a program',
    args: ['record', '--out', '{folder}/t.jsonl', '--', '{folder}'],
    says: /cannot run .*: permission is denied$/,
  },
  {
    wrong: 'a program without a name',
    args: ['record', '--out', '{folder}/t.jsonl', '--', ''],
    says: /name a program/,
  },
  ...[
    ['--scenario', 'fast'],
    ['--lane', 'chatgpt'],
    ['--runs', '3'],
    ['--shard', '1/2'],
    ['--resume'],
    ['--prune'],
  ].map((option) => ({
    wrong: `${option[0]} for the trace of a command`,
    args: ['record', ...option, '--', 'true'],
    says: new RegExp(`${option[0]} is for recording goldens`),
  })),
  { wrong: 'a command for check', args: ['check', '--', 'x'], says: /only record takes a command/ },
  {
    wrong: 'a report where nothing can be made',
    args: ['check', '--report', 'json=/proc/x/y'],
    says: /^codex-parity: cannot write \/proc\/x\/y: there is no such file or folder$/,
  },
  {
    wrong: 'a folder for a report',
    args: ['check', '--report', 'json={folder}'],
    says: /^codex-parity: cannot write .*: it is a folder$/,
  },
  {
    wrong: 'a report below a file',
    args: ['check', '--report', `json=${golden}/x`],
    says: /^codex-parity: cannot write .*: a part of the path is a file and no folder$/,
  },
  {
    wrong: 'one file for two reports',
    args: ['check', '--report', 'json={folder}/r', '--report', 'text={folder}/r'],
    says: /names .*\/r twice/,
  },
  {
    wrong: 'a folder for goldens that cannot be made',
    args: ['record', '--codex', '0.169.0', '--out', '/proc/x/y'],
    says: /^codex-parity: cannot write \/proc\/x\/y\/.*: there is no such file or folder$/,
  },
  {
    wrong: 'a trace where nothing can be made',
    args: ['record', '--out', '/proc/x/y', '--', 'true'],
    says: /^codex-parity: cannot write \/proc\/x\/y: there is no such file or folder$/,
  },
  {
    wrong: 'a result of a measurement where nothing can be made',
    args: ['bench-tier', '--json', '/proc/x/y'],
    says: /^codex-parity: cannot write \/proc\/x\/y: there is no such file or folder$/,
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
    says: /expected a trace, but the file is a golden/,
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
    says: /:\d+: not valid JSON \(.*\)\. Restore the file, or record it again\.$/m,
  },
  {
    wrong: 'cut off between two lines',
    change: (text: string) => text.split('\n').slice(0, 5).join('\n'),
    says: /:5: the closing line is missing.*cut off/,
  },
  {
    wrong: 'corrupt in one line',
    change: (text: string) => text.replace('"kind":"uuid7"', '"kind":"uuid9"'),
    says: /:\d+: not valid \("uuid9" is no kind of variable\)\. Restore the file, or record it again\.$/m,
  },
  {
    wrong: 'of a newer format',
    change: (text: string) => text.replace('"version":1', '"version":2'),
    says: /format version 2.*update codex-parity/,
  },
  { wrong: 'something else', change: () => '{"hello":"world"}\n', says: /not a trace or golden/ },
  {
    wrong: 'binary',
    change: () => '\u001f\u0000\ufffd',
    says: /:1: not a trace or golden \(the line is not JSON\)/,
  },
  { wrong: 'of a format that is no text', change: () => '{"format":1}\n', says: /not a trace or golden/ },
  { wrong: 'empty', change: () => '', says: /empty/ },
  {
    wrong: 'without one of its variables',
    change: (text: string) => text.replace(/^.*"name":"session_id".*\n/m, ''),
    says: /variable \{\{session_id\}\} is used but not declared/,
  },
])('says what is wrong with a golden that is $wrong', async ({ change, says }) => {
  const file = join(temporaryFolder(), 'broken.golden.jsonl');
  writeFileSync(file, change(readFileSync(golden, 'utf8')));
  const { exitCode, stderr } = await cli(['show', file]);
  expect(stderr).toMatch(says);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(exitCode).toBe(2);
});

it.each([['check'], ['drift', '--since', '0.169.0']])(
  'refuses a golden that stands at the place of another, by %s',
  async (...args) => {
    const folder = temporaryFolder();
    const place = join(folder, '0.169.0', 'chatgpt');
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, 'default.golden.jsonl'), readFileSync(golden));
    const { exitCode, stderr } = await cli([...args, '--goldens', folder]);
    expect(stderr.trim().split('\n').at(-1)).toMatch(
      /default\.golden\.jsonl is the golden of codex 0\.169\.0, lane chatgpt, scenario fast: move it there, or record it again$/,
    );
    expect(exitCode).toBe(2);
  },
);

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

it('tells a version that is not in the registry in one line, and in a matrix once', async () => {
  const out = temporaryFolder();
  const alone = await cli(['record', '--codex', '9.9.9', '--out', out]);
  expect(alone.stderr).toMatch(
    /^codex-parity: Codex "9\.9\.9" is not in the registry .*npm view @openai\/codex versions\n$/,
  );
  expect(alone.exitCode).toBe(2);

  const matrix = ['--codex', '9.9.9,0.169.0', '--scenario', 'default', '--lane', 'chatgpt', '--runs', '2'];
  const { stderr, exitCode } = await cli(['record', ...matrix, '--out', out]);
  expect(stderr.match(/"9\.9\.9" is not in the registry/g)).toHaveLength(1);
  expect(stderr).toContain('\n1 of 1 done\n');
  expect(stderr).toMatch(/^codex-parity: 1 failed as reported above: record again with --resume$/m);
  expect(existsSync(join(out, '0.169.0', 'chatgpt', 'default.golden.jsonl'))).toBe(true);
  expect(exitCode).toBe(2);
});

it.each(['http://token.example/x', 'ftp://127.0.0.1/x', 'file:///x', 'x'])(
  'renews no sign-in at %s, where its tokens would be read by others',
  async (url) => {
    const folder = temporaryFolder();
    const { codexHome } = await makeEnvironment(folder, 0);
    const auth = join(codexHome, 'auth.json');
    const { stderr, exitCode } = await cli(['proxy', '--port', '0', '--auth', auth], {
      env: { CODEX_REFRESH_TOKEN_URL_OVERRIDE: url },
    });
    expect(stderr).toBe(
      `codex-parity: CODEX_REFRESH_TOKEN_URL_OVERRIDE must be an https URL, or an http URL on this machine, and is "${url}"\n`,
    );
    expect(exitCode).toBe(2);
  },
);

it('leaves no folder behind that it made to try a path', async () => {
  const folder = temporaryFolder();
  const { exitCode } = await cli([
    'check',
    '--codex',
    '0.1.0',
    '--report',
    `json=${join(folder, 'a', 'b.json')}`,
  ]);
  expect(exitCode).toBe(2);
  expect(readdirSync(folder)).toEqual([]);
});

const main = join(repository, 'src', 'cli', 'main.ts');

/** Runs a line of a shell in which `parity` is the program. */
function inShell(line: string) {
  return runInGroup(['bash', '-c', `parity() { "${process.execPath}" "${main}" "$@"; }; ${line}`], {
    cwd: repository,
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' },
  });
}

/** Where a folder is made below /proc, Node's own recursive mkdir never returns: then only a kill ends the program. */
it
  .skipIf(process.platform !== 'linux')
  .each(['check --codex 0.169.0 --scenario default', 'record --codex 0.160.0 --scenario default'])(
  'names a cache folder that cannot be made, of %s',
  async (line) => {
    const { stderr, exitCode } = await runInGroup(
      ['bash', '-c', `timeout -s KILL 20 "${process.execPath}" "${main}" ${line}`],
      {
        cwd: temporaryFolder(),
        env: { PATH: process.env.PATH ?? '', HOME: '/nowhere', XDG_CACHE_HOME: '/proc/x' },
      },
    );
    expect(stderr.trim().split('\n').at(-1)).toMatch(
      /^codex-parity: cannot make the folder \/proc\/x\/codex-parity\/\w+: there is no such file or folder\. Set XDG_CACHE_HOME to/,
    );
    expect(exitCode).toBe(2);
  },
);

it('says that standard output cannot be written', async () => {
  const { stderr, exitCode } = await inShell(`parity show ${golden} > /dev/full`);
  expect(stderr).toBe('codex-parity: cannot write standard output: the disk is full\n');
  expect(exitCode).toBe(2);
});

it('keeps its exit code where nobody reads what it prints', async () => {
  const folder = temporaryFolder();
  const script =
    'require("net").createServer((s) => s.on("error", () => {}).end("no")).listen(Number(process.argv[1]), "127.0.0.1")';
  const subjects = { bad: { command: [process.execPath, '-e', script, '{port}'] } };
  writeFileSync(join(folder, 'codex-parity.config.json'), JSON.stringify({ subjects }));
  const check = 'check --subject bad --codex 0.169.0 --scenario fast';
  const { stdout } = await inShell(`cd ${folder}; parity ${check} | true; echo "\${PIPESTATUS[0]}"`);
  expect(stdout).toBe('1\n');
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
    says: /did not finish fast within 2 s: no response to the upgrade; it last printed: ready/,
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
