import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { Accounts } from '../../../src/proxy/sign-in/accounts.ts';
import { holderOf } from '../../../src/proxy/sign-in/sign-in.ts';
import { MemoryState } from '../../../src/proxy/state/memory-state.ts';
import {
  authFile,
  endpointAt,
  type TokenResponse,
  temporaryFolder,
  token,
  tokenEndpoint,
} from './endpoint.ts';

/** Creates a folder with one account for each name. */
function folderOf(...names: string[]): string {
  const folder = temporaryFolder();
  for (const name of names) writeAccount(folder, name, 3600);
  return folder;
}

function writeAccount(folder: string, name: string, seconds: number, suffix = '.json'): void {
  const account = {
    type: 'codex',
    access_token: token(seconds, name),
    refresh_token: `refresh-${name}`,
    account_id: name,
  };
  writeFileSync(join(folder, `${name}${suffix}`), JSON.stringify(account));
}

function served(accounts: Accounts, ...sessions: string[]): string[] {
  return sessions.map((session) => basename(accounts.forSession(session).path, '.json'));
}

it('assigns the accounts to new sessions in turn and keeps the assignment', () => {
  const accounts = new Accounts(folderOf('b', 'a', 'c'), endpointAt(1));
  accounts.check();
  expect(served(accounts, '1', '2', '3', '4')).toEqual(['a', 'b', 'c', 'a']);
  expect(served(accounts, '3', '2', '4', '1')).toEqual(['c', 'b', 'a', 'a']);
});

it('uses added accounts and stops using removed ones', () => {
  const folder = folderOf('a');
  const accounts = new Accounts(folder, endpointAt(1));
  expect(served(accounts, '1', '2')).toEqual(['a', 'a']);
  writeAccount(folder, 'b', 3600);
  expect(served(accounts, '3', '4').sort()).toEqual(['a', 'b']);
  rmSync(join(folder, 'a.json'));
  expect(served(accounts, '1', '2', '5')).toEqual(['b', 'b', 'b']);
});

it('skips files without a sign-in and refused accounts', async () => {
  const { endpoint } = await tokenEndpoint(() => ({ status: 401, body: '{}' }));
  const folder = folderOf('a', 'c');
  writeAccount(folder, 'b', -60);
  writeFileSync(
    join(folder, 'd.json'),
    JSON.stringify({ type: 'gemini', access_token: 't', account_id: 'd' }),
  );
  writeFileSync(join(folder, 'e.json'), 'torn');
  writeAccount(folder, 'f', 3600, '.json.some-id.tmp');
  const accounts = new Accounts(folder, endpoint);
  expect(served(accounts, '1', '2', '3', '4')).toEqual(['a', 'b', 'c', 'a']);
  await expect(accounts.forSession('2').current()).rejects.toMatchObject({ code: 'sign-in-refused' });
  expect(served(accounts, '2', '5', '6').sort()).toEqual(['a', 'a', 'c']);
});

it('uses a single file for every session', async () => {
  const path = authFile(3600);
  const accounts = new Accounts(path, endpointAt(1));
  accounts.check();
  expect(accounts.forSession('1')).toBe(accounts.forSession('2'));
  expect(await accounts.forSession('1').current()).toMatchObject({ accountId: 'account-0' });
});

it.each([
  { name: 'no file', path: () => join(temporaryFolder(), 'auth.json'), message: /cannot read the sign-in/ },
  { name: 'an empty folder', path: () => temporaryFolder(), message: /no sign-in in .* can be used/ },
])('reports at the start that there is $name', ({ path, message }) => {
  const accounts = new Accounts(path(), endpointAt(1));
  expect(() => accounts.check()).toThrow(
    expect.objectContaining({ code: 'bad-sign-in', message: expect.stringMatching(message) }),
  );
});

