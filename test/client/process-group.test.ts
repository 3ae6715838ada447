import { expect, it } from 'vitest';
import { runInGroup } from '../../src/client/process-group.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** A program that starts a grandchild which would live for ever, says its pid, and does as told next. */
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

it('hands back what a program printed and its exit code', async () => {
  const script = 'console.log("out"); console.error("err"); process.exitCode = 7';

  const run = await runInGroup([process.execPath, '-e', script], await environment());

  expect(run).toEqual({ ended: 'exit', exitCode: 7, stdout: 'out\n', stderr: 'err\n' });
});

it('gives a program nothing on standard input', async () => {
  const script = 'process.stdin.on("end", () => console.log("ended")).resume()';

  const run = await runInGroup([process.execPath, '-e', script], await environment());

  expect(run.stdout).toBe('ended\n');
});

it('kills what a program left running when it exits', async () => {
  const run = await runInGroup(parentOfALongLivedChild('process.exit(0)'), await environment());

  expect(run.ended).toBe('exit');
  await isGone(grandchild(run.stderr));
});

it('kills the grandchildren too when it is aborted', async () => {
  const stop = new AbortController();

  const run = await runInGroup(parentOfALongLivedChild(''), {
    ...(await environment()),
    signal: stop.signal,
    onStderrLine: () => stop.abort(),
  });

  expect(run).toMatchObject({ ended: 'abort', exitCode: null });
  await isGone(grandchild(run.stderr));
});

it('kills a program that does not end in time', async () => {
  const run = await runInGroup([process.execPath, '-e', 'setInterval(() => {}, 1000)'], {
    ...(await environment()),
    timeoutMs: 1,
  });

  expect(run).toMatchObject({ ended: 'timeout', exitCode: null });
});

it('does not start a program after the abort', async () => {
  const run = await runInGroup(['this program does not exist'], {
    ...(await environment()),
    signal: AbortSignal.abort(),
  });

  expect(run.ended).toBe('abort');
});

it('fails when there is no such program', async () => {
  await expect(runInGroup(['this program does not exist'], await environment())).rejects.toMatchObject({
    code: 'ENOENT',
  });
});

function grandchild(stderr: string): number {
  return Number(/grandchild (\d+)/.exec(stderr)?.[1]);
}

/** Waits until a killed process is no more: whoever inherits it may take a moment to reap it. */
async function isGone(pid: number): Promise<void> {
  expect(pid).toBeGreaterThan(0);
  await expect.poll(() => isRunning(pid), { timeout: 10_000 }).toBe(false);
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
