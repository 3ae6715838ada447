import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { SubjectConfig } from '../../src/config/subject-config.ts';
import { repository, temporaryFolder } from './cli.ts';
import { runInProcess } from './run-in-process.ts';

/** The bundled proxy, as a program. */
const proxy = [process.execPath, join(repository, 'src', 'cli', 'main.ts'), 'proxy', '--log-level', 'warn'];
const options = ['--port', '{port}', '--upstream', '{upstream}', '--auth', '{auth}', '--codex', '{codex}'];

/** A proxy that starts in a fraction of the time. It has no sign-in. */
const relay = [process.execPath, join(import.meta.dirname, 'message-proxy.ts'), '{port}', '{upstream}'];

const key = 'a-key-of-the-clients';

/** Checks a subject in a new folder. */
async function check(subject: SubjectConfig, args: readonly string[] = [], scenarios = 'fast') {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'codex-parity.config.yaml'), stringify({ subjects: { mine: subject } }));
  const selection = ['--codex', '0.171.0', '--scenario', scenarios];
  return {
    folder,
    ...(await runInProcess(['check', '--subject', 'mine', '--verbose', ...selection, ...args], {
      cwd: folder,
    })),
  };
}

const parity = 'parity: mine sends what the official client sends';

it('starts a proxy with variables, files and a working folder, and sends the key of its clients', async () => {
  const { stdout, exitCode } = await check({
    command: proxy,
    env: { CODEX_PARITY_API_KEY: key, CODEX_PARITY_PROXY_CODEX: '{codex}' },
    cwd: '{folder}/work',
    files: {
      'work/codex-parity.config.json':
        '{"proxy": {"port": {port}, "upstream": "{upstream}", "auth": "{auth}", "goldens": "{goldens}"}}',
    },
    clientKey: key,
  });
  expect(stdout).toContain(parity);
  expect(exitCode).toBe(0);
});

it('reports what a proxy answers to clients without their key', async () => {
  const { stdout, exitCode } = await check({
    command: [...proxy, ...options],
    env: { CODEX_PARITY_API_KEY: key },
  });
  expect(stdout).toMatch(/401/);
  expect(exitCode).toBe(1);
});

it.each(['openai-responses', 'openai-chat'])(
  'sends the key of the clients with driver %s',
  async (driver) => {
    const { stdout, exitCode } = await check(
      { command: [...proxy, ...options], path: '/v1', env: { CODEX_PARITY_API_KEY: key }, clientKey: key },
      ['--driver', driver],
    );
    expect(stdout).toContain(parity);
    expect(exitCode).toBe(0);
  },
);

it('rejects settings of clients that the official client does not send', async () => {
  const { stderr, exitCode } = await check({ command: proxy, clientKey: key }, ['--driver', 'codex']);
  expect(stderr).toContain(
    'subject mine has clientKey, headers or models, which the official client does not send: use another driver than codex',
  );
  expect(exitCode).toBe(2);
});

it('checks a proxy whose upstream is not configured, through an HTTP proxy', async () => {
  const { stdout, exitCode } = await check(
    {
      command: [...proxy, '--port', '{port}', '--auth', '{auth}', '--codex', '{codex}'],
      upstream: 'https',
      start: 'once',
    },
    [],
    'default,fast,token-refresh',
  );
  expect(stdout).toContain(parity);
  expect(exitCode).toBe(0);
});

it('names the certificate that a proxy does not trust', async () => {
  const { stdout, exitCode } = await check({
    command: [...proxy, '--port', '{port}', '--auth', '{auth}', '--codex', '{codex}'],
    upstream: 'https',
    env: { NODE_EXTRA_CA_CERTS: '' },
  });
  expect(stdout).toMatch(
    /its connection failed: chatgpt\.com: the client did not complete the TLS handshake/,
  );
  expect(exitCode).toBe(1);
});

it('starts a proxy once for all scenarios', async () => {
  const starts = join(temporaryFolder(), 'starts');
  const [node = '', ...rest] = [...proxy, ...options];
  const { stdout, exitCode } = await check(
    {
      command: [node, '--import', '{folder}/count.mjs', ...rest],
      files: {
        'count.mjs': `import { appendFileSync } from 'node:fs'; appendFileSync(process.env.STARTS, 'x');`,
      },
      env: { STARTS: starts, CODEX_REFRESH_TOKEN_URL_OVERRIDE: '{origin}/oauth/token' },
      start: 'once',
    },
    [],
    'default,expired-token,fast,second-turn,token-refresh,tool-turn',
  );
  expect(readFileSync(starts, 'utf8')).toBe('x');
  expect(stdout).toContain(`${parity} (6 scenarios, 1 not checked, driver replay)`);
  expect(stdout).toContain(
    'not checked: 0.171.0 expired-token: its sign-in has expired at the start, and the subject starts once',
  );
  expect(exitCode).toBe(0);
});

it('removes the folder of a proxy after the check', async () => {
  const found = join(temporaryFolder(), 'found');
  const [node = '', ...rest] = relay;
  await check({
    command: [node, '--import', '{folder}/write.mjs', ...rest],
    files: {
      'write.mjs': `import { writeFileSync } from 'node:fs'; writeFileSync(process.env.FOUND, import.meta.dirname);`,
    },
    env: { FOUND: found },
  });
  const folder = readFileSync(found, 'utf8');
  expect(folder).toContain('codex-parity-subject-');
  expect(existsSync(folder)).toBe(false);
});

it.each([
  { cwd: 'no/such/folder', problem: 'its cwd no/such/folder is not a folder' },
  {
    setup: [{ path: '/api/none', json: { token: '{token}' } }],
    problem: 'answers POST /api/none of its setup with 404: ',
  },
])('reports $problem', async ({ problem, ...fields }) => {
  const { stdout, exitCode } = await check({ command: relay, ...fields } as SubjectConfig);
  expect(stdout).toContain(problem);
  expect(exitCode).toBe(1);
});
