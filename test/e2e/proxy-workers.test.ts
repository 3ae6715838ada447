import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { authJson, madeUpSignIn } from '../../src/client/official/made-up-sign-in.ts';
import { converse, expectedText, startConversingBackend } from '../proxy/conversing-backend.ts';
import { hasRedis, startRedis } from '../proxy/redis.ts';
import { metric, openWebSocket, post, readEvents } from '../proxy/setup.ts';
import { cli, repository, temporaryFolder } from './cli.ts';
import { runInProcess } from './run-in-process.ts';

type Started = { readonly child: ChildProcess; readonly origin: string; readonly stderr: () => string };

function folderWithSignIn(): string {
  const folder = temporaryFolder();
  const account = { accountId: 'acct-1', userId: 'user-1', email: 'a@example.com', plan: 'pro' } as const;
  writeFileSync(join(folder, 'auth.json'), authJson(madeUpSignIn(account)));
  return folder;
}

/** Starts a proxy with two workers. */
async function startWorkers(upstream: URL) {
  const folder = folderWithSignIn();
  const { promise, resolve } = Promise.withResolvers<Started>();
  let stderr = '';
  const args = ['--port', '0', '--auth', 'auth.json', '--upstream', upstream.href, '--codex', '0.169.0'];
  const ended = cli(['proxy', '--workers', '2', ...args], {
    cwd: folder,
    onStderr: (text, child) => {
      stderr += text;
      const [, origin] = /listening on (http:\/\/[^/]+)/.exec(stderr) ?? [];
      if (origin !== undefined && stderr.includes('2 workers'))
        resolve({ child, origin, stderr: () => stderr });
    },
  });
  const started = await promise;
  onTestFinished(() => void started.child.kill('SIGKILL'));
  return { ...started, ended };
}

async function turn(origin: string, body: object) {
  const response = await post(`${origin}/v1/responses`, { model: 'm', stream: true, ...body });
  const { response: completed } = JSON.parse((await readEvents(response)).at(-1) ?? '{}');
  return { id: completed.id, text: completed.output[0].content[0].text };
}

/** The process ids of the workers of a process. */
function workersOf({ pid }: ChildProcess): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return children.trim().split(' ').map(Number);
}

it('shares port, sessions and metrics, and starts a worker again that was killed', async () => {
  const backend = await startConversingBackend();
  const { child, origin, stderr, ended } = await startWorkers(backend.url);
  expect(stderr().match(/listening on/g)).toHaveLength(1);
  await expect.poll(() => workersOf(child)).toHaveLength(2);
  const before = workersOf(child);

  const { messages, previous } = await converse(
    turn,
    Array.from({ length: 6 }, () => origin),
  );
  expect(new Set(backend.turns().map((sent) => sent.prompt_cache_key)).size).toBe(1);
  expect(backend.notFound()).toBe(0);
  const turns = async () => (await fetch(`${origin}/metrics`)).text();
  expect(await turns()).toContain('turns_total{ending="response.completed"} 6\n');
  const ids = [1, 2, 3, 4].map(() => turn(origin, { input: 'hello' }));
  await Promise.all(ids);
  const installations = backend.turns().map((sent) => sent.client_metadata['x-codex-installation-id']);
  expect(new Set(installations).size).toBe(1);
  await turns();

  process.kill(before[0] ?? 0, 'SIGKILL');

  await expect.poll(() => metric(origin, 'worker_restarts_total').catch(() => 0)).toBe(1);
  await expect.poll(() => workersOf(child).filter((pid) => !before.includes(pid)).length).toBe(1);
  expect(stderr()).toContain(`worker ${before[0]} ended (SIGKILL): starting another`);
  // What the worker had counted stays.
  expect(await turns()).toContain('turns_total{ending="response.completed"} 10\n');
  const { text } = await turn(origin, { input: 'last', previous_response_id: previous });
  expect(text).toBe(expectedText([...messages, 'last']));

  child.kill('SIGTERM');
  expect((await ended).exitCode).toBe(0);
});

it('finishes running turns before it stops', async () => {
  const { promise: finish, resolve } = Promise.withResolvers<void>();
  const backend = await startConversingBackend({ before: () => finish });
  const { child, origin, ended } = await startWorkers(backend.url);
  const running = [turn(origin, { input: 'a' }), turn(origin, { input: 'b' })];
  await expect.poll(() => backend.turns().length).toBe(2);
  child.kill('SIGINT');
  const attempt = () => fetch(origin).then(String, (error) => error.cause?.code);
  await expect.poll(attempt).toBe('ECONNREFUSED');
  expect(child.exitCode).toBeNull();
  resolve();
  expect((await Promise.all(running)).map(({ text }) => text)).toEqual(['a', 'b']);
  expect((await ended).exitCode).toBe(0);
});

