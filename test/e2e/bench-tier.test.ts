import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startBackend } from '../../src/backend/backend.ts';
import type { BackendObservation } from '../../src/backend/respond.ts';
import { authJson, madeUpSignIn } from '../../src/client/official/made-up-sign-in.ts';
import { temporaryFolder } from './cli.ts';
import { runMutated, shaper } from './mutation.ts';
import { runInProcess } from './run-in-process.ts';

it('measures both tiers with the simulated backend, and prints that these times are not those of OpenAI', async () => {
  const { exitCode, stdout } = await runInProcess(['bench-tier', '--runs', '2', '--codex', '0.169.0']);
  expect(stdout).toContain("these times say nothing about OpenAI's backend");
  expect(stdout).toMatch(
    /^omitted +new +websocket \(2 of 2\) +absent \(4 of 4\) +model=[\w.-]+ \(2 of 2\) +default \(2 of 2\) +2 +0 /m,
  );
  expect(stdout).toMatch(
    /^priority +new +websocket \(2 of 2\) +priority \(4 of 4\) +model=[\w.-]+;tier=priority \(2 of 2\) +priority \(2 of 2\) +2 +0 +\d+ +\d+$/m,
  );
  expect(stdout).toMatch(
    /^priority +kept +websocket \(2 of 2\) +priority \(2 of 2\) +none +priority \(2 of 2\) +2 +0 +\d+ +\d+$/m,
  );
  for (const connection of ['new', 'kept']) {
    expect(stdout).toMatch(
      new RegExp(
        `^ratio priority to default, ${connection} connection: first token \\d+\\.\\d\\d, total \\d+\\.\\d\\d$`,
        'm',
      ),
    );
  }
  expect(exitCode).toBe(0);
});

it('reports that priority was not sent', async () => {
  const mutation = {
    file: shaper,
    change: (source: string) => source.replace(/^.*members\.set\('service_tier'.*$/m, ''),
  };
  const [result] = await runMutated(mutation, [['bench-tier', '--runs', '1']]);
  expect(result?.stdout).toContain(
    'finding: requested tier priority on a new connection, but sent service_tier absent in 2 of 2 requests',
  );
  expect(result?.stdout).toContain('not every request was sent as its tier requires: 2 findings');
  expect(result?.exitCode).toBe(1);
});

const denied = { reply: 'error', status: 400, error: '{"message":"not this time"}' } as const;
const done = { reply: 'text', text: 'Done' } as const;

async function live(
  script: readonly (typeof denied | typeof done)[],
  {
    runs = 1,
    args = [],
    faults,
  }: { runs?: number; args?: readonly string[]; faults?: { upgrades: readonly number[] } } = {},
) {
  const folder = temporaryFolder();
  const auth = join(folder, 'auth.json');
  const account = { accountId: 'acct-live', userId: 'u', email: 'l@example.com', plan: 'pro' as const };
  writeFileSync(auth, authJson(madeUpSignIn(account)));
  const events: BackendObservation[] = [];
  const backend = await startBackend({
    script,
    ...(faults && { faults }),
    onEvent: (event) => events.push(event),
  });
  onTestFinished(() => backend.close());
  const result = await runInProcess([
    ...['bench-tier', '--live', '--runs', String(runs), '--auth', auth],
    ...['--upstream', `${backend.origin}/backend-api/codex`, ...args],
  ]);
  return { ...result, folder, events };
}

it('uses the given sign-in for a live backend, prints the cost first, and counts failed turns', async () => {
  const { exitCode, stdout, stderr, events } = await live([done, done, denied, done, done, done, done], {
    runs: 2,
    args: ['--json', '-'],
  });
  expect(stderr.split('\n')[0]).toMatch(/^sending 8 turns to http:.* They count against your account/);
  expect(JSON.parse(stdout)).toMatchObject({
    format: 'codex-parity/bench-tier',
    backend: 'live',
    tiers: [
      {
        ...{ requested: 'omitted', connection: 'new', runs: 2, failures: [] },
        sentTiers: [{ value: null, count: 4 }],
      },
      {
        ...{ requested: 'priority', connection: 'new', runs: 2, failures: ['status 400: not this time'] },
        sentTiers: [{ value: 'priority', count: 4 }],
      },
      {
        ...{ requested: 'omitted', connection: 'kept', runs: 2, failures: [] },
        transports: [{ value: 'websocket', count: 2 }],
      },
      {
        ...{ requested: 'priority', connection: 'kept', runs: 2 },
        failures: ['not sent, since the turn before it failed'],
        transports: [{ value: 'websocket', count: 1 }],
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

it('fails if no turn of a tier was measured', async () => {
  const { exitCode, stdout, stderr } = await live([done, done, denied]);
  expect(stdout).toContain('failed: priority, new connection: status 400: not this time');
  expect(stderr).toContain('codex-parity: every turn with tier priority failed: there is no measurement');
  expect(exitCode).toBe(2);
});

it('names the refused upgrade if turns go over HTTP, and never says that all is as requested', async () => {
  const { exitCode, stdout } = await live([done, done, done, done], { faults: { upgrades: [426, 426] } });
  const cause = '1 of 1 turns went over HTTP: the backend refused the upgrade with 426';
  for (const connection of ['new', 'kept']) {
    expect(stdout).toMatch(new RegExp(`^priority +${connection} +HTTP \\(1 of 1\\) +priority`, 'm'));
    expect(stdout).toContain(`note: omitted, ${connection} connection: ${cause}\n`);
    expect(stdout).toContain(`finding: requested tier priority on a ${connection} connection, but ${cause}.`);
  }
  expect(stdout).toContain('not every request was sent as its tier requires: 2 findings');
  expect(exitCode).toBe(1);
});

it.each([
  { args: ['--runs', '0'], message: '--runs "0" must be a whole number from 1 to 1000' },
  { args: ['--auth', 'auth.json'], message: '--auth and --upstream need --live' },
])('refuses $args', async ({ args, message }) => {
  const { exitCode, stderr } = await runInProcess(['bench-tier', ...args]);
  expect(stderr).toContain(message);
  expect(exitCode).toBe(2);
});
