import { expect, it } from 'vitest';
import { runInGroup } from '../../src/client/process-group.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** A program that starts a grandchild without end, prints its pid, and then runs `thenDo`. */
function parentOfALongLivedChild(thenDo: string): string[] {
  const script = `
    const { spawn } = require('node:child_process');
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' });
    child.once('spawn', () => { console.error('grandchild ' + child.pid); ${thenDo} });
  `;
  return [process.execPath, '-e', script];
}

async function environment() {
  return { cwd: await temporaryFolder(), env: {} };
}

it('returns the output and exit code of a program', async () => {
  const script = 'console.log("out"); console.error("err"); process.exitCode = 7';

  const run = await runInGroup([process.execPath, '-e', script], await environment());

  expect(run).toEqual({ ended: 'exit', exitCode: 7, stdout: 'out\n', stderr: 'err\n' });
});

it('gives a program an empty standard input', async () => {
  const script = 'process.stdin.on("end", () => console.log("ended")).resume()';

  const run = await runInGroup([process.execPath, '-e', script], await environment());

  expect(run.stdout).toBe('ended\n');
});

it('kills the children of a program that exits', async () => {
  const run = await runInGroup(parentOfALongLivedChild('process.exit(0)'), await environment());

  expect(run.ended).toBe('exit');
  await isGone(grandchild(run.stderr));
});

it('kills the grandchildren too on abort', async () => {
  const stop = new AbortController();

  const run = await runInGroup(parentOfALongLivedChild(''), {
    ...(await environment()),
    signal: stop.signal,
    onStderrLine: () => stop.abort(),
  });

  expect(run).toMatchObject({ ended: 'abort', exitCode: null });
  await isGone(grandchild(run.stderr));
});

/** A program that prints `ready`, and on SIGTERM runs `onTerm`. */
function onSigterm(onTerm: string): string[] {
  const script = `process.on('SIGTERM', () => { ${onTerm} }); setInterval(() => {}, 1000); console.log('ready');`;
  return [process.execPath, '-e', script];
}

it('lets a program end by itself within the grace period after an abort', async () => {
  const stop = new AbortController();

  const run = await runInGroup(onSigterm('console.log("closed"); process.exit(0)'), {
    ...(await environment()),
    signal: stop.signal,
    graceMs: 60_000,
    onStdoutLine: () => stop.abort(),
  });

  expect(run).toMatchObject({ ended: 'abort', exitCode: 0, stdout: 'ready\nclosed\n' });
});

it('kills a program that ignores SIGTERM at the end of the grace period', async () => {
  const stop = new AbortController();

  const run = await runInGroup(onSigterm(''), {
    ...(await environment()),
    signal: stop.signal,
    graceMs: 50,
    onStdoutLine: () => stop.abort(),
  });

  expect(run).toMatchObject({ ended: 'abort', exitCode: null });
});

it('kills a program that does not end in time', async () => {
  const run = await runInGroup([process.execPath, '-e', 'setInterval(() => {}, 1000)'], {
    ...(await environment()),
    timeoutMs: 1,
  });

  expect(run).toMatchObject({ ended: 'timeout', exitCode: null });
});

it('does not start a program after an abort', async () => {
  const run = await runInGroup(['this program does not exist'], {
    ...(await environment()),
    signal: AbortSignal.abort(),
  });

  expect(run.ended).toBe('abort');
});

it('rejects when the program does not exist', async () => {
  await expect(runInGroup(['this program does not exist'], await environment())).rejects.toMatchObject({
    code: 'ENOENT',
  });
});

function grandchild(stderr: string): number {
  return Number(/grandchild (\d+)/.exec(stderr)?.[1]);
}

/** Waits until a killed process is gone. The process that inherits it may reap it late. */
async function isGone(pid: number): Promise<void> {
  expect(pid).toBeGreaterThan(0);
  await expect.poll(() => isRunning(pid)).toBe(false);
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
