import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { makeEnvironment } from '../../src/client/official/environment.ts';
import { repository, temporaryFolder } from './cli.ts';
import { runInProcess } from './run-in-process.ts';

const golden = join(repository, 'traces', '0.169.0', 'chatgpt', 'fast.golden.jsonl');

it.each([
  { wrong: 'no command', args: [], expected: /missing command: choose from init, check/ },
  {
    wrong: 'an unknown driver',
    args: ['check', '--driver', 'nobody'],
    expected: /--driver "nobody" must be one of replay, codex, .* \(see codex-parity check --help\)/,
  },
  {
    wrong: 'an unknown command',
    args: ['chekc'],
    expected: /: unknown command "chekc": did you mean "check"\? \(see codex-parity --help\)$/,
  },
  {
    wrong: 'a command that is like none',
    args: ['frobnicate'],
    expected:
      /: unknown command "frobnicate": choose from init, check, .*doctor, completion \(see codex-parity --help\)$/,
  },
  {
    wrong: 'a command without its arguments',
    args: ['diff', 'a'],
    expected:
      /: diff needs 2 arguments, not 1: codex-parity diff <golden> <trace> \(see codex-parity diff --help\)$/,
  },
  {
    wrong: 'an unknown option',
    args: ['check', '--colour'],
    expected: /: unknown option --colour \(see codex-parity check --help\)$/,
  },
  {
    wrong: 'one argument too many',
    args: ['show', 'a', 'b'],
    expected: /: unexpected argument "b": write codex-parity show <file> \(see codex-parity show --help\)$/,
  },
  ...(
    [
      [
        'check http://127.0.0.1:9000',
        'to check a proxy that runs there, use --subject-url URL --backend-port PORT',
      ],
      ['check localhost:9000', 'to check a proxy that runs there, use --subject-url URL --backend-port PORT'],
      ['check latest', 'use --codex latest'],
      [
        'check mine',
        'use --subject mine for a proxy, --scenario mine for a scenario, or --client -- COMMAND for a client',
      ],
      ['record 0.171.0', 'use --codex 0.171.0'],
      ['record codex exec', 'to record a command, put it after --'],
      ['backend tool-turn', 'use --scenario tool-turn'],
      ['backend latest/fast', 'use --replay latest/fast'],
      ['backend live.trace.jsonl', 'use --replay live.trace.jsonl'],
      ['watch http://127.0.0.1:9000', 'use --upstream http://127.0.0.1:9000'],
      ['proxy http://127.0.0.1:9000', 'use --upstream http://127.0.0.1:9000'],
      ['proxy 0.171.0', 'use --codex 0.171.0'],
      ['init mine', 'use --name mine'],
      ['watch mine', 'watch takes none, so leave it out'],
      ['doctor npm', 'doctor takes none, so leave it out'],
      ['bench-tier fast', 'bench-tier takes none, so leave it out'],
      ['drift 0.118.0 0.130.0 0.171.0', 'write codex-parity drift [from] [to]'],
    ] as const
  ).map(([line, advice]) => ({
    wrong: `an argument too many: ${line}`,
    args: line.split(' '),
    expected: `": ${advice} (see codex-parity ${line.split(' ')[0]} --help)`,
  })),
  {
    wrong: 'an argument too many, with a comma',
    args: ['show', 'a', 'b, c'],
    expected: /: unexpected argument "b, c": write codex-parity show <file> /,
  },
  {
    wrong: 'an empty argument',
    args: ['check', ''],
    expected: /: unexpected argument "": check takes none, so leave it out /,
  },
  {
    wrong: 'options that exclude each other',
    args: ['check', '--subject', 'bundled', '--subject-url', 'http://127.0.0.1:1'],
    expected: /: use --subject-url or --subject, not both /,
  },
  {
    wrong: 'versions to compare, and --since',
    args: ['drift', '--since', '0.118.0', '0.169.0'],
    expected: /: use --since VERSION or two versions, not both /,
  },
  {
    wrong: 'the newer version before the older one',
    args: ['drift', '0.169.0', '0.118.0'],
    expected: /: 0\.169\.0 is newer than 0\.118\.0: give the older version first$/,
  },
  {
    wrong: 'a scenario that a lane does not have',
    args: ['check', '--scenario', 'upgrade-403', '--lane', 'provider'],
    expected: /: no golden of scenario upgrade-403 in lane provider: choose from lane chatgpt$/,
  },
  {
    wrong: 'a version without goldens',
    args: ['check', '--codex', '0.1.0'],
    expected: /no golden for codex 0\.1\.0: choose from 0\.118\.0, .*0\.169\.0/,
  },
  {
    wrong: 'faults of a scenario that a lane does not have',
    args: ['check', '--faults', '--lane', 'provider', '--scenario', 'upgrade-403'],
    expected:
      /: no golden of scenario upgrade-403 of codex 0\.171\.0 in lane provider: choose from lane chatgpt$/,
  },
  {
    wrong: 'a fault in a TLS handshake without TLS',
    args: ['backend', '--fault', 'reset@handshake'],
    expected: /: fault "reset@handshake": only --tls has handshakes$/,
  },
  {
    wrong: 'a client that fails in a TLS handshake',
    args: ['replay', 'latest', '--to', 'http://127.0.0.1:1', '--fault', 'reset@handshake'],
    expected: /: fault "reset@handshake": only a backend can do it$/,
  },
  {
    wrong: 'faults in several versions',
    args: ['check', '--faults', '--codex', '0.169.0,latest'],
    expected: /--faults checks one version: name one with --codex$/,
  },
  {
    wrong: 'a report that faults do not have',
    args: ['check', '--faults', '--report', 'junit=-'],
    expected: /--faults writes no junit report: choose text or json$/,
  },
  {
    wrong: 'faults of a scenario that does not exist',
    args: ['check', '--faults', '--scenario', 'nope'],
    expected: /no golden for scenario "nope"/,
  },
  {
    wrong: 'a word instead of a version',
    args: ['check', '--codex', 'lates'],
    expected: /no golden for codex lates: did you mean "latest"\? choose from latest, 0\.118\.0, [\d., ]+$/,
  },
  {
    wrong: 'a scenario without goldens',
    args: ['check', '--scenario', 'nope'],
    expected: /no golden for scenario "nope"/,
  },
  {
    wrong: 'an unknown subject',
    args: ['check', '--subject', 'nope'],
    expected:
      /unknown subject "nope": choose bundled; or add it to codex-parity\.config\.yaml, as .codex-parity init. does; or use --subject-url$/,
  },
  { wrong: 'an unknown driver', args: ['check', '--driver', 'nope'], expected: /driver/ },
  {
    wrong: 'an unknown severity',
    args: ['check', '--fail-on', 'errors'],
    expected:
      /: --fail-on "errors" must be one of breaks, identity, shape \(see codex-parity check --help\)$/,
  },
  {
    wrong: 'a baseline that does not exist',
    args: ['check', '--baseline', 'no-such.yaml'],
    expected: /: cannot read no-such\.yaml: no such file or folder$/,
  },
  {
    wrong: 'a baseline that is a folder',
    args: ['check', '--baseline', 'src'],
    expected: /: cannot read src: it is a folder$/,
  },
  {
    wrong: 'a baseline that is not YAML of this form',
    args: ['check', '--baseline', 'package.json'],
    expected: /: package\.json, line 2: name is not a known key: choose from subject, accepted$/,
  },
  {
    wrong: 'two baselines',
    args: ['check', '--baseline', 'a.yaml', '--baseline', 'b.yaml'],
    expected: /: --baseline is repeated: give it once$/,
  },
  {
    wrong: 'an updated baseline in a folder that does not exist and cannot be made',
    args: ['check', '--baseline', 'package.json/x.yaml', '--update-baseline'],
    expected: /: cannot write package\.json\/x\.yaml: a part of the path is a file, not a folder$/,
  },
  {
    wrong: 'an updated baseline of a run that stops early',
    args: ['check', '--update-baseline', '--bail'],
    expected: /: use --update-baseline or --bail, not both /,
  },
  ...['0/2', '3/2', '1', 'a/b', '1/2/3', '-1/2'].map((shard) => ({
    wrong: `the shard ${shard}`,
    args: ['check', `--shard=${shard}`],
    expected: new RegExp(`: --shard "${shard}" is not a part of a whole, such as 2/4$`),
  })),
  {
    wrong: 'more shards than scenarios',
    args: ['check', '--codex', '0.169.0', '--scenario', 'fast', '--shard', '2/2'],
    expected: /: --shard 2\/2 has no scenario: only 1 is selected, so choose at most 1 part$/,
  },
  {
    wrong: 'traces to keep at another time',
    args: ['check', '--keep-traces', 'sometimes'],
    expected: /: --keep-traces "sometimes" must be one of on-failure, always, never /,
  },
  {
    wrong: 'a list as JUnit',
    args: ['check', '--codex', '0.169.0', '--scenario', 'fast', '--list', '--report', 'junit=-'],
    expected: /: --list has no report of format junit: choose text or json$/,
  },
  {
    wrong: 'no report to merge',
    args: ['merge-reports'],
    expected: /: merge-reports needs 1 argument, not 0: codex-parity merge-reports <files\.\.> /,
  },
  {
    wrong: 'a report to merge that does not exist',
    args: ['merge-reports', 'no-such.json'],
    expected: /: cannot read no-such\.json: no such file or folder$/,
  },
  {
    wrong: 'a report to merge that is not JSON',
    args: ['merge-reports', 'README.md'],
    expected: /: README\.md: not valid JSON, perhaps cut off: run the check again$/,
  },
  {
    wrong: 'a report to merge that is none',
    args: ['merge-reports', 'package.json'],
    expected: /: package\.json: not a report of check --report json, or of another version of codex-parity: /,
  },
  {
    wrong: 'an unknown report format',
    args: ['check', '--report', 'pdf=x'],
    expected: /text, json, junit, github/,
  },
  {
    wrong: 'a subject URL without a backend port',
    args: ['check', '--subject-url', 'http://127.0.0.1:1'],
    expected:
      /: --subject-url needs --backend-port: choose a free port such as 9100, and set the upstream of your proxy to http:\/\/127\.0\.0\.1:9100\/backend-api\/codex$/,
  },
  {
    wrong: 'the URL of a proxy without the port of its upstream, with an API key',
    args: ['check', '--lane', 'api-key', '--subject-url', 'http://127.0.0.1:1'],
    expected: /set the upstream of your proxy to http:\/\/127\.0\.0\.1:9100\/v1$/,
  },
  {
    wrong: 'an invalid subject URL',
    args: ['check', '--subject-url', 'x'],
    expected: /--subject-url "x" is not an http URL/,
  },
  {
    wrong: 'a port out of range',
    args: ['check', '--backend-port', '99999'],
    expected: /: --backend-port "99999" must be a whole number from 0 to 65535$/,
  },
  {
    wrong: 'a port that is a word',
    args: ['check', '--backend-port', 'abc'],
    expected: /: --backend-port "abc" must be a number \(see codex-parity check --help\)$/,
  },
  {
    wrong: 'a port after an equals sign that is a word',
    args: ['proxy', '--grace', '1', '--port=a=b'],
    expected: /: --port "a=b" must be a number \(see codex-parity proxy --help\)$/,
  },
  {
    wrong: 'the name that an option has in another command',
    args: ['watch', '--port', '1'],
    expected: /: unknown option --port: did you mean "--listen"\? \(see codex-parity watch --help\)$/,
  },
  {
    wrong: 'another name of an option, with its value',
    args: ['replay', golden, '--upstream=http://127.0.0.1:1', '--to', 'http://127.0.0.1:1'],
    expected: /: unknown option --upstream: did you mean "--to"\? \(see codex-parity replay --help\)$/,
  },
  {
    wrong: 'an option of other programs',
    args: ['check', '--url', 'http://127.0.0.1:9000'],
    expected: /: unknown option --url: did you mean "--subject-url"\? \(see codex-parity check --help\)$/,
  },
  { wrong: 'an option without its value', args: ['proxy', '--port'], expected: /--port needs a value/ },
  {
    wrong: 'an option that is missing',
    args: ['replay', golden],
    expected: /: --to is missing: give it a value \(see codex-parity replay --help\)$/,
  },
  { wrong: 'nothing to record', args: ['record'], expected: /give a version with --codex/ },
  {
    wrong: 'an invalid version',
    args: ['record', '--codex', 'newest'],
    expected: /"newest" is not a version/,
  },
  {
    wrong: 'an unknown scenario to record',
    args: ['record', '--codex', '0.169.0', '--scenario', 'nope'],
    expected: /unknown scenario "nope": choose from agents-md, bad-request/,
  },
  {
    wrong: 'an unknown lane',
    args: ['record', '--codex', '0.169.0', '--lane', 'fast'],
    expected: /unknown lane "fast": choose from chatgpt, api-key/,
  },
  {
    wrong: 'a lane that the scenario does not have',
    args: ['record', '--codex', '0.169.0', '--scenario', 'flex', '--lane', 'provider'],
    expected: /flex is not recorded in lane provider/,
  },
  {
    wrong: 'an option given twice',
    args: ['check', '--codex', '0.118.0', '--codex', '0.169.0'],
    expected: /--codex is repeated/,
  },
  {
    wrong: 'an empty list of scenarios',
    args: ['check', '--scenario', ''],
    expected: /--scenario is empty/,
  },
  {
    wrong: 'an empty list of versions',
    args: ['check', '--codex', ','],
    expected: /--codex is an empty list/,
  },
  {
    wrong: 'a file instead of a folder of goldens',
    args: ['check', '--goldens', golden],
    expected: /no goldens in/,
  },
  {
    wrong: 'a time limit of 0',
    args: ['check', '--timeout', '0'],
    expected: /: --timeout "0" must be above 0/,
  },
  {
    wrong: 'an invalid shard',
    args: ['record', '--codex', '0.169.0', '--shard', '3/2'],
    expected: /is not a part of a whole/,
  },
  {
    wrong: 'a single run',
    args: ['record', '--codex', '0.169.0', '--runs', '1'],
    expected: /: --runs "\d+" must be a whole number from 2/,
  },
  {
    wrong: 'a program that does not exist',
    args: ['record', '--out', '{folder}/t.jsonl', '--', 'no-such-program'],
    expected: /cannot run no-such-program/,
  },
  {
    wrong: 'a folder instead of a program',
    args: ['record', '--out', '{folder}/t.jsonl', '--', '{folder}'],
    expected: /cannot run .*: permission denied$/,
  },
  {
    wrong: 'a program without a name',
    args: ['record', '--out', '{folder}/t.jsonl', '--', ''],
    expected: /name a program/,
  },
  ...[
    ['--scenario', 'fast'],
    ['--lane', 'chatgpt'],
    ['--runs', '3'],
    ['--shard', '1/2'],
    ['--resume'],
    ['--prune'],
  ].map((option) => ({
    wrong: `${option[0]} with a command to record`,
    args: ['record', ...option, '--', 'true'],
    expected: new RegExp(`${option[0]} applies to goldens only`),
  })),
  {
    wrong: 'a command after -- for check',
    args: ['check', '--', 'x'],
    expected: /a command after -- is a client: add --client/,
  },
  {
    wrong: 'a command after -- for a command without one',
    args: ['doctor', '--', 'x'],
    expected: /only record, init and check --client take a command/,
  },
  {
    wrong: 'a client without a command',
    args: ['check', '--client'],
    expected: /--client needs a command: put it after --/,
  },
  {
    wrong: 'a client without a name',
    args: ['check', '--client', '--', ''],
    expected: /the command after -- is empty: name a program/,
  },
  {
    wrong: 'an unknown client',
    args: ['check', '--client', 'other'],
    expected: /unknown client "other": put a command after --, or add it to "clients"/,
  },
  {
    wrong: 'an unknown placeholder for a client',
    args: ['check', '--client', '--', 'x', '--tier={teir}'],
    expected: /the unknown placeholder \{teir\}: did you mean "tier"\?/,
  },
  {
    wrong: 'a client and a proxy',
    args: ['check', '--client', '--subject', 'bundled', '--', 'x'],
    expected: /use --client or --subject, not both/,
  },
  {
    wrong: 'a client that cannot be started',
    args: [
      'check',
      '--client',
      '--codex',
      '0.171.0',
      '--scenario',
      'default',
      '--',
      '/nowhere/client',
      '{prompt}',
    ],
    expected: /cannot run \/nowhere\/client: program not found/,
  },
  {
    wrong: 'a report in a folder that cannot be made',
    args: ['check', '--report', 'json=/proc/x/y'],
    expected: /^codex-parity: cannot write \/proc\/x\/y: no such file or folder$/,
  },
  {
    wrong: 'a folder instead of a report file',
    args: ['check', '--report', 'json={folder}'],
    expected: /^codex-parity: cannot write .*: it is a folder$/,
  },
  {
    wrong: 'a report below a file',
    args: ['check', '--report', `json=${golden}/x`],
    expected: /^codex-parity: cannot write .*: a part of the path is a file, not a folder$/,
  },
  {
    wrong: 'the same file for two reports',
    args: ['check', '--report', 'json={folder}/r', '--report', 'text={folder}/r'],
    expected: /names .*\/r twice/,
  },
  {
    wrong: 'a folder of goldens that cannot be made',
    args: ['record', '--codex', '0.169.0', '--out', '/proc/x/y'],
    expected: /^codex-parity: cannot write \/proc\/x\/y\/.*: no such file or folder$/,
  },
  {
    wrong: 'a trace in a folder that cannot be made',
    args: ['record', '--out', '/proc/x/y', '--', 'true'],
    expected: /^codex-parity: cannot write \/proc\/x\/y: no such file or folder$/,
  },
  {
    wrong: 'a measurement result in a folder that cannot be made',
    args: ['bench-tier', '--json', '/proc/x/y'],
    expected: /^codex-parity: cannot write \/proc\/x\/y: no such file or folder$/,
  },
  {
    wrong: 'a sign-in that does not exist',
    args: ['proxy', '--auth', '{folder}/auth.json'],
    expected: /cannot read the sign-in .*auth\.json \(no such file or folder\): run "codex login", or name /,
  },
  ...(
    [
      ['show nothing.jsonl', 'a trace, or a golden such as latest/fast'],
      ['export nothing.jsonl', 'a trace, or a golden such as latest/fast'],
      ['replay nothing.jsonl --to http://127.0.0.1:1', 'a trace, or a golden such as latest/fast'],
      ['backend --replay nothing.jsonl', 'a trace, or a golden such as latest/fast'],
      ['watch --golden nothing.jsonl', 'a golden, such as latest/fast'],
      ['diff nothing.jsonl nothing.jsonl', 'a golden, such as latest/fast'],
      ['diff latest nothing.jsonl', 'a trace, which "record -- COMMAND" and "proxy --record" write'],
    ] as const
  ).map(([line, wanted]) => ({
    wrong: `a file that does not exist: ${line}`,
    args: line.split(' '),
    expected: `codex-parity: cannot read nothing.jsonl: no such file or folder: name ${wanted}`,
  })),
  ...(
    [
      ['show README.md', 'a trace, or a golden such as latest/fast'],
      ['diff README.md README.md', 'a golden, such as latest/fast'],
      ['diff latest README.md', 'a trace, which "record -- COMMAND" and "proxy --record" write'],
      ['explain README.md', 'a trace, which "record -- COMMAND" and "proxy --record" write'],
    ] as const
  ).map(([line, wanted]) => ({
    wrong: `a file of another kind: ${line}`,
    args: line.split(' '),
    expected: `codex-parity: README.md:1: not a trace or golden (the line is not JSON): name ${wanted}`,
  })),
  {
    wrong: 'a misspelt name of a golden',
    args: ['show', 'latset'],
    expected: /: no file or golden "latset": did you mean "latest"\?$/,
  },
  {
    wrong: 'a misspelt version with a scenario',
    args: ['diff', 'latset/fast', golden],
    expected: /: no file or golden "latset\/fast": did you mean "latest\/fast"\?$/,
  },
  {
    wrong: 'a misspelt scenario without a version',
    args: ['show', 'fsat'],
    expected: /: no file or golden "fsat": did you mean "latest\/fast"\?$/,
  },
  {
    wrong: 'help of a command that does not exist',
    args: ['help', 'shwo'],
    expected: /: unknown command "shwo": did you mean "show"\? \(see codex-parity --help\)$/,
  },
  {
    wrong: 'a folder for recordings below a file',
    args: ['record', '--codex', '0.171.0', '--scenario', 'default', '--out', golden],
    expected:
      /: cannot write .*\.jsonl\/0\.171\.0\/chatgpt\/default\.golden\.jsonl: a part of the path is a file, not a folder$/,
  },
  {
    wrong: 'a folder instead of a file',
    args: ['show', '{folder}'],
    expected: /: it is a folder: name a trace, or a golden such as latest\/fast$/,
  },
  {
    wrong: 'a golden instead of a trace',
    args: ['diff', golden, golden],
    expected:
      /fast\.golden\.jsonl is a golden, not a trace: name a trace, which "record -- COMMAND" and "proxy --record" write$/,
  },
])('reports $wrong in one line, with exit code 2', async ({ args, expected }) => {
  const folder = temporaryFolder();
  const { exitCode, stderr } = await runInProcess(args.map((arg) => arg.replace('{folder}', folder)));
  expect(stderr.trim()).toMatch(expected);
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
    expected: /:\d+: the file is cut off after this line: record it again$/m,
  },
  {
    wrong: 'cut off between two lines',
    change: (text: string) => text.split('\n').slice(0, 5).join('\n'),
    expected: /:5: the file is cut off after this line: record it again$/m,
  },
  {
    wrong: 'corrupt in one line',
    change: (text: string) => text.replace('"kind":"uuid7"', '"kind":"uuid9"'),
    expected:
      /:\d+: not valid \("kind" must be one of .*, uuid7, .*\)\. Restore the file, or record it again\.$/m,
  },
  {
    wrong: 'of a newer format',
    change: (text: string) => text.replace('"version":1', '"version":2'),
    expected: /format version 2.*update codex-parity/,
  },
  { wrong: 'of another format', change: () => '{"hello":"world"}\n', expected: /not a trace or golden/ },
  {
    wrong: 'binary',
    change: () => '\u001f\u0000\ufffd',
    expected: /:1: not a trace or golden \(the line is not JSON\)\. Restore the file, or record it again\.$/m,
  },
  {
    wrong: 'of a format that is not a string',
    change: () => '{"format":1}\n',
    expected: /not a trace or golden/,
  },
  {
    wrong: 'empty',
    change: () => '',
    expected: /\(the file is empty\)\. Restore the file, or record it again\.$/m,
  },
  {
    wrong: 'without one of its variables',
    change: (text: string) => text.replace(/^.*"name":"session_id".*\n/m, ''),
    expected: /:\d+: not valid \(variable \{\{session_id\}\} is used but not declared before this line\)/,
  },
])('reports what is wrong with a golden that is $wrong', async ({ change, expected }) => {
  const file = join(temporaryFolder(), 'broken.golden.jsonl');
  writeFileSync(file, change(readFileSync(golden, 'utf8')));
  const { exitCode, stderr } = await runInProcess(['show', file]);
  expect(stderr).toMatch(expected);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(exitCode).toBe(2);
});

