import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import {
  makeEnvironment,
  makeSignIn,
  secretsOf,
  variedBetween,
} from '../../src/client/official/environment.ts';
import { authJson } from '../../src/client/official/made-up-sign-in.ts';
import { temporaryFolder } from './temporary-folder.ts';

it('makes the folders and auth.json of the run', async () => {
  const { home, codexHome, cwd, signIn } = await makeEnvironment(await temporaryFolder(), 0);

  expect((await stat(home)).isDirectory()).toBe(true);
  expect(await readdir(cwd)).toEqual([]);
  expect(await readFile(join(codexHome, 'auth.json'), 'utf8')).toBe(authJson(signIn));
});

it('makes the sign-in of the run alone', async () => {
  const [root, folder] = [await temporaryFolder(), await temporaryFolder()];
  const { signIn } = await makeEnvironment(root, 0);

  expect(await makeSignIn(folder, 0)).toEqual({ codexHome: folder, signIn });
  expect(await readdir(folder)).toEqual(['auth.json']);
  expect(await readFile(join(folder, 'auth.json'), 'utf8')).toBe(authJson(signIn));
});

it('signs in with an expired access token when the task requires it', async () => {
  const root = await temporaryFolder();
  const [valid, expired] = [
    await makeEnvironment(root, 0),
    await makeEnvironment(root, 0, { expired: true }),
  ];

  expect(expired.signIn.accessToken).not.toBe(valid.signIn.accessToken);
  expect(await readFile(join(expired.codexHome, 'auth.json'), 'utf8')).toBe(authJson(expired.signIn));
});

it('differs between two runs in everything that the client could send', async () => {
  const root = await temporaryFolder();
  const [a, b] = [await makeEnvironment(root, 0), await makeEnvironment(root, 1)];

  for (const key of ['home', 'codexHome', 'cwd'] as const) expect(a[key]).not.toBe(b[key]);
  for (const [what, secret] of Object.entries(a.signIn)) {
    expect(Object.values(b.signIn), what).not.toContain(secret);
  }
  for (const name of ['TZ', 'LANG', 'TERM_PROGRAM', 'USER', 'HOME', 'CODEX_HOME', 'TMPDIR']) {
    expect(a.env[name], name).not.toBe(b.env[name]);
  }
});

it('has different folder depths, locales, users and terminals in three runs', async () => {
  const root = await temporaryFolder();
  const runs = await Promise.all([0, 1, 2].map((n) => makeEnvironment(root, n)));

  for (const different of [
    runs.map(({ cwd }) => depth(cwd)),
    runs.map(({ home }) => depth(home)),
    ...['LANG', 'USER', 'HOME'].map((name) => runs.map(({ env }) => env[name])),
    runs.map(({ env }) => `${env.TERM} ${env.TERM_PROGRAM}`),
  ])
    expect(new Set(different).size, String(different)).toBe(3);
});

it('signs in with an API key in the lane api-key, and lists the key as a secret', async () => {
  const environment = await makeEnvironment(await temporaryFolder(), 0, { lane: 'api-key' });
  const { OPENAI_API_KEY: key, ...rest }: { OPENAI_API_KEY: string } = JSON.parse(
    await readFile(join(environment.codexHome, 'auth.json'), 'utf8'),
  );

  expect(key).toMatch(/^sk-/);
  expect(rest).toEqual({ auth_mode: 'apikey' });
  expect(secretsOf(environment).token).toContain(key);
});

it('has different dates in consecutive runs, at any hour', async () => {
  const root = await temporaryFolder();
  const runs = await Promise.all([0, 1, 2, 3].map((n) => makeEnvironment(root, n)));
  const offsets = runs.map(({ env }) => hoursAheadOfUtc(env.TZ ?? ''));

  for (let hour = 0; hour < 24; hour += 1) {
    const days = offsets.map((offset) => new Date(Date.UTC(2026, 0, 15, hour + offset)).getUTCDate());
    for (const [index, day] of days.slice(1).entries()) expect(day, `${hour}:00 UTC`).not.toBe(days[index]);
  }
});

it('is the same for the same run', async () => {
  const root = await temporaryFolder();

  expect(await makeEnvironment(root, 3)).toEqual(await makeEnvironment(root, 3));
});

