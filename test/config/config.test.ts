import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { parseConfig, readConfig } from '../../src/config/config.ts';
import { linePattern } from '../../src/config/subject-config.ts';

function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'codex-parity-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

it('returns an empty configuration for a folder without a file', () => {
  expect(readConfig(folderWith({}))).toEqual({});
});

it.each([
  ['codex-parity.config.json', '{"subjects": {"mine": {"command": ["./mine", "{port}"], "path": "/v1"}}}'],
  ['codex-parity.config.yaml', 'subjects:\n  mine:\n    command: [./mine, "{port}"]\n    path: /v1\n'],
])('reads %s', (name, text) => {
  expect(readConfig(folderWith({ [name]: text }))).toEqual({
    subjects: { mine: { command: ['./mine', '{port}'], path: '/v1' } },
  });
});

it('rejects a file that is a broken link, instead of ignoring it', () => {
  const folder = folderWith({});
  symlinkSync(join(folder, 'gone.json'), join(folder, 'codex-parity.config.json'));
  expect(() => readConfig(folder)).toThrow(/^cannot read .*codex-parity\.config\.json: /);
});

it('reads an empty file as an empty configuration', () => {
  expect(parseConfig('', 'empty.yaml')).toEqual({});
});

it('rejects a file with another ending, which would be ignored', () => {
  const folder = folderWith({ 'codex-parity.config.yml': '' });
  expect(() => readConfig(folder)).toThrow(
    /codex-parity\.config\.yml is not read: rename it to codex-parity\.config\.yaml$/,
  );
});

it('rejects two files, as one of them would be ignored', () => {
  const folder = folderWith({ 'codex-parity.config.json': '{}', 'codex-parity.config.yaml': '' });
  expect(() => readConfig(folder)).toThrow(/config\.json and .*config\.yaml exist: keep one of them/);
});

it.each([
  ['text that is not JSON', '{\n  "subjects": {]\n}', 'line 2: not valid YAML or JSON ('],
  ['a list', '[]', 'line 1: the file must be an object'],
  [
    'an unknown key',
    '{\n  "subject": {}\n}',
    'line 2: subject is not a known key: did you mean "subjects"? choose from $schema, subjects, clients, proxy',
  ],
  [
    'an unknown key of a subject',
    '{"subjects": {\n"a": {"command": ["x"],\n"port": 1}}}',
    'line 3: subjects.a.port is not',
  ],
  [
    'a subject without a command',
    'subjects:\n  a:\n    path: /v1\n',
    'line 3: subjects.a.command is missing',
  ],
  [
    'a subject with the name of the bundled proxy',
    'subjects:\n  bundled: { command: [x] }\n',
    'line 2: subjects.bundled is the name of the bundled proxy: choose another name',
  ],
  [
    'an empty command',
    'subjects:\n  a:\n    command: []\n',
    'line 3: subjects.a.command must name the program',
  ],
  [
    'an argument that is a number',
    'subjects:\n  a:\n    command:\n      - x\n      - 1\n',
    'line 5: subjects.a.command.1 must be text: put 1 in quotes',
  ],
  [
    'a path without a slash',
    'subjects:\n  a: { command: [x],\n    path: v1 }\n',
    'line 3: subjects.a.path must begin with a slash',
  ],
  [
    'two conditions of a subject that is ready',
    'subjects:\n  a: { command: [x],\n    ready: { path: /health, line: ready } }\n',
    'line 3: subjects.a.ready must have either path or line',
  ],
  [
    'a condition of a subject that is ready without path and line',
    'subjects:\n  a: { command: [x],\n    ready: {} }\n',
    'line 3: subjects.a.ready must have either path or line',
  ],
  [
    'a broken regular expression',
    'subjects:\n  a: { command: [x],\n    ready: { line: "/(/" } }\n',
    'line 3: subjects.a.ready.line must be text, or a valid regular expression between slashes',
  ],
  [
    'a placeholder that does not exist',
    'subjects:\n  a:\n    command: [x]\n    env:\n      UP: "{upsteam}"\n',
    'line 5: subjects.a.env.UP has the unknown placeholder {upsteam}: did you mean "upstream"? choose from {port}',
  ],
  [
    'a placeholder that does not exist, in a JSON body',
    'subjects:\n  a:\n    command: [x]\n    setup:\n      - path: /a\n        json: { keys: [{ key: "{tokn}" }] }\n',
    'line 6: subjects.a.setup.0.json has the unknown placeholder {tokn}: did you mean "token"? choose from {port}',
  ],
  [
    'a file outside of the folder of the subject',
    'subjects:\n  a:\n    command: [x]\n    files:\n      ../b: text\n',
    'line 5: subjects.a.files.../b must be a relative path that stays below {folder}',
  ],
  [
    'a setup request without a path',
    'subjects:\n  a:\n    command: [x]\n    setup:\n      - json: {}\n',
    'line 5: subjects.a.setup.0.path is missing',
  ],
  [
    'a setup request with two bodies',
    'subjects:\n  a:\n    command: [x]\n    setup:\n      - { path: /a, json: {}, form: {} }\n',
    'line 5: subjects.a.setup.0 must not have both json and form',
  ],
  [
    'a start that does not exist',
    'subjects:\n  a:\n    command: [x]\n    start: onec\n',
    'line 4: subjects.a.start must be one of per-scenario, once: did you mean "once"?',
  ],
  [
    'a key that no header can carry',
    'subjects:\n  a:\n    command: [x]\n    clientKey: "two words"\n',
    'line 4: subjects.a.clientKey must consist of visible ASCII characters',
  ],
  [
    'a header whose name is not valid',
    'subjects:\n  a:\n    command: [x]\n    headers:\n      "x y": z\n',
    'line 5: subjects.a.headers.x y is not a valid name of a header',
  ],
  [
    'a number as the value of a variable',
    'subjects:\n  a:\n    command: [x]\n    env:\n      PORT: 1\n',
    'line 5: subjects.a.env.PORT must be text: put 1 in quotes',
  ],
])('names the line and the key of %s', (_, text, message) => {
  expect(() => parseConfig(text, 'codex-parity.config.json')).toThrow(`codex-parity.config.json, ${message}`);
});

it.each([
  {
    line: 'listening on [::1]:80 (ready)',
    matches: ['INFO listening on [::1]:80 (ready)'],
    other: 'listening',
  },
  { line: '/^ready|listening/i', matches: ['Ready', 'now listening'], other: 'not ready' },
  { line: '/v1 is up', matches: ['path /v1 is up'], other: 'v1 is up' },
])('reads the line $line of a subject that is ready', ({ line, matches, other }) => {
  for (const text of matches) expect(linePattern(line)?.test(text)).toBe(true);
  expect(linePattern(line)?.test(other)).toBe(false);
});