it('reads only regular files', async () => {
  const folder = folderOf('a');
  execFileSync('mkfifo', [join(folder, 'b.json')]);
  writeFileSync(join(folder, 'c.json'), ' '.repeat(2 * 1024 * 1024));
  mkdirSync(join(folder, 'd.json'));
  expect(served(new Accounts(folder, endpointAt(1)), '1', '2', '3')).toEqual(['a', 'a', 'a']);
  const accounts = new Accounts(join(folder, 'b.json'), endpointAt(1));
  expect(() => accounts.check()).toThrow('is not a regular file');
});

/** How the token endpoint fails for one account, and what the account's file contains. */
const failures: {
  failure: string;
  respond?: () => TokenResponse | Promise<TokenResponse>;
  more?: object;
}[] = [
  { failure: 'the endpoint responds with 500', respond: () => ({ status: 500, body: '' }) },
  { failure: 'the endpoint hangs up', respond: () => 'hang up' },
  { failure: 'the endpoint does not respond', respond: () => new Promise(() => {}) },
  {
    failure: 'the response is too long',
    respond: () => ({ status: 200, body: `${' '.repeat(2 ** 21)}{"access_token":"${token(60, 'late')}"}` }),
  },
  {
    failure: 'the token cannot be sent',
    respond: () => ({ status: 200, body: JSON.stringify({ access_token: 'a\nb' }) }),
  },
  { failure: 'the account is refused', respond: () => ({ status: 401, body: '{}' }) },
  { failure: 'there is no refresh token', more: { refresh_token: '' } },
  { failure: 'it is an API key', more: { OPENAI_API_KEY: 'sk-1', auth_mode: 'apikey' } },
];

it.each(failures)(
  'uses another account when one cannot be renewed: $failure',
  async ({ respond, more = {} }) => {
    const { endpoint, requests } = await tokenEndpoint(respond);
    const folder = folderOf('b');
    const expired = { type: 'codex', access_token: token(-60, 'a'), refresh_token: 'r', account_id: 'a' };
    writeFileSync(join(folder, 'a.json'), JSON.stringify({ ...expired, ...more }));
    const accounts = new Accounts(folder, endpoint);
    for (const session of ['1', '2', '3', '4']) {
      expect(await accounts.signIn(session)).toMatchObject({ accountId: 'b' });
    }
    // The failing account rests.
    expect(requests.length).toBeLessThan(2);
  },
);

it('uses another account while the renewal of one goes on', async () => {
  const renewed = Promise.withResolvers<TokenResponse>();
  const { endpoint } = await tokenEndpoint(() => renewed.promise);
  const folder = folderOf('b');
  writeAccount(folder, 'a', -60);
  expect(await new Accounts(folder, endpoint).signIn('1')).toMatchObject({ accountId: 'b' });
  renewed.resolve({ status: 200, body: '{"access_token":"a-new-token"}' });
  await expect.poll(() => readFileSync(join(folder, 'a.json'), 'utf8')).toContain('a-new-token');
});

it('uses another account after one was refused and cannot be renewed', async () => {
  const { endpoint } = await tokenEndpoint(() => ({ status: 500, body: '' }));
  const accounts = new Accounts(folderOf('a', 'b'), endpoint);
  const refused = await accounts.signIn('1');
  expect(refused).toMatchObject({ accountId: 'a' });
  expect(await accounts.renew('1', refused)).toMatchObject({ accountId: 'b' });
  expect(await accounts.signIn('1')).toMatchObject({ accountId: 'b' });
});

it('reports why the only account cannot be renewed', async () => {
  const { endpoint } = await tokenEndpoint(() => ({ status: 401, body: '{}' }));
  const folder = temporaryFolder();
  writeAccount(folder, 'a', -60);
  await expect(new Accounts(folder, endpoint).signIn('1')).rejects.toMatchObject({ code: 'sign-in-refused' });
});

/** The limit of an account in a folder. */
const limitOf = (folder: string, account: string, milliseconds: number) => ({
  holder: `${join(folder, `${account}.json`)} ${account}`,
  until: Date.now() + milliseconds,
  canMove: false,
});

