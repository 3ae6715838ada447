import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startBackend } from '../../src/backend/backend.ts';
import type { BackendObservation } from '../../src/backend/backend-observation.ts';
import { authJson, madeUpSignIn } from '../../src/client/official/made-up-sign-in.ts';
import { cli, temporaryFolder } from './cli.ts';
import { runMutated, shaper } from './mutation.ts';

it('measures both tiers against the simulated backend, and says that its times are not OpenAI’s', async () => {
  const { exitCode, stdout } = await cli(['bench-tier', '--runs', '2', '--codex', '0.169.0']);
  expect(stdout).toContain("its times say nothing about OpenAI's");
  expect(stdout).toMatch(/^omitted +absent \(4 of 4\) +model=[\w.-]+ \(2 of 2\) +default \(2 of 2\) +2 +0 /m);
  expect(stdout).toMatch(
    /^priority +priority \(4 of 4\) +model=[\w.-]+;tier=priority \(2 of 2\) +priority \(2 of 2\) +2 +0 +\d+ +\d+$/m,
  );
  expect(stdout).toMatch(/^priority to omitted: first token \d+\.\d\d, total \d+\.\d\d$/m);
  expect(exitCode).toBe(0);
});

it('finds it when priority is lost on the way', async () => {
  const mutation = {
    file: shaper,
    change: (source: string) => source.replace(/^.*members\.set\('service_tier'.*$/m, ''),
  };
  const [result] = await runMutated(mutation, [['bench-tier', '--runs', '1']]);
  expect(result?.stdout).toContain(
    'finding: priority was asked for, and service_tier absent was sent in 2 of 2 requests',
  );
  expect(result?.stdout).toContain('what was sent is not what was asked: 1 finding');
  expect(result?.exitCode).toBe(1);
});

const denied = { reply: 'error', status: 400, error: '{"message":"not this time"}' } as const;
const done = { reply: 'text', text: 'Done' } as const;

async function live(script: readonly (typeof denied | typeof done)[], args: readonly string[] = []) {
  const folder = temporaryFolder();
  const auth = join(folder, 'auth.json');
  const account = { accountId: 'acct-live', userId: 'u', email: 'l@example.com', plan: 'pro' as const };
  writeFileSync(auth, authJson(madeUpSignIn(account)));
  const events: BackendObservation[] = [];
  const backend = await startBackend({ script, onEvent: (event) => events.push(event) });
  onTestFinished(() => backend.close());
  const result = await cli([
    ...['bench-tier', '--live', '--runs', String(script.length / 2), '--auth', auth],
    ...['--upstream', `${backend.origin}/backend-api/codex`, ...args],
  ]);
  return { ...result, folder, events };
}

it('asks a live backend with the sign-in it is given, tells the cost first, and counts what failed', async () => {
  const { exitCode, stdout, stderr, events } = await live([done, denied, done, done], ['--json', '-']);
  expect(stderr.split('\n')[0]).toMatch(/^4 turns go to http:.* count against your account/);
  expect(JSON.parse(stdout)).toMatchObject({
    format: 'codex-parity/bench-tier',
    backend: 'live',
    tiers: [
      { asked: 'omitted', runs: 2, failures: [], sentTiers: [{ value: null, count: 4 }] },
      {
        ...{ asked: 'priority', runs: 2, failures: ['status 400: not this time'] },
        sentTiers: [{ value: 'priority', count: 4 }],
      },
    ],
    findings: [],
  });
  const accounts = events.flatMap((event) =>
    event.type === 'upgrade' ? event.headers.filter(([name]) => name === 'chatgpt-account-id') : [],
  );
  expect(accounts).toEqual(Array.from({ length: 4 }, () => ['chatgpt-account-id', 'acct-live']));
  expect(exitCode).toBe(0);
});

it('says so when a tier was never measured', async () => {
  const { exitCode, stdout, stderr } = await live([done, denied]);
  expect(stdout).toContain('failed: priority: status 400: not this time');
  expect(stderr).toContain('codex-parity: every turn failed with priority: nothing is measured');
  expect(exitCode).toBe(2);
});

it.each([
  { args: ['--runs', '0'], message: '--runs must be a whole number from 1 to 1000' },
  { args: ['--auth', 'auth.json'], message: '--auth and --upstream are for --live' },
])('refuses $args', async ({ args, message }) => {
  const { exitCode, stderr } = await cli(['bench-tier', ...args]);
  expect(stderr).toContain(message);
  expect(exitCode).toBe(2);
});