it('inherits only the variables for finding programs', async () => {
  process.env.OPENAI_API_KEY = 'sk-of-whoever-runs-this';
  onTestFinished(() => {
    delete process.env.OPENAI_API_KEY;
  });

  const { env } = await makeEnvironment(await temporaryFolder(), 0);

  expect(env.PATH).toBe(process.env.PATH);
  expect(Object.values(env)).not.toContain('sk-of-whoever-runs-this');
});

it('hides a surrounding repository from git', async () => {
  const { env, cwd } = await makeEnvironment(await temporaryFolder(), 0);

  expect(env.GIT_CEILING_DIRECTORIES).toBe(dirname(cwd));
});

it('lists everything in auth.json as a secret', async () => {
  const environment = await makeEnvironment(await temporaryFolder(), 2);

  const { tokens }: { tokens: Record<string, string> } = JSON.parse(
    await readFile(join(environment.codexHome, 'auth.json'), 'utf8'),
  );

  for (const value of Object.values(tokens))
    expect(Object.values(secretsOf(environment)).flat()).toContain(value);
});

function depth(path: string): string {
  return String(path.split(/[\\/]/).length);
}

/** Reads a POSIX time zone such as `LINT-14`. Its sign is that of UTC minus local time. */
function hoursAheadOfUtc(zone: string): number {
  return -Number(/-?\d+$/.exec(zone)?.[0]);
}

it('names exactly the traits that differ between runs', () => {
  const all = [
    'account',
    'codex home',
    'cwd',
    'home',
    'installation',
    'locale',
    'plan',
    'start-up files',
    'terminal',
    'time zone',
    'user',
  ];
  expect(variedBetween([0, 1, 2], 'chatgpt')).toEqual(all);
  expect(variedBetween([4], 'chatgpt')).toEqual([]);
  // These have two values each, so runs 0 and 2 have the same.
  const alike = ['codex home', 'time zone'];
  expect(variedBetween([0, 2], 'chatgpt')).toEqual(all.filter((name) => !alike.includes(name)));
});

it('has a user, folders and start-up files with and without non-ASCII characters in three runs', async () => {
  const root = await temporaryFolder();
  const runs = await Promise.all([0, 1, 2].map((n) => makeEnvironment(root, n)));
  const isAscii = (text = '') => !/[\x80-\uffff]/.test(text);

  expect(new Set(runs.map(({ cwd }) => isAscii(basename(cwd)))).size).toBe(2);
  expect(new Set(runs.map(({ env }) => env.LC_ALL)).size).toBe(3);
  const printing = await Promise.all(
    runs.map(({ home }) => readFile(join(home, '.bashrc'), 'utf8').catch(() => '')),
  );
  expect(printing.map((text) => text.startsWith('echo '))).toEqual([false, true, false]);
});

it('has users with and without non-ASCII characters in any three consecutive runs', async () => {
  const root = await temporaryFolder();
  const numbers = Array.from({ length: 9 }, (_, n) => n);
  const runs = await Promise.all(numbers.map((n) => makeEnvironment(root, n)));
  const areAscii = runs.map(({ env }) => !/[\x80-\uffff]/.test(env.USER ?? ''));

  for (const n of numbers.slice(2)) expect(new Set(areAscii.slice(n - 2, n + 1)).size, String(n)).toBe(2);
});

it.each([
  ['chatgpt', ['pro', 'edu', 'plus']],
  ['free-plan', ['free', 'free', 'free']],
  ['business-plan', ['team', 'enterprise', 'business']],
] as const)('signs in with the plans of lane %s', async (lane, plans) => {
  const root = await temporaryFolder();
  const runs = await Promise.all([0, 1, 2].map((n) => makeEnvironment(root, n, { lane })));

  expect(runs.map(({ signIn }) => signIn.plan)).toEqual(plans);
  expect(runs.map(({ signIn }) => signIn.fedramp)).toEqual([undefined, undefined, undefined]);
});

it('marks the account as of a government agency in lane fedramp only', async () => {
  const { signIn } = await makeEnvironment(await temporaryFolder(), 0, { lane: 'fedramp' });
  const claims = Buffer.from(signIn.accessToken.split('.')[1] ?? '', 'base64url').toString();

  expect(JSON.parse(claims)['https://api.openai.com/auth'].chatgpt_account_is_fedramp).toBe(true);
});