it('gives new sessions the accounts whose limit is not reached, and all of them after the reset', () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  onTestFinished(() => void vi.useRealTimers());
  const folder = folderOf('a', 'b', 'c');
  const accounts = new Accounts(folder, endpointAt(1));
  expect(served(accounts, '1', '2', '3')).toEqual(['a', 'b', 'c']);
  expect(accounts.limited('1', limitOf(folder, 'a', 5000))).toBe(true);
  expect(accounts.limited('3', limitOf(folder, 'c', 60_000))).toBe(true);
  expect(served(accounts, '1', '3', '4', '5', '6')).toEqual(['b', 'b', 'b', 'b', 'b']);
  vi.setSystemTime(Date.now() + 5000);
  expect(served(accounts, '7', '8').sort()).toEqual(['a', 'b']);
});

it('gives new sessions the account whose limit is reset first when none can serve them', () => {
  const folder = folderOf('a', 'b');
  const accounts = new Accounts(folder, endpointAt(1));
  accounts.limited('', limitOf(folder, 'a', 90_000));
  accounts.limited('', limitOf(folder, 'b', 60_000));
  expect(served(accounts, '1', '2')).toEqual(['b', 'b']);
  expect(accounts.limited('1', limitOf(folder, 'b', 60_000))).toBe(false);
});

it('forgets the limit of an account that serves a request before its reset', () => {
  const folder = folderOf('a', 'b');
  const accounts = new Accounts(folder, endpointAt(1));
  accounts.limited('', limitOf(folder, 'a', 60_000));
  accounts.limited('', limitOf(folder, 'b', 90_000));
  expect(served(accounts, '1')).toEqual(['a']);
  accounts.served('1', limitOf(folder, 'a', 0).holder);
  accounts.limited('', limitOf(folder, 'b', 1000));
  expect(served(accounts, '2')).toEqual(['a']);
});

it('forgets the limit even if the shared state still had it, and arrives late', async () => {
  const folder = folderOf('a', 'b');
  const late = Promise.withResolvers<void>();
  class LateState extends MemoryState {
    override async get(keys: readonly string[]) {
      const texts = await super.get(keys);
      await late.promise;
      return texts;
    }
  }
  const accounts = new Accounts(folder, endpointAt(1), new LateState({ keys: 100, length: 10_000 }));
  const limit = limitOf(folder, 'a', 60_000);
  accounts.limited('', limit);
  const waiting = accounts.signIn('1');
  accounts.served('2', limit.holder);
  late.resolve();
  await waiting;
  expect(served(accounts, '3', '4').sort()).toEqual(['a', 'b']);
});

it('keeps the account that has served a session, although its limit is reached', () => {
  const folder = folderOf('a', 'b');
  const accounts = new Accounts(folder, endpointAt(1));
  expect(served(accounts, '1')).toEqual(['a']);
  const { holder, ...limit } = limitOf(folder, 'a', 60_000);
  accounts.served('1', holder);
  expect(accounts.limited('1', { holder, ...limit })).toBe(false);
  expect(served(accounts, '1', '2')).toEqual(['a', 'b']);
  expect(accounts.limited('1', { holder, ...limit, canMove: true })).toBe(true);
  expect(served(accounts, '1')).toEqual(['b']);
});

it('tells the users of one workspace apart', async () => {
  const folder = temporaryFolder();
  for (const name of ['a', 'b']) {
    const account = { type: 'codex', access_token: token(3600, name), account_id: 'workspace' };
    writeFileSync(join(folder, `${name}.json`), JSON.stringify(account));
  }
  const accounts = new Accounts(folder, endpointAt(1));
  const first = await accounts.signIn('1');
  expect(accounts.limited('1', { holder: holderOf(first), until: Date.now() + 60_000, canMove: false })).toBe(
    true,
  );
  const second = await accounts.signIn('1');
  expect(second.accessToken).not.toBe(first.accessToken);
  expect(holderOf(second)).not.toBe(holderOf(first));
});

it('has no alternative to a single file', () => {
  const accounts = new Accounts(authFile(3600), endpointAt(1));
  expect(accounts.limited('1', { holder: 'x', until: Date.now() + 60_000, canMove: true })).toBe(false);
});
