import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { authJson, madeUpSignIn } from '../../src/client/official/made-up-sign-in.ts';

/** The arguments of the program of `proxy.ts`. */
export type ProxyArguments = { readonly upstream: string; readonly codex: string; readonly auth: string };

export type MeasuredProxy = {
  readonly port: number;
  /** Runs an action. Returns the milliseconds of CPU time of the longest turn of the proxy's event loop meanwhile. */
  readonly longestTurn: (action: () => Promise<void>) => Promise<number>;
  readonly stop: () => void;
};

/** Starts the program of `proxy.ts`. `work` is a folder for its sign-in. */
export async function startMeasuredProxy(
  work: string,
  codex: string,
  upstream: string,
): Promise<MeasuredProxy> {
  const auth = join(work, 'auth.json');
  const account = { accountId: 'acct-bench', userId: 'user-bench', email: 'bench@example.com' };
  writeFileSync(auth, authJson(madeUpSignIn({ ...account, plan: 'pro' })));
  const args: ProxyArguments = { upstream, codex, auth };
  const child = fork(join(import.meta.dirname, 'proxy.ts'), [JSON.stringify(args)]);
  const number = async () => {
    const [message]: unknown[] = await once(child, 'message');
    return Number(message);
  };
  const port = await number();
  return {
    port,
    longestTurn: async (action) => {
      child.send(true);
      await number();
      await action();
      child.send(false);
      return number();
    },
    stop: () => void child.kill(),
  };
}
