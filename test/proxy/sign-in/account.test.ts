import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  lstatSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname as host } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { ParityError } from '../../../src/errors.ts';
import { Account } from '../../../src/proxy/sign-in/account.ts';
import {
  authFile,
  authText,
  endpointAt,
  granted,
  storedTokens,
  type TokenResponse,
  token,
  tokenEndpoint,
} from './endpoint.ts';

/** Returns the error of a failing call, and checks that it contains no token. */
async function failure(call: Promise<unknown>): Promise<{ code: string; message: string }> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ParityError)) throw new Error(`not a ParityError: ${String(error)}`);
  expect(`${error.stack} ${String(error.cause)}`).not.toMatch(/refresh-\d|eyJ|sk-/);
  return { code: error.code, message: error.message };
}

function refusedWith(status: number, code: string): TokenResponse {
  return { status, body: JSON.stringify({ error: { code, message: 'refresh-0 is no good' } }) };
}

it('requests no new token while the current one is valid', async () => {
  const { endpoint, requests } = await tokenEndpoint();
  const signIn = await new Account(authFile(3600), endpoint).current();
  expect(signIn).toMatchObject({ lane: 'chatgpt', accountId: 'account-0', websockets: true });
  expect(requests).toEqual([]);
});

it('refreshes once for 100 requests with an expired token', async () => {
  const { endpoint, requests } = await tokenEndpoint(async (n) => {
    await delay(50);
    return granted(n);
  });
  const path = authFile(-60);
  const account = new Account(path, endpoint);
  const signIns = await Promise.all(Array.from({ length: 100 }, () => account.current()));
  expect(requests.length).toBe(1);
  expect(storedTokens(path).refreshToken).toBe('refresh-1');
  expect(new Set(signIns.map(({ accessToken }) => accessToken))).toEqual(
    new Set([storedTokens(path).accessToken]),
  );
});

it('refreshes once for 100 requests that the backend refused', async () => {
  const { endpoint, requests } = await tokenEndpoint();
  const account = new Account(authFile(3600), endpoint);
  const refused = await account.current();
  const signIns = await Promise.all(Array.from({ length: 100 }, () => account.afterRefusal(refused)));
  expect(requests.map(({ body }) => JSON.parse(body).refresh_reason)).toEqual(['unauthorized_recovery']);
  expect(new Set(signIns.map(({ accessToken }) => accessToken)).size).toBe(1);
  expect(signIns[0]?.accessToken).not.toBe(refused.accessToken);
});

it('keeps mode, symbolic link and unknown fields', async () => {
  const { endpoint } = await tokenEndpoint();
  const path = authFile(-60, { zeta: { b: 1, a: 2 } });
  chmodSync(path, 0o640);
  const link = join(dirname(path), 'link.json');
  symlinkSync(path, link);
  const keys = Object.keys(JSON.parse(readFileSync(path, 'utf8')));
  await new Account(link, endpoint).current();
  expect(storedTokens(path).refreshToken).toBe('refresh-1');
  expect(lstatSync(link).isSymbolicLink()).toBe(true);
  expect(statSync(path).mode & 0o777).toBe(0o640);
  expect(Object.keys(JSON.parse(readFileSync(path, 'utf8')))).toEqual(keys);
  expect(readFileSync(path, 'utf8')).toContain('"zeta":{"b":1,"a":2}');
});

it.each([
  { response: refusedWith(401, 'refresh_token_expired') },
  { response: refusedWith(401, 'a_code_of_tomorrow') },
  { response: refusedWith(400, 'refresh_token_reused') },
  { response: refusedWith(403, 'refresh_token_invalidated') },
  { response: { status: 400, body: '{"error":"invalid_grant","error_description":"refresh-0"}' } },
])(
  'tells the user to sign in again when the refresh is refused with $response, and keeps the file',
  async ({ response }) => {
    const { endpoint, requests } = await tokenEndpoint(() => response);
    const path = authFile(-60);
    const text = readFileSync(path, 'utf8');
    const account = new Account(path, endpoint);
    const { code, message } = await failure(account.current());
    expect(code).toBe('sign-in-refused');
    expect(message).toMatch(/run "codex login"/);
    expect(account.usable).toBe(false);
    await failure(account.current());
    expect(requests.length).toBe(1);
    expect(readFileSync(path, 'utf8')).toBe(text);
    expect(readdirSync(dirname(path))).toEqual(['auth.json']);
  },
);

