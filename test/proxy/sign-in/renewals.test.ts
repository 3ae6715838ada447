import { expect, it } from 'vitest';
import type { SignIn } from '../../../src/proxy/sign-in/load.ts';
import { Renewals } from '../../../src/proxy/sign-in/renewals.ts';

function signIn(accessToken: string): SignIn {
  return { lane: 'chatgpt', accessToken, accountId: 'acct-1', websockets: true };
}

/** Sign-ins of one account, each renewal of which gives the next token; `asked` are the tokens it was asked to renew. */
function renewals(granted = true) {
  const asked: string[] = [];
  let token = 1;
  const book = new Renewals(
    () => signIn(`t${token}`),
    async (_session, refused) => {
      asked.push(refused.accessToken);
      await new Promise((resolve) => setImmediate(resolve));
      if (!granted) throw new Error('refused');
      token += 1;
      return signIn(`t${token}`);
    },
  );
  return { book, asked };
}

it('renews a sign-in that was refused twice, and lets the next request wait for it', async () => {
  const { book, asked } = renewals();
  book.refused('s', signIn('t1'));
  expect(asked).toEqual([]);
  expect((await book.current('s')).accessToken).toBe('t1');
  book.refused('s', signIn('t1'));
  expect((await book.current('s')).accessToken).toBe('t2');
  expect(asked).toEqual(['t1']);
});

it('does not take two sessions, or two tokens, for one that was refused twice', () => {
  const { book, asked } = renewals();
  book.refused('a', signIn('t1'));
  book.refused('b', signIn('t1'));
  book.refused('a', signIn('t2'));
  expect(asked).toEqual([]);
});

it('goes on with the old sign-in where it is not renewed', async () => {
  const { book } = renewals(false);
  book.refused('s', signIn('t1'));
  book.refused('s', signIn('t1'));
  expect((await book.current('s')).accessToken).toBe('t1');
});