it('ends a connection at once that arrives just when all workers stop', async () => {
  const { promise: finish, resolve } = Promise.withResolvers<void>();
  onTestFinished(() => resolve());
  const backend = await startConversingBackend({ before: () => finish });
  const { child, origin, ended } = await startWorkers(backend.url);
  await expect.poll(() => workersOf(child)).toHaveLength(2);
  const running = ['a', 'b'].map((input) => turn(origin, { input }));
  await expect.poll(() => backend.turns().length).toBe(2);
  // A worker that stops closes them when it no longer listens. The workers get connections by turns.
  const idle = [await openWebSocket(`${origin}/v1/responses`), await openWebSocket(`${origin}/v1/responses`)];
  const closed = idle.map((socket) => once(socket, 'close'));
  child.kill('SIGSTOP');
  const late = connect(Number(new URL(origin).port), '127.0.0.1');
  onTestFinished(() => void late.destroy());
  await once(late, 'connect');
  for (const pid of workersOf(child)) process.kill(pid, 'SIGTERM');
  await Promise.all(closed);
  // It passes the connection on, and then reads that nobody takes it.
  child.kill('SIGCONT');
  late.on('error', () => {}).resume();
  await expect.poll(() => late.closed).toBe(true);
  resolve();
  await Promise.all(running);
  child.kill('SIGTERM');
  await ended;
});

it('kills a first worker that hangs before it listens', async () => {
  const program = join(repository, 'src', 'cli', 'main.ts');
  const args = ['proxy', '--workers', '2', '--grace', '0', '--port', '0', '--auth', 'auth.json'];
  const child = spawn(process.execPath, [program, ...args], { cwd: folderWithSignIn(), stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  // Its program has begun: until then Node waits for it, and nothing else.
  const hasBegun = (pid: number) =>
    pid > 0 && readFileSync(`/proc/${pid}/environ`).includes('NODE_UNIQUE_ID');
  await expect.poll(() => workersOf(child).some(hasBegun), { interval: 5 }).toBe(true);
  const [worker = 0] = workersOf(child);
  process.kill(worker, 'SIGSTOP');
  child.kill('SIGTERM');
  expect(await ended).toEqual([1, null]);
});

it('stops workers that are still starting', async () => {
  const folder = folderWithSignIn();
  const { exitCode, stderr } = await cli(
    ['proxy', '--workers', '2', '--grace', '0', '--port', '0', '--auth', 'auth.json'],
    {
      cwd: folder,
      onStderr: (text, child) => {
        // The second worker has only just been started.
        if (text.includes('workers share')) child.kill('SIGTERM');
      },
    },
  );
  expect(stderr).not.toContain('did not stop in time');
  expect(exitCode).toBe(0);
});

it.each([
  { args: ['--workers', '0'], message: '--workers "0" must be a whole number from 1 to 256' },
  { args: ['--workers', '1.5'], message: '--workers "1.5" must be a whole number from 1 to 256' },
  {
    args: ['--workers', '2', '--record', 'x'],
    message: '--record sees one process only: leave out --workers',
  },
  { args: ['--workers', '2', '--watch'], message: '--watch sees one process only: leave out --workers' },
])('refuses $args', async ({ args, message }) => {
  const { exitCode, stderr } = await runInProcess(['proxy', ...args]);
  expect(stderr).toBe(`codex-parity: ${message}\n`);
  expect(exitCode).toBe(2);
});

it('reports once why it cannot start', async () => {
  const { exitCode, stderr } = await cli(['proxy', '--workers', '2', '--auth', '/nonexistent']);
  expect(stderr.match(/^codex-parity: /gm)).toHaveLength(1);
  expect(exitCode).toBe(2);
});

it.runIf(hasRedis)('ends when its state cannot be used', async () => {
  const { url } = await startRedis();
  const { exitCode, stderr } = await cli(['proxy', '--workers', '2', '--state', `${url.href}/99`]);
  expect(stderr.match(/^codex-parity: .* has no database 99: /gm)).toHaveLength(1);
  expect(exitCode).toBe(2);
});

it('has metrics while a worker hangs', async () => {
  const backend = await startConversingBackend();
  const { child, origin } = await startWorkers(backend.url);
  await expect.poll(() => workersOf(child)).toHaveLength(2);
  const [hanging = 0] = workersOf(child);
  process.kill(hanging, 'SIGSTOP');
  onTestFinished(() => void process.kill(hanging, 'SIGKILL'));
  // The connections that the other worker does not accept wait.
  const scrape = () =>
    fetch(`${origin}/metrics`, { signal: AbortSignal.timeout(3000) }).then(
      ({ status }) => status,
      () => undefined,
    );
  await expect.poll(scrape).toBe(200);
});
