import { rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, it } from 'vitest';
import { Accounts } from '../../../src/proxy/sign-in/accounts.ts';
import { authFile, endpointAt, temporaryFolder, token, tokenEndpoint } from './endpoint.ts';

/** A folder with an account of each name. */
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

it('gives new sessions the accounts in turn and keeps each with its own', () => {
  const accounts = new Accounts(folderOf('b', 'a', 'c'), endpointAt(1));
  accounts.check();
  expect(served(accounts, '1', '2', '3', '4')).toEqual(['a', 'b', 'c', 'a']);
  expect(served(accounts, '3', '2', '4', '1')).toEqual(['c', 'b', 'a', 'a']);
});

it('serves from an account that came later and not from one that went', () => {
  const folder = folderOf('a');
  const accounts = new Accounts(folder, endpointAt(1));
  expect(served(accounts, '1', '2')).toEqual(['a', 'a']);
  writeAccount(folder, 'b', 3600);
  expect(served(accounts, '3', '4').sort()).toEqual(['a', 'b']);
  rmSync(join(folder, 'a.json'));
  expect(served(accounts, '1', '2', '5')).toEqual(['b', 'b', 'b']);
});

it('passes over what is no sign-in, and an account that is refused', async () => {
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

it('serves every session from a single file', async () => {
  const path = authFile(3600);
  const accounts = new Accounts(path, endpointAt(1));
  accounts.check();
  expect(accounts.forSession('1')).toBe(accounts.forSession('2'));
  expect(await accounts.forSession('1').current()).toMatchObject({ accountId: 'account-0' });
});

it.each([
  { name: 'no file', path: () => join(temporaryFolder(), 'auth.json'), says: /cannot read the sign-in/ },
  { name: 'an empty folder', path: () => temporaryFolder(), says: /no sign-in in .* can be used/ },
])('tells at once that there is $name', ({ path, says }) => {
  const accounts = new Accounts(path(), endpointAt(1));
  expect(() => accounts.check()).toThrow(
    expect.objectContaining({ code: 'bad-sign-in', message: expect.stringMatching(says) }),
  );
});
