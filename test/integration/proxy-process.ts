import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type RunningProxy, startProxyProcess } from '../../scripts/soak/running-proxy.ts';
import { authJson, madeUpSignIn } from '../../src/client/official/made-up-sign-in.ts';
import type { Limits } from '../../src/proxy/limits.ts';
import { temporaryFolder } from '../e2e/cli.ts';

/** Starts a proxy in a process of its own, with a made-up sign-in. */
export async function startProxyApart(upstream: URL, limits: Partial<Limits>): Promise<RunningProxy> {
  const auth = join(temporaryFolder(), 'auth.json');
  const account = { accountId: 'account', userId: 'user', email: 'a@example.com', plan: 'pro' } as const;
  writeFileSync(auth, authJson(madeUpSignIn(account)), { mode: 0o600 });
  const proxy = await startProxyProcess({
    upstream: upstream.href,
    codex: '0.169.0',
    auth,
    tokenUrl: new URL('/oauth/token', upstream).href,
    limits,
  });
  onTestFinished(() => proxy.stop());
  return proxy;
}
