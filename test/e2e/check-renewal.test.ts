import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from './cli.ts';
import { runInProcess } from './run-in-process.ts';

/**
 * A proxy that forwards bytes. From its second model request on, it sends the token that `renew` yields: `backend` renews
 * the sign-in at the backend, `own` is a token of the proxy, `none` changes nothing.
 */
const renewingProxy = `
  const net = require('net');
  const [port, upstream, renew] = process.argv.slice(1);
  const { host, hostname, port: behind } = new URL(upstream);
  let requests = 0;
  let token;
  const renewed = async () => {
    if (renew === 'own') return 'a-token-of-the-proxy-itself';
    const body = JSON.stringify({ grant_type: 'refresh_token', refresh_token: 'any', client_id: 'any' });
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(new URL('/oauth/token', upstream), { method: 'POST', body, headers });
    return (await response.json()).access_token;
  };
  net.createServer({ noDelay: true }, (front) => {
    const back = net.connect({ host: hostname, port: Number(behind), noDelay: true });
    front.once('data', async (bytes) => {
      front.pause();
      let head = bytes.toString('latin1').replace(/(host: )[0-9.:]+/i, '$1' + host);
      if (head.includes('/responses')) requests += 1;
      if (requests > 1 && renew !== 'none') token ??= await renewed();
      if (token) head = head.replace(/(authorization: Bearer ).*/i, (_, start) => start + token);
      back.write(head, 'latin1');
      front.pipe(back).pipe(front);
    });
    for (const [a, b] of [[front, back], [back, front]]) {
      a.on('error', () => b.destroy());
      a.on('close', () => b.destroy());
    }
  }).listen(Number(port), '127.0.0.1');
`;

/** Checks the proxy in scenarios in which the official client keeps its token for several requests. */
function checkRenewing(renew: string, ...words: readonly string[]) {
  const folder = temporaryFolder();
  const command = [process.execPath, '-e', renewingProxy, '{port}', '{upstream}', renew, ...words];
  writeFileSync(
    join(folder, 'codex-parity.config.json'),
    JSON.stringify({ subjects: { mine: { command } } }),
  );
  const scenarios = 'http-fallback,http-tool-turn,resume';
  return runInProcess(
    ['check', '--verbose', '--subject', 'mine', '--codex', '0.169.0', '--scenario', scenarios],
    {
      cwd: folder,
    },
  );
}

it.each([
  { renew: 'backend', signIn: ['{auth}'], title: 'renewed its token at the backend' },
  { renew: 'own', signIn: [], title: 'with a sign-in of its own renewed its token elsewhere' },
])('finds no difference if a subject $title', async ({ renew, signIn }) => {
  const { exitCode, stdout } = await checkRenewing(renew, ...signIn);
  expect(stdout).toContain('parity: mine sends what the official client sends (3 scenarios');
  expect(exitCode).toBe(0);
});

it('reports a second token that a subject was not given', async () => {
  const { exitCode, stdout } = await checkRenewing('own', '{auth}');
  expect(stdout).toMatch(
    /exchange 2 › handshake › authorization: changed\n(?:.*\n)*? {2}why .*does not belong to the sign-in/,
  );
  expect(exitCode).toBe(1);
});
