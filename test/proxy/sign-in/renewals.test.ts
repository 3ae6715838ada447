import { expect, it } from 'vitest';
import { Renewals } from '../../../src/proxy/sign-in/renewals.ts';
import type { SignIn } from '../../../src/proxy/sign-in/sign-in.ts';

function signIn(accessToken: string): SignIn {
  return { lane: 'chatgpt', accessToken, accountId: 'acct-1', websockets: true };
}

/** Sign-ins of one account. Each renewal returns the next token; `renewed` collects the old ones. */
function startRenewals(granted = true) {
  const renewed: string[] = [];
  let token = 1;
  const renewals = new Renewals({
    signIn: () => signIn(`t${token}`),
    renew: async (_session, refused) => {
      renewed.push(refused.accessToken);
      await new Promise((resolve) => setImmediate(resolve));
      if (!granted) throw new Error('refused');
      token += 1;
      return signIn(`t${token}`);
    },
  });
  return { renewals, renewed };
}

it('renews a sign-in after its second refusal and makes the next request wait for it', async () => {
  const { renewals, renewed } = startRenewals();
  renewals.refused('s', signIn('t1'));
  expect(renewed).toEqual([]);
  expect((await renewals.current('s')).accessToken).toBe('t1');
  renewals.refused('s', signIn('t1'));
  expect((await renewals.current('s')).accessToken).toBe('t2');
  expect(renewed).toEqual(['t1']);
});

it('counts refusals separately for each session and token', () => {
  const { renewals, renewed } = startRenewals();
  renewals.refused('a', signIn('t1'));
  renewals.refused('b', signIn('t1'));
  renewals.refused('a', signIn('t2'));
  expect(renewed).toEqual([]);
});

it('keeps the old sign-in if the renewal fails', async () => {
  const { renewals } = startRenewals(false);
  renewals.refused('s', signIn('t1'));
  renewals.refused('s', signIn('t1'));
  expect((await renewals.current('s')).accessToken).toBe('t1');
});
