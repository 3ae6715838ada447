import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { listenLocally } from '../../src/listening.ts';

/** Whether the program redis-server is installed. .ci/run installs it. */
export const hasRedis = spawnSync('redis-server', ['--version']).status === 0;
if (!hasRedis)
  console.warn(
    'redis-server is not installed: the tests with Redis are skipped (apt-get install redis-server)',
  );

export type RedisServer = {
  readonly url: URL;
  /** It keeps its data. */
  readonly stop: () => Promise<void>;
  readonly start: (...options: readonly string[]) => Promise<void>;
};

/** A Redis server on a port of its own, which ends with the test. */
export async function startRedis(finished: typeof onTestFinished = onTestFinished): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'codex-parity-redis-'));
  const port = await freePort();
  let server: ChildProcess | undefined;
  const start = async (...options: readonly string[]) => {
    const args = [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--dir',
      folder,
      '--save',
      '',
      '--appendonly',
      'yes',
      ...options,
    ];
    const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'ignore'] });
    server = child;
    await new Promise<void>((resolve, reject) => {
      let text = '';
      child.stdout.on('data', (chunk) => {
        text += chunk;
        if (text.includes('Ready to accept connections')) resolve();
      });
      child.once('close', () => reject(new Error(`redis-server ended: ${text.slice(-500)}`)));
    });
  };
  const stop = async () => {
    if (server === undefined || server.exitCode !== null) return;
    const closed = once(server, 'close');
    server.kill('SIGTERM');
    await closed;
  };
  finished(async () => {
    await stop();
    rmSync(folder, { recursive: true, force: true });
  });
  await start();
  return { url: new URL(`redis://127.0.0.1:${port}`), start, stop };
}

/** A port that nothing listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listenLocally(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}
