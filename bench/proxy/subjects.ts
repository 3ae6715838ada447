import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { listenLocally } from '../../src/listening.ts';

/** A program under load in a process of its own. */
export type Running = {
  readonly port: number;
  /** Returns the resident memory in bytes. */
  readonly memory: () => number;
  /** Returns the last lines that the program printed. */
  readonly lastOutput: () => string;
  readonly stop: () => Promise<void>;
};

/** Starts a Node program and waits until it prints the port that it listens on. */
export async function startNode(args: readonly string[], listening = /^listening (\d+)$/): Promise<Running> {
  const child = spawn(process.execPath, [...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const lastLines: string[] = [];
  const lastOutput = () => lastLines.join(' | ');
  const port = await new Promise<number>((resolve, reject) => {
    for (const output of [child.stdout, child.stderr]) {
      createInterface(output).on('line', (line) => {
        lastLines.push(line);
        if (lastLines.length > 5) lastLines.shift();
        const match = listening.exec(line)?.[1];
        if (match !== undefined) resolve(Number(match));
      });
    }
    child.once('exit', () => reject(new Error(`${args.join(' ')} ended: ${lastOutput()}`)));
  });
  return { port, memory: () => memoryOf(child), lastOutput, stop: () => stopChild(child) };
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
    memory: () => memoryOf(child),
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

async function untilListening(port: number): Promise<void> {
  const { connect } = await import('node:net');
  for (let attempt = 0; attempt < 200; attempt += 1) {
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

/** Returns the resident memory on Linux, and 0 on other systems. */
function memoryOf({ pid }: ChildProcess): number {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(kilobytes ?? 0) * 1024;
  } catch {
    return 0;
  }
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}
