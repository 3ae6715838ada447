import { hash } from 'node:crypto';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Accounts } from '../../../src/proxy/sign-in/accounts.ts';
import { holderOf } from '../../../src/proxy/sign-in/sign-in.ts';
import { MemoryState } from '../../../src/proxy/state/memory-state.ts';
import { openRedisState } from '../../../src/proxy/state/redis-state.ts';
import type { SharedState } from '../../../src/proxy/state/shared-state.ts';
import { hasRedis, startRedis } from '../redis.ts';
import { recordLogs } from '../setup.ts';
import {
  authFile,
  endpointAt,
  granted,
  storedTokens,
  temporaryFolder,
  token,
  tokenEndpoint,
} from './endpoint.ts';

const newMemory = () => new MemoryState({ keys: 1000, length: 1_000_000 });

async function redisIn(url: URL): Promise<SharedState> {
  const state = await openRedisState(url, recordLogs().log);
  onTestFinished(() => state.close());
  return state;
}

/** A copy of a sign-in, as on another machine. */
function copyOf(path: string): string {
  const copy = join(temporaryFolder(), 'auth.json');
  copyFileSync(path, copy);
  return copy;
}

const kinds = [
  { kind: 'memory', isInstalled: true, open: newMemory },
  { kind: 'Redis', isInstalled: hasRedis, open: async () => redisIn((await startRedis()).url) },
];

it.each(kinds.filter(({ isInstalled }) => isInstalled))(
  'renews the copies of a sign-in once, at the same time: $kind',
  async ({ open }) => {
    const state = await open();
    const { endpoint, requests } = await tokenEndpoint();
    const original = authFile(-60);
    const paths = [original, copyOf(original), copyOf(original)];
    const signIns = await Promise.all(paths.map((path) => new Accounts(path, endpoint, state).signIn('s')));
    expect(requests).toHaveLength(1);
    expect(new Set(signIns.map(({ accessToken }) => accessToken)).size).toBe(1);
    expect(paths.map(storedTokens)).toEqual(paths.map(() => storedTokens(original)));
    expect(storedTokens(original).refreshToken).toBe('refresh-1');
  },
);

it('gives an old copy the newest tokens, and renews these when they have expired', async () => {
  const state = newMemory();
  // The first new tokens expire at once.
  const { endpoint, requests } = await tokenEndpoint((n) => {
    if (n > 1) return granted(n);
    const body = { access_token: token(-1, 'access-1'), refresh_token: 'refresh-1' };
    return { status: 200, body: JSON.stringify(body) };
  });
  const original = authFile(-60);
  const [second, third] = [copyOf(original), copyOf(original)];
  await new Accounts(original, endpoint, state).signIn('s');
  await new Accounts(second, endpoint, state).signIn('s');
  expect(requests.map(({ body }) => JSON.parse(body).refresh_token)).toEqual(['refresh-0', 'refresh-1']);
  await new Accounts(third, endpoint, state).signIn('s');
  expect(requests).toHaveLength(2);
  expect([second, third].map((path) => storedTokens(path).refreshToken)).toEqual(['refresh-2', 'refresh-2']);
});

it('takes over tokens after the backend refused the old ones', async () => {
  const state = newMemory();
  const { endpoint, requests } = await tokenEndpoint();
  const original = authFile(3600);
  const copy = copyOf(original);
  const [a, b] = [new Accounts(original, endpoint, state), new Accounts(copy, endpoint, state)];
  const refused = await b.signIn('s');
  const renewed = await a.renew('s', await a.signIn('s'));
  expect((await b.renew('s', refused)).accessToken).toBe(renewed.accessToken);
  expect(requests).toHaveLength(1);
});

it('stores tokens so that only a holder of the old ones can read them', async () => {
  const state = newMemory();
  const texts: string[] = [];
  const watched: SharedState = {
    name: 'a state',
    isAway: false,
    failures: 0,
    get: (keys) => state.get(keys),
    set: (key, text, lifetime) => {
      texts.push(key, text, Buffer.from(text, 'base64').toString('latin1'));
      return state.set(key, text, lifetime);
    },
    add: (key, ...more) => {
      texts.push(key);
      return state.add(key, ...more);
    },
    expire: (...of) => state.expire(...of),
    onReturn: () => () => {},
    close: async () => {},
  };
  const { endpoint } = await tokenEndpoint();
  const path = authFile(-60);
  await new Accounts(path, endpoint, watched).signIn('s');
  expect(texts.some((text) => text.startsWith('tokens:'))).toBe(true);
  const { accessToken } = storedTokens(path);
  for (const secret of ['refresh-0', 'refresh-1', String(accessToken)]) {
    expect(texts.filter((text) => text.includes(secret))).toEqual([]);
  }
  // What was not encrypted for a refresh token is not used: neither a plain text, nor the tokens of another sign-in.
  const at = texts.findIndex((text) => text.startsWith('tokens:'));
  const plain = Buffer.from(JSON.stringify({ accessToken })).toString('base64');
  for (const text of [plain, texts[at + 1] ?? '']) {
    const refreshToken = `refresh-of-another-${text.length}`;
    await state.set(`tokens:${hash('sha256', refreshToken)}`, text, 60_000);
    const other = authFile(-60);
    writeFileSync(other, readFileSync(other, 'utf8').replace('refresh-0', refreshToken));
    const { endpoint: another } = await tokenEndpoint(() => granted(9));
    await new Accounts(other, another, watched).signIn('s');
    expect(storedTokens(other).refreshToken).toBe('refresh-9');
  }
});