it.each([['check'], ['drift', '--since', '0.169.0']])(
  'rejects a golden at the path of another golden: %s',
  async (...args) => {
    const folder = temporaryFolder();
    const place = join(folder, '0.169.0', 'chatgpt');
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, 'default.golden.jsonl'), readFileSync(golden));
    const { exitCode, stderr } = await runInProcess([...args, '--goldens', folder]);
    expect(stderr.trim().split('\n').at(-1)).toMatch(
      /default\.golden\.jsonl contains the golden of codex 0\.169\.0, lane chatgpt, scenario fast: move it to the path of that golden, or record it again$/,
    );
    expect(exitCode).toBe(2);
  },
);

it.each(['http://token.example/x', 'ftp://127.0.0.1/x', 'file:///x', 'x'])(
  'refuses to renew a sign-in at %s, where others could read its tokens',
  async (url) => {
    const folder = temporaryFolder();
    const { codexHome } = await makeEnvironment(folder, 0);
    const auth = join(codexHome, 'auth.json');
    vi.stubEnv('CODEX_REFRESH_TOKEN_URL_OVERRIDE', url);
    onTestFinished(() => void vi.unstubAllEnvs());
    const { stderr, exitCode } = await runInProcess(['proxy', '--port', '0', '--auth', auth]);
    expect(stderr).toBe(
      `codex-parity: CODEX_REFRESH_TOKEN_URL_OVERRIDE is "${url}": it must be an https URL, or an http URL on this machine\n`,
    );
    expect(exitCode).toBe(2);
  },
);

it('removes the folders that it made to test whether a path is writable', async () => {
  const folder = temporaryFolder();
  const report = `json=${join(folder, 'a', 'b.json')}`;
  const { exitCode } = await runInProcess(['check', '--codex', '0.1.0', '--report', report]);
  expect(exitCode).toBe(2);
  expect(readdirSync(folder)).toEqual([]);
});

it('reports a port that is in use', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  onTestFinished(() => void taken.close());
  const address = taken.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const check = ['check', '--scenario', 'fast', '--codex', '0.169.0', '--backend-port', String(port)];
  const { exitCode, stderr } = await runInProcess(check);
  expect(stderr).toContain(`codex-parity: port ${port} is in use`);
  expect(exitCode).toBe(2);
});
