import { writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Account } from '../../../src/proxy/sign-in/account.ts';
import { Accounts } from '../../../src/proxy/sign-in/accounts.ts';
import { authFile, authText, temporaryFolder, token, tokenEndpoint } from './endpoint.ts';

const silentEndpoint = () => tokenEndpoint(() => new Promise(() => {}));

/** Returns the message of a failing call. */
function messageOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'it does not fail',
    (error: unknown) => String(error),
  );
}

// The waits of several seconds run at the same time.
it('bounds how long a request waits for a new token', async () => {
  const [single, several] = [await silentEndpoint(), await silentEndpoint()];
  const folder = temporaryFolder();
  for (const name of 'abcdefghijkl') writeFileSync(join(folder, `${name}.json`), authText(token(-60, name)));
  const locked = authFile(-60);
  writeFileSync(`${locked}.lock`, `${process.pid} another ${hostname()}`);
  const [ofSingle, ofSeveral, ofLocked] = await Promise.all([
    messageOf(new Account(authFile(-60), single.endpoint).current()),
    messageOf(new Accounts(folder, several.endpoint).signIn('1')),
    messageOf(new Account(locked, single.endpoint).current()),
  ]);
  // The first attempt lasts longer than all retries may.
  expect(ofSingle).toContain('no response in 10 s): try again later');
  expect(single.requests.length).toBe(1);
  // Each account that has an alternative gets two seconds, but not all twelve are tried.
  expect(ofSeveral).toContain('no response in 10 s): try again later');
  expect(several.requests.length).toBeLessThan(8);
  expect(ofLocked).toContain(`another process holds ${locked}.lock): try again later`);
});
