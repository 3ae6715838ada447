import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import type { Writable } from 'node:stream';

export type GroupOptions = {
  readonly cwd: string;
  /** The whole environment; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Milliseconds until the group is killed; absent waits for ever. */
  readonly timeoutMs?: number;
  /** Is given standard input when the program has been started; without it there is nothing on it. */
  readonly onStart?: (input: Writable) => void;
  /** Hears each whole line of standard error while the program runs. */
  readonly onStderrLine?: (line: string) => void;
  /** Hears each whole line of standard output while the program runs. */
  readonly onStdoutLine?: (line: string) => void;
  /** True hands the command to the shell; only Windows needs that, to start `npm.cmd`. */
  readonly shell?: boolean;
};

export type GroupRun = {
  /** `exit`: it ended by itself; the other two: it was killed, by us. */
  readonly ended: 'exit' | 'timeout' | 'abort';
  /** The exit code; null when a signal ended it. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
};

const onWindows = process.platform === 'win32';

/**
 * Runs a program in a process group of its own, and resolves when it is over and its output read. The group is killed
 * with it, whichever way it ends: no grandchild outlives the call. A signal the terminal sends (Ctrl-C) does not reach
 * the group, so the caller's `signal` has to.
 *
 * @throws the spawn error (ENOENT, EACCES) when the program cannot be started.
 */
export function runInGroup(command: readonly string[], options: GroupOptions): Promise<GroupRun> {
  const [program = '', ...args] = command;
  const { signal, timeoutMs } = options;
  if (signal?.aborted === true) {
    return Promise.resolve({ ended: 'abort', exitCode: null, stdout: '', stderr: '' });
  }
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: options.env,
      detached: !onWindows,
      shell: options.shell ?? false,
      stdio: ['pipe', 'pipe', 'pipe'],
      windowsHide: true,
    });
    // A program that ends does not read what it is still being told.
    child.stdin.on('error', () => {});
    if (options.onStart === undefined) child.stdin.end();
    else options.onStart(child.stdin);
    let ended: GroupRun['ended'] = 'exit';
    let stdout = '';
    let stderr = '';
    const kill = (because: GroupRun['ended']) => {
      ended = because;
      killGroup(child);
    };
    const onAbort = () => kill('abort');
    const onOwnExit = () => killGroup(child);
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => kill('timeout'), timeoutMs);
    const settle = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      process.removeListener('exit', onOwnExit);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    process.once('exit', onOwnExit);
    const stdoutLines = lineSplitter(options.onStdoutLine);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      stdoutLines.push(text);
    });
    const stderrLines = lineSplitter(options.onStderrLine);
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      stderrLines.push(text);
    });
    child.once('error', (error) => {
      settle();
      reject(error);
    });
    // A grandchild that is left over holds the pipes open, and `close` would wait for it: so it is killed first.
    child.once('exit', () => killGroup(child));
    child.once('close', (exitCode) => {
      stdoutLines.end();
      stderrLines.end();
      settle();
      resolve({ ended, exitCode, stdout, stderr });
    });
  });
}

/** Hands on the lines of a text that comes in pieces; a last one without its line end is handed on at the end. */
function lineSplitter(onLine: ((line: string) => void) | undefined) {
  let begun = '';
  return {
    push(text: string): void {
      const lines = (begun + text).split('\n');
      begun = lines.pop() ?? '';
      for (const whole of lines) onLine?.(whole);
    },
    end(): void {
      if (begun !== '') onLine?.(begun);
    },
  };
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  if (onWindows) {
    spawnSync('taskkill', ['/pid', String(child.pid), '/T', '/F'], { stdio: 'ignore', windowsHide: true });
    return;
  }
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    // ESRCH: the group is gone already. macOS says EPERM for a group of which only a zombie is left.
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'ESRCH' && code !== 'EPERM') throw error;
  }
}
