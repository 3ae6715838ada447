import { writeFileSync } from 'node:fs';
import { createServer, get } from 'node:http';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { authJson, madeUpSignIn } from '../../src/client/official/made-up-sign-in.ts';
import { listenLocally } from '../../src/listening.ts';
import { cli, temporaryFolder } from './cli.ts';
import { runInProcess } from './run-in-process.ts';

/** A folder with a configuration and a sign-in. */
function folderWith(configuration: object): string {
  const folder = temporaryFolder();
  const account = { accountId: 'acct-1', userId: 'user-1', email: 'a@example.com', plan: 'pro' } as const;
  writeFileSync(join(folder, 'auth.json'), authJson(madeUpSignIn(account)));
  writeFileSync(join(folder, 'codex-parity.config.json'), JSON.stringify(configuration));
  return folder;
}

/** Starts the proxy, stops it when it listens, and returns what it printed. */
async function startOutput(folder: string, args: readonly string[], env: Readonly<Record<string, string>>) {
  const { stderr } = await cli(['proxy', ...args], {
    cwd: folder,
    env,
    onStderr: (text, child) => {
      if (text.includes('listening on')) child.kill('SIGINT');
    },
  });
  return stderr;
}

it('prefers options of the command line to the environment, and the environment to the file', async () => {
  const folder = folderWith({
    proxy: { port: 0, auth: 'auth.json', codex: '0.118.0', upstream: 'http://a/file' },
  });
  expect(await startOutput(folder, [], {})).toContain('imitating codex 0.118.0, upstream http://a/file');

  const env = { CODEX_PARITY_PROXY_UPSTREAM: 'http://a/environment' };
  expect(await startOutput(folder, [], env)).toContain(
    'imitating codex 0.118.0, upstream http://a/environment',
  );

  const args = ['--upstream', 'http://a/flag', '--codex', '0.169.0'];
  expect(await startOutput(folder, args, env)).toContain('imitating codex 0.169.0, upstream http://a/flag');
});

it('reports the line of an error in the file', async () => {
  const folder = folderWith({ proxy: { port: 'many' } });
  const { exitCode, stderr } = await runInProcess(['proxy'], { cwd: folder });
  expect(stderr).toMatch(
    /^codex-parity: .*config\.json, line 1: proxy\.port must be a whole number from 0 to 65535\n$/,
  );
  expect(exitCode).toBe(2);
});

it('ignores empty environment variables', async () => {
  const proxy = { port: 0, auth: 'auth.json', codex: '0.118.0', upstream: 'http://a/file' };
  const folder = folderWith({ proxy: { ...proxy, grace: 5 } });
  const names = ['PORT', 'HOST', 'AUTH', 'CODEX', 'UPSTREAM', 'RECORD', 'GRACE', 'LOG_LEVEL', 'GOLDENS'];
  const env = Object.fromEntries(names.map((name) => [`CODEX_PARITY_PROXY_${name}`, '']));
  expect(await startOutput(folder, [], env)).toContain('imitating codex 0.118.0, upstream http://a/file');
});

it('uses the port of the file if the variable is empty', async () => {
  const taken = createServer();
  onTestFinished(() => void taken.close());
  const port = await listenLocally(taken);
  const folder = folderWith({ proxy: { port, auth: 'auth.json', codex: '0.118.0' } });
  expect(await startOutput(folder, [], { CODEX_PARITY_PROXY_PORT: '' })).toMatch(
    new RegExp(`^codex-parity: port ${port} is in use.*\n$`),
  );
});

it.each([
  ['CODEX_PARITY_PROXY_PROT', 'CODEX_PARITY_PROXY_PORT'],
  ['CODEX_PARITY_PROXY_LOG_LEVE', 'CODEX_PARITY_PROXY_LOG_LEVEL'],
  ['CODEX_PARITY_PROXY_LISTEN', 'CODEX_PARITY_PROXY_PORT'],
])('rejects the unknown variable %s', async (name, meant) => {
  const { exitCode, stderr } = await runInProcess(['proxy'], {
    cwd: temporaryFolder(),
    env: { [name]: '1' },
  });
  expect(stderr).toBe(
    `codex-parity: unknown variable ${name}: did you mean "${meant}"? (see codex-parity proxy --help)\n`,
  );
  expect(exitCode).toBe(2);
});

it('names the variable whose value is not a number', async () => {
  const env = { CODEX_PARITY_PROXY_PORT: 'abc' };
  const { exitCode, stderr } = await runInProcess(['proxy'], { cwd: temporaryFolder(), env });
  expect(stderr).toBe(
    'codex-parity: CODEX_PARITY_PROXY_PORT "abc" must be a number (see codex-parity proxy --help)\n',
  );
  expect(exitCode).toBe(2);
});

/** The status of the proxy's health for each Host. */
function statuses(port: number, hosts: readonly string[]): Promise<(number | undefined)[]> {
  const statusOf = (host: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      const options = { host: '127.0.0.1', port, path: '/healthz', headers: { host } };
      get(options, (response) => resolve(response.resume().statusCode)).once('error', reject);
    });
  return Promise.all(hosts.map(statusOf));
}

it.each([
  { place: 'on the command line', args: ['--allow-host', 'proxy.internal', '--allow-host', 'Other'] },
  { place: 'in the environment', env: { CODEX_PARITY_PROXY_ALLOW_HOST: 'proxy.internal,Other' } },
  { place: 'in the file', file: { 'allow-host': ['proxy.internal', 'Other'] } },
])('accepts the names of --allow-host $place', async ({ args = [], env = {}, file = {} }) => {
  const folder = folderWith({ proxy: { port: 0, auth: 'auth.json', codex: '0.118.0', ...file } });
  const hosts = ['proxy.internal:80', 'other', 'localhost', 'foreign'];
  let found: Promise<(number | undefined)[]> | undefined;
  await cli(['proxy', ...args], {
    cwd: folder,
    env,
    onStderr: (text, child) => {
      const port = /listening on http:\/\/[^:]+:(\d+)/.exec(text)?.[1];
      if (port === undefined || found !== undefined) return;
      found = statuses(Number(port), hosts).finally(() => child.kill('SIGINT'));
    },
  });
  expect(await found).toEqual([200, 200, 200, 403]);
});

it.each(['http://proxy.internal', 'proxy.internal:8320', ''])('refuses --allow-host "%s"', async (name) => {
  const { exitCode, stderr } = await runInProcess(['proxy', '--allow-host', name], {
    cwd: temporaryFolder(),
  });
  expect(stderr).toContain(
    `--allow-host "${name}" is not the name of a host: leave out scheme, port and path`,
  );
  expect(exitCode).toBe(2);
});
