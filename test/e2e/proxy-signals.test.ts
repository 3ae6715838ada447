import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { authJson, madeUpSignIn } from '../../src/client/official/made-up-sign-in.ts';
import { post, responseEvents, sendAll, startTestBackend } from '../proxy/setup.ts';
import { cli, temporaryFolder } from './cli.ts';

/** A proxy as a process, with a turn that runs until `finish` is called. */
async function runningTurn() {
  const held: (() => void)[] = [];
  const to = await startTestBackend({
    message: (socket) => void held.push(() => sendAll(socket, responseEvents('OK'))),
  });
  const folder = temporaryFolder();
  const account = { accountId: 'acct-1', userId: 'user-1', email: 'a@example.com', plan: 'pro' } as const;
  writeFileSync(join(folder, 'auth.json'), authJson(madeUpSignIn(account)));
  const { promise, resolve } = Promise.withResolvers<{ child: ChildProcess; url: string }>();
  const args = ['--port', '0', '--auth', 'auth.json', '--upstream', to.url.href, '--codex', '0.169.0'];
  const ended = cli(['proxy', ...args], {
    cwd: folder,
    onStderr: (text, child) => {
      const [, url] = /listening on (\S+)/.exec(text) ?? [];
      if (url !== undefined) resolve({ child, url });
    },
  });
  const { child, url } = await promise;
  const response = post(`${url}/responses`, { model: 'm', input: 'hello', stream: true });
  await expect.poll(() => held.length).toBe(1);
  const refusesOthers = () => expect.poll(() => fetch(url).then(String, () => 'refused')).toBe('refused');
  return { child, ended, response, refusesOthers, finish: () => held.forEach((send) => void send()) };
}

it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  'finishes a running turn after %s, and ends with exit code 0',
  async (signal) => {
    const { child, ended, response, refusesOthers, finish } = await runningTurn();
    child.kill(signal);
    await refusesOthers();
    expect(child.exitCode).toBeNull();
    finish();
    expect(await (await response).text()).toContain('response.completed');
    expect(await ended).toMatchObject({ exitCode: 0, stdout: '' });
  },
);

it('ends at once after a second signal', async () => {
  const { child, ended, response, refusesOthers } = await runningTurn();
  child.kill('SIGINT');
  await refusesOthers();
  const start = Date.now();
  child.kill('SIGINT');
  expect((await ended).exitCode).toBe(0);
  expect(Date.now() - start).toBeLessThan(10_000);
  expect((await response).status).toBe(503);
});
