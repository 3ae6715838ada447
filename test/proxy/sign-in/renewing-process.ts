import { Account } from '../../../src/proxy/sign-in/account.ts';

/** Renews a sign-in in a process of its own: `node renewing-process.ts FILE TOKEN-URL [TIMES]`. Prints the token. */
const [path = '', url = '', times = '1'] = process.argv.slice(2);
const account = new Account(path, {
  url: new URL(url),
  originator: 'codex_exec',
  userAgent: 'codex_exec/0.169.0',
  form: { alpn: [], http2: undefined },
});
let signIn = await account.current();
for (let n = 1; n < Number(times); n += 1) signIn = await account.afterRefusal(signIn);
process.stdout.write(signIn.accessToken);