it('refreshes again once the file has another sign-in than the refused one', async () => {
  const { endpoint } = await tokenEndpoint((n) =>
    n === 1 ? refusedWith(401, 'refresh_token_reused') : granted(n),
  );
  const path = authFile(-60);
  const account = new Account(path, endpoint);
  await failure(account.current());
  writeFileSync(path, authText(token(-60, 'of a new login')).replace('refresh-0', 'refresh-new'));
  expect(account.usable).toBe(true);
  expect((await account.current()).accessToken).toBe(storedTokens(path).accessToken);
  expect(storedTokens(path).refreshToken).toBe('refresh-2');
});

it.each<{ name: string; response: TokenResponse }>([
  { name: 'status 500', response: { status: 500, body: 'refresh-0' } },
  { name: 'status 400', response: { status: 400, body: '{"error":{"code":"another"}}' } },
  { name: 'status 429', response: { status: 429, body: '{}' } },
  { name: 'a response without a token', response: { status: 200, body: 'eyJ' } },
  { name: 'ECONNRESET', response: 'hang up' },
])('tries four times and tells the user to try again later after $name', async ({ name, response }) => {
  const { endpoint, requests } = await tokenEndpoint(() => response);
  const path = authFile(-60);
  const text = readFileSync(path, 'utf8');
  const account = new Account(path, endpoint);
  const [{ code, message }] = await Promise.all([failure(account.current()), failure(account.current())]);
  expect(code).toBe('sign-in-unreachable');
  expect(message).toContain(`${name}): try again later`);
  expect(requests.length).toBe(4);
  expect(account.usable).toBe(true);
  expect(readFileSync(path, 'utf8')).toBe(text);
});

it('uses a token until it expires if the token endpoint does not respond, without another attempt at once', async () => {
  const first = Promise.withResolvers<TokenResponse>();
  const { endpoint, requests } = await tokenEndpoint((n) => (n === 1 ? first.promise : granted(n)));
  const path = authFile(60);
  const account = new Account(path, endpoint);
  const { accessToken } = storedTokens(path);
  expect(await account.current()).toMatchObject({ accessToken });
  expect(readdirSync(dirname(path))).toContain('auth.json.lock');
  first.resolve({ status: 500, body: '' });
  // Nobody waits for the refresh. It removes its lock at the end.
  await expect.poll(() => readdirSync(dirname(path))).toEqual(['auth.json']);
  expect(await account.current()).toMatchObject({ accessToken });
  expect(requests.length).toBe(1);
});

it('recovers from a failure of the token endpoint', async () => {
  const { endpoint } = await tokenEndpoint((n) => (n < 3 ? { status: 503, body: '' } : granted(n)));
  const path = authFile(-60);
  await new Account(path, endpoint).current();
  expect(storedTokens(path).refreshToken).toBe('refresh-3');
});

it.each<{ name: string; response: TokenResponse }>([
  { name: 'refused', response: refusedWith(401, 'refresh_token_expired') },
  { name: 'unavailable', response: { status: 500, body: '' } },
])('uses a token until it expires if a new one is $name', async ({ response }) => {
  const { endpoint, requests } = await tokenEndpoint(() => response);
  const path = authFile(60);
  const account = new Account(path, endpoint);
  expect((await account.current()).accessToken).toBe(storedTokens(path).accessToken);
  expect(requests.map(({ body }) => JSON.parse(body).refresh_reason)).toEqual(['proactive_expiry']);
  expect(account.usable).toBe(true);
});

it.each<{ name: string; response: TokenResponse }>([
  { name: 'refused', response: refusedWith(401, 'refresh_token_reused') },
  { name: 'granted', response: granted(1) },
])('keeps what another program wrote while the refresh was being $name', async ({ response }) => {
  const path = authFile(-60);
  const theirs = authText(token(3600, 'theirs')).replace('refresh-0', 'refresh-theirs');
  const { endpoint } = await tokenEndpoint(() => {
    writeFileSync(`${path}.new`, theirs);
    renameSync(`${path}.new`, path);
    return response;
  });
  const signIn = await new Account(path, endpoint).current();
  expect(readFileSync(path, 'utf8')).toBe(theirs);
  expect(signIn.accessToken).toBe(storedTokens(path).accessToken);
});

it('does not replace a file that another program is writing', async () => {
  const path = authFile(-60);
  const theirs = authText(token(3600, 'theirs')).replace('refresh-0', 'refresh-theirs');
  const { endpoint } = await tokenEndpoint((n) => {
    writeFileSync(path, theirs.slice(0, 200));
    setTimeout(() => writeFileSync(path, theirs), 100);
    return granted(n);
  });
  await new Account(path, endpoint).current();
  expect(readFileSync(path, 'utf8')).toBe(theirs);
});

