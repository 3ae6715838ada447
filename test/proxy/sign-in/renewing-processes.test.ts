import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { Account } from '../../../src/proxy/sign-in/account.ts';
import { authFile, granted, storedTokens, tokenEndpoint } from './endpoint.ts';

/** Starts a process that renews a sign-in `times` times. */
function renewingProcess(path: string, url: URL, times = 1) {
  const program = join(import.meta.dirname, 'renewing-process.ts');
  const child = spawn(process.execPath, [program, path, url.href, String(times)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return { child, stdout: text(child.stdout), stderr: text(child.stderr), exit: once(child, 'exit') };
}

it('refreshes once for several processes', async () => {
  const { endpoint, requests } = await tokenEndpoint(async (n) => {
    // Longer than it takes the slowest process to start.
    await delay(1500);
    return granted(n);
  });
  const path = authFile(-60);
  const runs = Array.from({ length: 4 }, () => renewingProcess(path, endpoint.url));
  const stdout = await Promise.all(runs.map((run) => run.stdout));
  expect(await Promise.all(runs.map((run) => run.stderr))).toEqual(['', '', '', '']);
  expect(requests.length).toBe(1);
  expect(new Set(stdout)).toEqual(new Set([storedTokens(path).accessToken]));
  expect(readdirSync(dirname(path))).toEqual(['auth.json']);
});

it('never leaves an incomplete file when its process is killed, and takes over the lock of a dead process', async () => {
  const { endpoint, requests } = await tokenEndpoint();
  // Long, so that writing the file takes some time.
  const path = authFile(-60, { padding: 'x'.repeat(100_000) });
  let generations = 0;
  for (let kill = 0; kill < 12; kill += 1) {
    const { child, exit } = renewingProcess(path, endpoint.url, 1_000_000);
    const before = requests.length;
    while (requests.length === before) await delay(1);
    // Kill at a different moment each time.
    const until = Date.now() + kill * 16;
    let stored = 0;
    do {
      const [, n] = /^refresh-(\d+)$/.exec(String(storedTokens(path).refreshToken)) ?? [];
      stored = Number(n);
      expect(stored).toBeLessThanOrEqual(requests.length);
      await delay(0);
      // On a busy machine, none of the others may have renewed more than once.
    } while (Date.now() < until || (kill === 11 && stored <= 12));
    child.kill('SIGKILL');
    await exit;
    const { refreshToken, accessToken } = storedTokens(path);
    const [, n] = /^refresh-(\d+)$/.exec(String(refreshToken)) ?? [];
    const claims = Buffer.from(String(accessToken).split('.')[1] ?? '', 'base64url').toString('utf8');
    expect(JSON.parse(claims).jti).toBe(`access-${n}`);
    generations = Math.max(generations, Number(n));
  }
  expect(generations).toBeGreaterThan(12);
  // The last process removes the files that the killed ones left.
  await new Account(path, endpoint).afterRefusal(await new Account(path, endpoint).current());
  expect(readdirSync(dirname(path))).toEqual(['auth.json']);
});
