import { globSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { stringify } from 'yaml';
import { installOfficialClient } from '../../src/client/install/install.ts';
import type { ClientConfig } from '../../src/config/client-config.ts';
import { repository, temporaryFolder } from './cli.ts';
import { runInProcess } from './run-in-process.ts';

const example = join(repository, 'examples', 'clients', 'ws-client.mjs');
const played = ['--codex', '0.171.0', '--scenario', 'default,fast'];
const options = ['--url={baseUrl}', '--auth={auth}', '--model={model}', '--tier={tier}', '{prompt}'];

/** A copy of the example that can be changed, in a folder where it finds its library. */
function copyOfExample(change: (text: string) => string): { readonly folder: string; readonly file: string } {
  const folder = temporaryFolder();
  symlinkSync(join(repository, 'node_modules'), join(folder, 'node_modules'));
  const text = readFileSync(example, 'utf8');
  const changed = change(text);
  expect(changed).not.toBe(text);
  const file = join(folder, 'client.mjs');
  writeFileSync(file, changed);
  return { folder, file };
}

/** Runs the commands of a document for a shell, as they stand. */
const document = readFileSync(join(repository, 'docs', 'clients-under-test.md'), 'utf8');
const commands = [...document.matchAll(/```sh\n([^`]*)```/g)].map(([, text = '']) =>
  text
    .replaceAll(/\\\n\s*/g, '')
    .trim()
    .split(/\s+/)
    .slice(1),
);
const screens = [...document.matchAll(/```\n(\w+ vs codex [^`]*)```/g)].map(([, text = '']) => text);

it('finds exactly the two faults of the example, as docs/clients-under-test.md shows', async () => {
  const [command = []] = commands;
  const report = join(temporaryFolder(), 'report');
  const reports = ['text=-', `json=${report}.json`, `junit=${report}.xml`].flatMap((one) => [
    '--report',
    one,
  ]);
  const { stdout, exitCode } = await runInProcess([command[0] ?? '', ...reports, ...command.slice(1)]);
  expect(stdout).toBe(screens[0]);
  expect(exitCode).toBe(1);
  const { causes, scenarios } = JSON.parse(readFileSync(`${report}.json`, 'utf8'));
  expect(causes).toMatchObject([
    { code: 'session/cache-key-missing', name: 'prompt_cache_key' },
    { code: 'tier/field-changed', name: 'service_tier' },
  ]);
  expect(scenarios[0].comparisons).toEqual({ parity: { type: 'findings' } });
  expect(readFileSync(`${report}.xml`, 'utf8')).toMatch(/tests="1" failures="1" errors="0" skipped="0"/);
});

it('shows parity for the example without its faults', async () => {
  const { file } = copyOfExample((text) =>
    text
      .replace(
        'const { url, model, tier } = values;',
        "const { url, model } = values;\nconst tier = values.tier === 'fast' ? 'priority' : values.tier;",
      )
      .replace(
        "    text: { verbosity: 'low' },",
        "    prompt_cache_key: session,\n    text: { verbosity: 'low' },",
      ),
  );
  const { stdout, exitCode } = await runInProcess([
    'check',
    '--client',
    ...played,
    '--',
    process.execPath,
    file,
    ...options,
  ]);
  expect(stdout).toContain('parity in 2 scenarios');
  expect(exitCode).toBe(0);
});

it('compares the turn of a client without a prewarm with the turn', async () => {
  const { file } = copyOfExample((text) =>
    text
      .replace(
        "socket.send(request('prewarm', { turnId: '', input: [] }))",
        "socket.send(request('turn', { turnId: turn, input: answer }))",
      )
      .replace('responses > 1', 'responses > 0'),
  );
  const { stdout } = await runInProcess([
    'check',
    '--client',
    ...played,
    '--verbose',
    '--',
    process.execPath,
    file,
    ...options,
  ]);
  const codes = [...stdout.matchAll(/default › ([^:]*): .*(?:\n {2}.*)*\n {2}code +(.*)/g)];
  expect(codes.map(([, place, code]) => `${place} ${code}`)).toEqual([
    'exchange 1 › client message 2 › prompt_cache_key session/cache-key-missing',
    'exchange 1 › client message 1 transport/message-missing',
  ]);
});

it('does not judge requests to another model, and keeps the replies for the others', async () => {
  const { file } = copyOfExample((text) =>
    text.replace(
      'const socket =',
      `const own = { model: 'small', stream: true, input: [], instructions: 'Name it' };
await fetch(\`\${url}/responses\`, { method: 'POST', body: JSON.stringify(own) }).then((r) => r.text());
const socket =`,
    ),
  );
  const { stdout } = await runInProcess([
    'check',
    '--client',
    ...played,
    '--',
    process.execPath,
    file,
    ...options,
  ]);
  expect(stdout).toMatch(/2 causes in 2 scenarios/);
  expect(stdout).toMatch(/note: its own, and not judged: .*2 requests to another model/);
});

it('runs a client of the configuration file, with variables, files and its home', async () => {
  const { folder, file } = copyOfExample((text) =>
    text.replace('values.auth', '[process.env.HOME, process.env.SIGN_IN].join("/")'),
  );
  const client: ClientConfig = {
    command: [process.execPath, file, '--url={origin}/backend-api/codex', '--model={model}', '{prompt}'],
    env: { SIGN_IN: 'a/sign-in.json' },
    files: { 'a/sign-in.json': '{"tokens": {"access_token": "{token}", "account_id": "{account}"}}' },
  };
  writeFileSync(join(folder, 'codex-parity.config.yaml'), stringify({ clients: { mine: client } }));
  const run = await runInProcess(['check', '--client', 'mine', ...played, '--verbose'], { cwd: folder });
  expect(run.stdout).toMatch(/^codes?/);
  expect(run.stdout.match(/code {5}.*/g)).toEqual(['code     session/cache-key-missing']);
  expect(run.stdout).toMatch(
    /not checked: 0\.171\.0 fast: the command does not pass on the service tier: add \{tier\}/,
  );
});

it('reports a client that sends nothing, and what it printed', async () => {
  const { stdout, exitCode } = await runInProcess([
    ...['check', '--client', 'mine', '--codex', '0.171.0', '--scenario', 'default', '--'],
    ...[process.execPath, '-e', 'console.error("no sign-in"); process.exit(4)', '{baseUrl}'],
  ]);
  expect(stdout).toMatch(
    /client mine ended with exit code 4, and no model request reached \{baseUrl\}; it last printed: no sign-in/,
  );
  expect(exitCode).toBe(1);
});

it('reports a client that does not end', async () => {
  const { stdout, exitCode } = await runInProcess([
    ...['check', '--client', 'mine', '--codex', '0.171.0', '--scenario', 'default', '--timeout', '2', '--'],
    ...[process.execPath, '-e', 'setInterval(() => {}, 1000)', '{baseUrl}'],
  ]);
  expect(stdout).toMatch(/client mine did not finish default within 2 s, and no model request reached/);
  expect(exitCode).toBe(1);
});

it('shows parity for the official client, run as docs/clients-under-test.md has it', async () => {
  const { command } = await installOfficialClient('0.171.0');
  const [, words = []] = commands;
  const own = words.flatMap((word) => (word === 'codex' ? command : [word]));
  const scenarios =
    'default,fast,tool-turn,image-input,output-schema,http-fallback,upgrade-500,token-refresh';
  const narrowed = [...own.slice(0, 1), '--codex', '0.171.0', '--scenario', scenarios, ...own.slice(1)];
  const { stdout, exitCode } = await runInProcess(narrowed);
  expect(stdout).toMatch(/parity in 8 scenarios/);
  expect(exitCode).toBe(0);
});

/** Sends one request to an official host, with the TLS of Node. */
const nodeClient = `
const [url, token] = process.argv.slice(1);
const body = JSON.stringify({ model: 'x', input: [], stream: true });
const headers = { authorization: 'Bearer ' + token, 'content-type': 'application/json' };
await fetch(url, { method: 'POST', headers, body }).then((response) => response.text());
`;

it('compares TLS handshakes if it is told to, and names the library', async () => {
  const url = 'https://chatgpt.com/backend-api/codex/responses';
  const client = [
    '--',
    process.execPath,
    '--input-type=module',
    '-e',
    nodeClient,
    url,
    '{token}',
    '{prompt}',
  ];
  const only = ['check', '--client', '--codex', '0.171.0', '--scenario', 'http-fallback'];
  const { stdout } = await runInProcess([...only, '--wire', 'tls', '--report', 'json=-', ...client]);
  const { causes, scenarios } = JSON.parse(stdout);
  expect(scenarios).toMatchObject([{ tls: ['Node'] }]);
  const codes = causes.map(({ code }: { code: string }) => code);
  expect(codes).toEqual(expect.arrayContaining(['wire/tls-ciphers', 'wire/tls-signatures']));
  expect(codes).not.toContain('wire/tls-versions');
  // A baseline that names them turns the comparison on. `diff` compares those of a trace.
  const folder = temporaryFolder();
  const accepted = [{ code: 'wire/tls-ciphers', driver: 'client', reason: 'It is written for Node.' }];
  writeFileSync(join(folder, 'parity-baseline.yaml'), stringify({ accepted }));
  const gated = await runInProcess([...only, '--keep-traces', 'always', ...client], { cwd: folder });
  expect(gated.stdout).toContain('\nTLS       looks like Node\n');
  const [trace = ''] = globSync('.codex-parity/**/*.trace.jsonl', { cwd: folder });
  const diff = ['diff', '0.171.0/http-fallback', trace];
  const [plain, wire] = [
    await runInProcess(diff, { cwd: folder }),
    await runInProcess([...diff, '--wire', 'tls'], { cwd: folder }),
  ];
  expect(wire.stdout).toContain('TLS ciphers');
  expect(plain.stdout).not.toContain('TLS ciphers');
  const without = await runInProcess([...only, ...client]);
  expect(without.stdout).toContain('transport/http');
  expect(without.stdout).not.toMatch(/wire\/|^TLS /m);
});

it('has parity with its own TLS handshakes for the official client, and one finding for those of an older one', async () => {
  const client = async (version: string) => {
    const { command } = await installOfficialClient(version);
    const args = ['exec', '--skip-git-repo-check', '--image={image}', '--output-schema={schema}', '{prompt}'];
    return ['--', 'env', 'CODEX_HOME={codexHome}', ...command, ...args];
  };
  const checked = [
    'check',
    '--client',
    '--wire',
    'tls',
    '--codex',
    '0.171.0',
    '--scenario',
    'fast,http-fallback',
  ];
  const official = await runInProcess([...checked, ...(await client('0.171.0'))]);
  expect(official.stdout).toMatch(/parity in 2 scenarios .*\nTLS {7}looks like rustls\n/);
  expect(official.exitCode).toBe(0);
  const older = await runInProcess([...checked, ...(await client('0.149.0'))]);
  expect(older.stdout.match(/wire\/.*/g)).toEqual([
    expect.stringMatching(/^wire\/tls-signatures +other TLS signature algorithms: mldsa44 missing, 2 more/),
  ]);
});

it.each([
  [
    ['--client', '--', 'x', '{baseUrl}', '{prompt}'],
    'client x is given a URL without TLS: leave out {baseUrl}',
  ],
  [[], 'bundled reaches the simulated backend without TLS: describe it as a subject with "upstream: https"'],
])('says that it cannot compare TLS where there is none: %j', async (args, message) => {
  const { stderr, exitCode } = await runInProcess(['check', '--wire', 'tls', ...args]);
  expect(stderr).toContain(`--wire tls: ${message}`);
  expect(exitCode).toBe(2);
});