it('uses a newer sign-in from the file after a refusal', async () => {
  const { endpoint, requests } = await tokenEndpoint();
  const path = authFile(3600);
  const account = new Account(path, endpoint);
  const refused = await account.current();
  writeFileSync(path, authText(token(3600, 'other')));
  expect((await account.afterRefusal(refused)).accessToken).toBe(storedTokens(path).accessToken);
  expect(requests).toEqual([]);
});

it('cannot renew an API key', async () => {
  const { endpoint, requests } = await tokenEndpoint();
  const path = authFile(3600);
  writeFileSync(path, JSON.stringify({ auth_mode: 'apikey', OPENAI_API_KEY: 'sk-1' }));
  const account = new Account(path, endpoint);
  const signIn = await account.current();
  expect(signIn).toEqual({ lane: 'api-key', accessToken: 'sk-1', websockets: true });
  expect(await failure(account.afterRefusal(signIn))).toMatchObject({ code: 'sign-in-refused' });
  expect(account.usable).toBe(false);
  writeFileSync(path, JSON.stringify({ auth_mode: 'apikey', OPENAI_API_KEY: 'sk-2' }));
  expect(await account.afterRefusal(signIn)).toMatchObject({ accessToken: 'sk-2' });
  expect(requests).toEqual([]);
});

it.each([
  { how: 'in place', change: writeFileSync },
  {
    how: 'by a rename',
    change: (path: string, text: string) => {
      writeFileSync(`${path}.new`, text);
      renameSync(`${path}.new`, path);
    },
  },
])('reads a file again that was changed $how with the same length and time', async ({ change }) => {
  const path = authFile(3600);
  const account = new Account(path, endpointAt(1));
  const { accessToken } = await account.current();
  const { atime, mtime } = statSync(path);
  change(path, readFileSync(path, 'utf8').replace('account-0', 'account-1'));
  utimesSync(path, atime, mtime);
  expect(await account.current()).toMatchObject({ accessToken, accountId: 'account-1' });
});

it('uses the last complete content while the file is being written', async () => {
  const path = authFile(3600);
  const account = new Account(path, endpointAt(1));
  const before = await account.current();
  const next = authText(token(3600, 'next'));
  for (const length of [0, 1, 100, next.length - 1]) {
    writeFileSync(path, next.slice(0, length));
    expect(await account.current()).toEqual(before);
  }
  writeFileSync(path, next);
  expect((await account.current()).accessToken).toBe(storedTokens(path).accessToken);
});

it.each([
  { name: 'incomplete from the start', change: (path: string) => writeFileSync(path, '{"tokens":') },
  { name: 'without a sign-in', change: (path: string) => writeFileSync(path, '{}') },
  { name: 'missing', change: (path: string) => rmSync(path) },
])('reports a file that is $name', async ({ name, change }) => {
  const path = authFile(3600);
  const account = new Account(path, endpointAt(1));
  if (name !== 'incomplete from the start') await account.current();
  change(path);
  const { code, message } = await failure(account.current());
  expect(code).toBe('bad-sign-in');
  expect(message).toContain(path);
  expect(account.usable).toBe(false);
});

it.each([
  { name: 'of a dead process', owner: async () => `${await deadPid()} some-id ${host()}`, age: 0 },
  { name: 'that is a minute old', owner: async () => `${process.pid} some-id ${host()}`, age: 61_000 },
  { name: 'of another machine that is a minute old', owner: async () => '1 some-id elsewhere', age: 61_000 },
  { name: 'without an owner', owner: async () => '', age: 2_000 },
])('takes over a lock $name', async ({ owner, age }) => {
  const { endpoint } = await tokenEndpoint();
  const path = authFile(-60);
  writeFileSync(`${path}.lock`, await owner());
  const at = new Date(Date.now() - age);
  utimesSync(`${path}.lock`, at, at);
  await new Account(path, endpoint).current();
  expect(storedTokens(path).refreshToken).toBe('refresh-1');
  expect(readdirSync(dirname(path))).toEqual(['auth.json']);
});

it.each([
  { name: 'a live process', owner: async () => `${process.pid} some-id ${host()}` },
  { name: 'another machine', owner: async () => `${await deadPid()} some-id elsewhere` },
])('waits for the lock of $name', async ({ owner }) => {
  const { endpoint, requests } = await tokenEndpoint();
  const path = authFile(-60);
  writeFileSync(`${path}.lock`, await owner());
  const waiting = new Account(path, endpoint).current();
  await delay(300);
  expect(requests).toEqual([]);
  rmSync(`${path}.lock`);
  await waiting;
  expect(requests.length).toBe(1);
});

async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
  await once(child, 'exit');
  return child.pid ?? 0;
}