describe.runIf(hasRedis)('Redis that is away', () => {
  it('puts off a renewal while the old token is valid, and no longer', async () => {
    const redis = await startRedis();
    const state = await redisIn(redis.url);
    await redis.stop();
    await expect.poll(() => state.isAway).toBe(true);
    const { endpoint, requests } = await tokenEndpoint();
    const valid = authFile(60);
    const { accessToken } = await new Accounts(valid, endpoint, state).signIn('s');
    expect(accessToken).toBe(storedTokens(valid).accessToken);
    expect(requests).toHaveLength(0);

    const expired = authFile(-60);
    const copy = copyOf(expired);
    const signIn = await new Accounts(expired, endpoint, state).signIn('s');
    expect(requests).toHaveLength(1);
    // The others receive the tokens when it is back.
    await redis.start();
    await expect.poll(() => state.isAway).toBe(false);
    expect((await new Accounts(copy, endpoint, state).signIn('s')).accessToken).toBe(signIn.accessToken);
    expect(requests).toHaveLength(1);
  });
});

describe.runIf(hasRedis)('Redis that is away for a moment', () => {
  it('is waited for, so that a refresh token is used once', async () => {
    const redis = await startRedis();
    const states = [await redisIn(redis.url), await redisIn(redis.url)];
    await redis.stop();
    await expect.poll(() => states.every(({ isAway }) => isAway)).toBe(true);
    const { endpoint, requests } = await tokenEndpoint();
    const original = authFile(-60);
    const paths = [original, copyOf(original)];
    const signIns = paths.map((path, index) => new Accounts(path, endpoint, states[index]).signIn('s'));
    await redis.start();
    expect(new Set((await Promise.all(signIns)).map(({ accessToken }) => accessToken)).size).toBe(1);
    expect(requests).toHaveLength(1);
  });
});

describe('accounts of several proxies', () => {
  /** Two machines with the same accounts, in folders of their own. */
  function machines() {
    const folders = [temporaryFolder(), temporaryFolder()];
    for (const folder of folders) {
      for (const name of ['a', 'b']) {
        const account = {
          type: 'codex',
          access_token: token(3600, name),
          refresh_token: name,
          account_id: name,
        };
        writeFileSync(join(folder, `${name}.json`), JSON.stringify(account));
      }
    }
    const state = newMemory();
    return folders.map((folder) => new Accounts(folder, endpointAt(1), state)) as [Accounts, Accounts];
  }
  const accountOf = async (accounts: Accounts, session: string) => {
    const signIn = await accounts.signIn(session);
    return signIn.lane === 'chatgpt' ? signIn.accountId : undefined;
  };

  it('have the same sessions', async () => {
    const [first, second] = machines();
    expect(await accountOf(first, '1')).toBe('a');
    expect(await accountOf(first, '2')).toBe('b');
    expect(await accountOf(second, '2')).toBe('b');
    expect(await accountOf(second, '1')).toBe('a');
  });

  it('are known as used up, and as served again', async () => {
    const [first, second] = machines();
    const signIn = await first.signIn('1');
    first.limited('1', { holder: holderOf(signIn), until: Date.now() + 60_000, canMove: true });
    expect(await accountOf(second, '3')).toBe('b');
    expect(await accountOf(second, '4')).toBe('b');
    // A session that an account has served stays there.
    expect(await accountOf(second, '1')).toBe('b');
    const third = machines()[0];
    expect(await accountOf(third, '3')).toBe('a');
  });

  it('keep a session with the account that has served it', async () => {
    const [first, second] = machines();
    const signIn = await first.signIn('1');
    first.served('1', holderOf(signIn));
    first.limited('2', { holder: holderOf(signIn), until: Date.now() + 60_000, canMove: false });
    expect(await accountOf(second, '1')).toBe('a');
    expect(await accountOf(second, '2')).toBe('b');
  });
});
