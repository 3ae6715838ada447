import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { makeEnvironment, secretsOf, variedBetween } from '../../src/client/official/environment.ts';
import { authJson } from '../../src/client/official/made-up-sign-in.ts';
import { temporaryFolder } from './temporary-folder.ts';

it('makes the folders of the run and signs it in', async () => {
  const { home, codexHome, cwd, signIn } = await makeEnvironment(await temporaryFolder(), 0);

  expect((await stat(home)).isDirectory()).toBe(true);
  expect(await readdir(cwd)).toEqual([]);
  expect(await readFile(join(codexHome, 'auth.json'), 'utf8')).toBe(authJson(signIn));
});

it('signs the run in with an access token that has run out, where the task says so', async () => {
  const root = await temporaryFolder();
  const [valid, expired] = [
    await makeEnvironment(root, 0),
    await makeEnvironment(root, 0, { expired: true }),
  ];

  expect(expired.secrets.accessToken).not.toBe(valid.secrets.accessToken);
  expect(await readFile(join(expired.codexHome, 'auth.json'), 'utf8')).toBe(authJson(expired.signIn));
});

it('differs between two runs in everything the client could tell', async () => {
  const root = await temporaryFolder();
  const [one, other] = [await makeEnvironment(root, 0), await makeEnvironment(root, 1)];

  for (const key of ['home', 'codexHome', 'cwd'] as const) expect(one[key]).not.toBe(other[key]);
  for (const [what, secret] of Object.entries(one.secrets)) {
    expect(Object.values(other.secrets), what).not.toContain(secret);
  }
  expect(one.signIn.plan).not.toBe(other.signIn.plan);
  for (const name of ['TZ', 'LANG', 'TERM_PROGRAM', 'USER', 'HOME', 'CODEX_HOME', 'TMPDIR']) {
    expect(one.env[name], name).not.toBe(other.env[name]);
  }
});

it('gives each of three runs its own depth of the working folder, locale, user and terminal', async () => {
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

it('signs in with a key in its lane, which is a secret like the tokens', async () => {
  const environment = await makeEnvironment(await temporaryFolder(), 0, { lane: 'api-key' });
  const { OPENAI_API_KEY: key, ...rest }: { OPENAI_API_KEY: string } = JSON.parse(
    await readFile(join(environment.codexHome, 'auth.json'), 'utf8'),
  );

  expect(key).toMatch(/^sk-/);
  expect(rest).toEqual({ auth_mode: 'apikey' });
  expect(secretsOf(environment).token).toContain(key);
});

it('never shows two runs in a row the same date, at any hour', async () => {
  const root = await temporaryFolder();
  const runs = await Promise.all([0, 1, 2, 3].map((n) => makeEnvironment(root, n)));
  const offsets = runs.map(({ env }) => hoursAheadOfUtc(env.TZ ?? ''));

  for (let hour = 0; hour < 24; hour += 1) {
    const days = offsets.map((offset) => new Date(Date.UTC(2026, 0, 15, hour + offset)).getUTCDate());
    for (const [at, day] of days.slice(1).entries()) expect(day, `${hour}:00 UTC`).not.toBe(days[at]);
  }
});

it('is the same for the same run', async () => {
  const root = await temporaryFolder();

  expect(await makeEnvironment(root, 3)).toEqual(await makeEnvironment(root, 3));
});

it('inherits nothing but where programs are found', async () => {
  process.env.OPENAI_API_KEY = 'sk-of-whoever-runs-this';
  onTestFinished(() => {
    delete process.env.OPENAI_API_KEY;
  });

  const { env } = await makeEnvironment(await temporaryFolder(), 0);

  expect(env.PATH).toBe(process.env.PATH);
  expect(Object.values(env)).not.toContain('sk-of-whoever-runs-this');
});

it('hides a repository around it from git', async () => {
  const { env, cwd } = await makeEnvironment(await temporaryFolder(), 0);

  expect(env.GIT_CEILING_DIRECTORIES).toBe(dirname(cwd));
});

it('lists as secrets all that auth.json holds', async () => {
  const { codexHome, secrets } = await makeEnvironment(await temporaryFolder(), 2);

  const { tokens }: { tokens: Record<string, string> } = JSON.parse(
    await readFile(join(codexHome, 'auth.json'), 'utf8'),
  );

  for (const value of Object.values(tokens)) expect(Object.values(secrets)).toContain(value);
});

function depth(path: string): string {
  return String(path.split(/[\\/]/).length);
}

/** Reads a POSIX time zone such as `LINT-14`, whose sign says how far UTC is ahead of it. */
function hoursAheadOfUtc(zone: string): number {
  return -Number(/-?\d+$/.exec(zone)?.[0]);
}

it('names what differs between runs, and nothing that does not', () => {
  const all = [
    'account',
    'codex home',
    'cwd',
    'home',
    'installation',
    'locale',
    'plan',
    'terminal',
    'time zone',
    'user',
  ];
  expect(variedBetween([0, 1, 2])).toEqual(all);
  expect(variedBetween([4])).toEqual([]);
  // Of these there are two each, so that runs 0 and 2 are alike in them.
  const alike = ['codex home', 'plan', 'time zone'];
  expect(variedBetween([0, 2])).toEqual(all.filter((name) => !alike.includes(name)));
});
