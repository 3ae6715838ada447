import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { listenLocally } from '../../src/listening.ts';

/** A program that was started, and has printed that it is ready. */
export type Program = {
  /** All lines that it printed. */
  readonly output: () => string;
  /** Ends it by a signal. Returns its exit code, null if the signal ended it. */
  readonly stop: (signal: 'SIGTERM' | 'SIGKILL') => Promise<number | null>;
};

/** Starts a program, and waits until its output matches. Throws when it ends before. */
export async function startProgram(
  command: readonly [string, ...string[]],
  ready: RegExp,
  env: Readonly<Record<string, string>> = {},
): Promise<Program> {
  const [file, ...args] = command;
  const child: ChildProcess = spawn(file, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const ended = once(child, 'close');
  await new Promise<void>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      output += chunk;
      if (ready.test(output)) resolve();
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('error', reject);
    child.once('close', () => reject(new Error(`${file} ended: ${output.slice(-1000)}`)));
  });
  return {
    output: () => output,
    stop: async (signal) => {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      await ended;
      return child.exitCode;
    },
  };
}

/** Ports that nothing listens on. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(servers.map((server) => listenLocally(server)));
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

export function startRedisServer(port: number, folder: string): Promise<Program> {
  const options = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder];
  return startProgram(
    ['redis-server', ...options, '--save', '', '--appendonly', 'yes'],
    /Ready to accept connections/,
  );
}

const repository = join(import.meta.dirname, '..', '..');

export type ProxyProcess = {
  readonly port: number;
  readonly auth: string;
  readonly backend: string;
  readonly redisPort: number;
};

export function startProxyProgram({ port, auth, backend, redisPort }: ProxyProcess): Promise<Program> {
  const options = {
    port: String(port),
    auth,
    upstream: `${backend}/backend-api/codex`,
    state: `redis://127.0.0.1:${redisPort}`,
    drain: '3',
    grace: '60',
  };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  return startProgram(
    [process.execPath, join(repository, 'src', 'cli', 'main.ts'), 'proxy', ...args],
    /listening on/,
    { CODEX_REFRESH_TOKEN_URL_OVERRIDE: `${backend}/oauth/token` },
  );
}
