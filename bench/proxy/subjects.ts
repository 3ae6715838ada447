import { type ChildProcess, type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { listenLocally } from '../../src/listening.ts';

/** A program under load in a process of its own. */
export type Running = {
  readonly port: number;
  /** Returns the resident memory in bytes, with that of its child processes. */
  readonly memory: () => number;
  /** Returns the CPU time in milliseconds, with that of its child processes. */
  readonly cpu: () => number;
  /** Returns the last lines that the program printed. */
  readonly lastOutput: () => string;
  readonly stop: () => Promise<void>;
};

/** Starts a Node program and waits until it prints the port that it listens on. */
export async function startNode(args: readonly string[], listening = /^listening (\d+)$/): Promise<Running> {
  const child = spawn(process.execPath, [...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let lastOutput = () => '';
  const port = await new Promise<number>((resolve, reject) => {
    lastOutput = readLines(child, (line) => {
      const match = listening.exec(line)?.[1];
      if (match !== undefined) resolve(Number(match));
    });
    child.once('exit', () => reject(new Error(`${args.join(' ')} ended: ${lastOutput()}`)));
  });
  return { port, ...usageOf(child), lastOutput, stop: () => stopChild(child) };
}

/**
 * Starts another proxy. `{port}` and `{upstream}` in the command are replaced by the port that it must listen on, and by the base
 * URL of the backend.
 */
export async function startBeside(command: string, upstream: string): Promise<Running> {
  const port = await freePort();
  const filled = command.replaceAll('{port}', String(port)).replaceAll('{upstream}', upstream);
  // A group of its own, so that what the shell starts ends with it.
  const child = spawn(filled, { shell: true, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const lastOutput = readLines(child);
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
    process.kill(-child.pid, 'SIGTERM');
    await once(child, 'exit');
  };
  await untilListening(port, 60_000).catch(async (error: unknown) => {
    await stop();
    throw new Error(`${error instanceof Error ? error.message : ''}: ${filled}: ${lastOutput()}`);
  });
  return { port, ...usageOf(child), lastOutput, stop };
}

/** Reads what a program prints. Returns what returns the last lines. */
function readLines(
  { stdout, stderr }: ChildProcessByStdio<null, Readable, Readable>,
  onLine: (line: string) => void = () => {},
): () => string {
  const lines: string[] = [];
  for (const output of [stdout, stderr]) {
    createInterface(output).on('line', (line) => {
      lines.push(line);
      if (lines.length > 5) lines.shift();
      onLine(line);
    });
  }
  return () => lines.join(' | ');
}

/** Starts nginx as a plain reverse proxy. Returns undefined if it is not installed. */
export async function startNginx(target: number): Promise<Running | undefined> {
  if (spawnSync('nginx', ['-v']).status !== 0) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'codex-parity-nginx-'));
  const port = await freePort();
  const configuration = join(folder, 'nginx.conf');
  writeFileSync(configuration, nginxConfiguration(folder, port, target));
  const child = spawn('nginx', ['-c', configuration, '-p', folder, '-e', join(folder, 'error.log')], {
    stdio: 'ignore',
  });
  await untilListening(port);
  return {
    port,
    ...usageOf(child),
    lastOutput: () => readFileSync(join(folder, 'error.log'), 'utf8'),
    stop: async () => {
      await stopChild(child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** One worker, because the proxies on Node have one thread; no buffers on disk; connections are kept. */
function nginxConfiguration(folder: string, port: number, target: number): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${join(folder, kind)};`,
  );
  return `daemon off; worker_processes 1; pid ${join(folder, 'pid')};
events { worker_connections 4096; }
http {
  access_log off; client_max_body_size 16m; client_body_buffer_size 1m; ${temporary.join(' ')}
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  upstream backend { server 127.0.0.1:${target}; keepalive 512; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://backend; proxy_http_version 1.1; proxy_buffering off;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
    }
  }
}
`;
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listenLocally(server);
  server.close();
  await once(server, 'close');
  return port;
}

async function untilListening(port: number, milliseconds = 5000): Promise<void> {
  for (const late = Date.now() + milliseconds; Date.now() < late; ) {
    const socket = connect({ host: '127.0.0.1', port });
    const connected = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (connected) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`nothing listens on port ${port}`);
}

/** Milliseconds of a clock tick on Linux. */
const tick = 10;

/** What a process and its children use on Linux; 0 on other systems. */
function usageOf({ pid = 0 }: ChildProcess): Pick<Running, 'memory' | 'cpu'> {
  const sumOver = (read: (pid: number) => number): number => {
    try {
      return familyOf(pid).reduce((sum, one) => sum + read(one), 0);
    } catch {
      return 0;
    }
  };
  return {
    memory: () =>
      sumOver((one) => {
        const [, kilobytes = 0] =
          /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${one}/status`, 'utf8')) ?? [];
        return Number(kilobytes) * 1024;
      }),
    cpu: () =>
      sumOver((one) => {
        // After the name, which may have spaces: state is the first field, utime and stime the 12th and 13th.
        const fields = readFileSync(`/proc/${one}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
        return (Number(fields[11]) + Number(fields[12])) * tick;
      }),
  };
}

function familyOf(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').trim().split(' '),
  );
  return [pid, ...children.filter((child) => child !== '').flatMap((child) => familyOf(Number(child)))];
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}
