import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { configuredSubject, type Placeholders, takesSignIn } from '../../src/check/subject.ts';
import { makeSubjectFolder, writeSignIn, writeSubjectFiles } from '../../src/check/subject-folder.ts';
import { madeUpSignIn } from '../../src/client/official/made-up-sign-in.ts';
import { temporaryFolder } from '../e2e/cli.ts';

const signIn = madeUpSignIn({ accountId: 'acct-1', userId: 'user-1', email: 'a@example.com', plan: 'pro' });
const given = { signIn, byKey: false, expired: false };

function subject(fields: object) {
  return configuredSubject('mine', { command: ['x'], ...fields }, '.');
}

function written(fields: object, options: object = {}) {
  const values = writeSignIn(subject(fields), temporaryFolder(), { ...given, ...options });
  return { values, file: JSON.parse(readFileSync(values.auth, 'utf8')) };
}

it('writes the sign-in as auth.json, renewed just now', () => {
  const { file, values } = written({});
  expect(file).toMatchObject({ auth_mode: 'chatgpt', tokens: { account_id: 'acct-1' } });
  expect(Date.now() - Date.parse(file.last_refresh)).toBeLessThan(60_000);
  expect(values).toMatchObject({ token: signIn.accessToken, account: 'acct-1', email: 'a@example.com' });
  expect(readdirSync(values.auth_folder)).toEqual(['auth.json']);
  expect(statSync(values.auth).mode & 0o777).toBe(0o600);
});

it('writes a sign-in that has expired as one that was not renewed for long', () => {
  const { file } = written({}, { expired: true });
  expect(file.last_refresh).toBe('2026-01-01T00:00:00Z');
});

it('writes the sign-in as CLIProxyAPI keeps it', () => {
  const { file } = written({ auth: 'cliproxyapi' });
  expect(file).toMatchObject({
    type: 'codex',
    access_token: signIn.accessToken,
    refresh_token: signIn.refreshToken,
    id_token: signIn.idToken,
    account_id: 'acct-1',
    email: 'a@example.com',
    expired: '2100-01-01T00:00:00.000Z',
  });
});

it('writes an API key in the form of the official client only', () => {
  const { file, values } = written({}, { byKey: true });
  expect(file).toEqual({ auth_mode: 'apikey', OPENAI_API_KEY: signIn.apiKey });
  expect(values.token).toBe(signIn.apiKey);
  expect(() => written({ auth: 'cliproxyapi' }, { byKey: true })).toThrow(
    'auth: cliproxyapi has no form for an API key: check another lane than api-key',
  );
});

it('fills the placeholders of files, and keeps other braces', () => {
  const folder = temporaryFolder();
  const files = { 'deep/config.json': '{"port": {port}, "who": "{nobody}", "object": {}}' };
  writeSubjectFiles(subject({ files }), { folder, port: '8317' } as Placeholders);
  expect(readFileSync(join(folder, 'deep/config.json'), 'utf8')).toBe(
    '{"port": 8317, "who": "{nobody}", "object": {}}',
  );
});

it.each([
  [{ command: ['x', '--auth', '{auth}'] }, true],
  [{ env: { TOKEN: '{token}' } }, true],
  [{ files: { a: '{refresh_token}' } }, true],
  [{ setup: [{ method: 'POST', path: '/', form: { f: '@{auth}' } }] }, true],
  [{ env: { PORT: '{port}' } }, false],
])('knows whether a subject takes the sign-in: %j', (fields, takes) => {
  expect(takesSignIn(subject(fields))).toBe(takes);
});

it('removes the folder of a subject', () => {
  const { folder, remove } = makeSubjectFolder();
  remove();
  expect(existsSync(folder)).toBe(false);
});
