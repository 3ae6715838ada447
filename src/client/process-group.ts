import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

export type GroupOptions = {
  readonly cwd: string;
  /** The whole environment; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds until the group is killed; without a limit if absent. */
  readonly timeoutMs?: number;
  /** Milliseconds that the group has to end after SIGTERM before it is killed. Absent: it is killed at once. */
  readonly graceMs?: number;
  /** Receives the standard input of the started program. Absent: its standard input is empty. */
  readonly onStart?: (input: Writable) => void;
  /** Receives each line of standard error while the program runs. */
  readonly onStderrLine?: (line: string) => void;
  /** Receives each line of standard output while the program runs. */
  readonly onStdoutLine?: (line: string) => void;
  /** Runs the command in a shell. Windows needs it to start `npm.cmd`. */
  readonly shell?: boolean;
};

export type GroupRun = {
  /** `exit`: the program ended by itself. Otherwise it was killed. */
  readonly ended: 'exit' | 'timeout' | 'abort';
  /** Null when a signal ended the program. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
};

export const onWindows = process.platform === 'win32';

/** The only variables of our own environment that the programs we start inherit: what starts programs needs them. */
export function programSearch(): Record<string, string> {
  const names = ['PATH', 'SystemRoot', 'ComSpec', 'PATHEXT', 'WINDIR'];
  return definedOnly(Object.fromEntries(names.map((name) => [name, process.env[name]])));
}

export function definedOnly(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

/**
 * Runs a program in its own process group, and resolves when it has ended and its output is read. When the program
 * ends, the group is killed, so no grandchild outlives the call. Ctrl-C in the terminal does not reach the group: use
 * `signal`.
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
    // A program may end before it has read its input.
    child.stdin.on('error', () => {});
    if (options.onStart === undefined) child.stdin.end();
    else options.onStart(child.stdin);
    let ended: GroupRun['ended'] = 'exit';
    const stdout = collectText(child.stdout, options.onStdoutLine);
    const stderr = collectText(child.stderr, options.onStderrLine);
    const kill = (reason: GroupRun['ended']) => {
      ended = reason;
      if (options.graceMs === undefined || onWindows) return killGroup(child);
      signalGroup(child.pid, 'SIGTERM');
      clearTimeout(timer);
      timer = setTimeout(() => killGroup(child), options.graceMs);
    };
    const onAbort = () => kill('abort');
    const onOwnExit = () => killGroup(child);
    let timer = timeoutMs === undefined ? undefined : setTimeout(() => kill('timeout'), timeoutMs);
    const settle = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      process.removeListener('exit', onOwnExit);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    process.once('exit', onOwnExit);
    child.once('error', (error) => {
      settle();
      reject(error);
    });
    // A grandchild would keep the pipes open, and `close` would wait for it.
    child.once('exit', () => killGroup(child));
    child.once('close', (exitCode) => {
      settle();
      resolve({ ended, exitCode, stdout: stdout.text, stderr: stderr.text });
    });
  });
}

/** Collects the text of a stream, and passes on its lines, even a last one without a line end. */
function collectText(stream: Readable, onLine: (line: string) => void = () => {}): { readonly text: string } {
  const collected = { text: '' };
  let rest = '';
  stream.setEncoding('utf8').on('data', (text: string) => {
    collected.text += text;
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  });
  stream.on('end', () => {
    if (rest !== '') onLine(rest);
  });
  return collected;
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  if (onWindows) {
    spawnSync('taskkill', ['/pid', String(child.pid), '/T', '/F'], { stdio: 'ignore', windowsHide: true });
    return;
  }
  signalGroup(child.pid, 'SIGKILL');
}

function signalGroup(pid: number | undefined, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    // ESRCH: the group has ended. EPERM: on macOS, only a zombie of the group is left.
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'ESRCH' && code !== 'EPERM') throw error;
  }
}
