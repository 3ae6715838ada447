import { expect, it } from 'vitest';
import { authJson, type MadeUpAccount, madeUpSignIn } from '../../src/client/official/made-up-sign-in.ts';

const account: MadeUpAccount = {
  accountId: '0b9d6c3e-4a51-4d0f-a2b7-5f1c8e7d9a60',
  userId: 'user-1',
  email: 'ada@example.com',
  plan: 'pro',
};

function claims(token: string): unknown {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
}

it('makes the same sign-in for the same account', () => {
  expect(madeUpSignIn({ ...account })).toEqual(madeUpSignIn(account));
});

it('makes different tokens for another account', () => {
  const a = madeUpSignIn(account);
  const b = madeUpSignIn({ ...account, userId: 'user-2' });

  const tokens = [a, b].flatMap((signIn) => [signIn.idToken, signIn.accessToken, signIn.refreshToken]);

  expect(new Set(tokens).size).toBe(6);
});

it('has the account and its plan in the claims of both tokens', () => {
  const { idToken, accessToken } = madeUpSignIn(account);

  for (const token of [idToken, accessToken]) {
    expect(token.split('.')).toHaveLength(3);
    expect(claims(token)).toMatchObject({
      email: 'ada@example.com',
      'https://api.openai.com/auth': {
        chatgpt_plan_type: 'pro',
        chatgpt_account_id: account.accountId,
        chatgpt_user_id: 'user-1',
      },
    });
  }
});

it('has an access token that has not expired', () => {
  expect(claims(madeUpSignIn(account).accessToken)).toEqual(
    expect.objectContaining({ exp: Date.UTC(2100, 0, 1) / 1000 }),
  );
});

it('expires only the access token on request', () => {
  const { idToken, accessToken, refreshToken } = madeUpSignIn(account, { expired: true });
  const valid = madeUpSignIn(account);

  expect(claims(accessToken)).toEqual({
    ...Object(claims(valid.accessToken)),
    exp: Date.UTC(2020, 0, 1) / 1000,
  });
  expect([idToken, refreshToken]).toEqual([valid.idToken, valid.refreshToken]);
});

it('is written in the form of the client’s auth.json', () => {
  const signIn = madeUpSignIn(account);

  expect(JSON.parse(authJson(signIn))).toEqual({
    auth_mode: 'chatgpt',
    OPENAI_API_KEY: null,
    tokens: {
      id_token: signIn.idToken,
      access_token: signIn.accessToken,
      refresh_token: signIn.refreshToken,
      account_id: account.accountId,
    },
    last_refresh: '2026-01-01T00:00:00Z',
  });
});
