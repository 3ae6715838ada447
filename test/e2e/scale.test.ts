import { execFile, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { config } from '../../src/config/config.ts';
import { hasRedis } from '../proxy/redis.ts';
import { repository, temporaryFolder } from './cli.ts';

const isInstalled = (program: string) => spawnSync(program, ['-v']).error === undefined;
const hasHaproxy = isInstalled('haproxy');
if (!hasHaproxy) {
  console.warn('haproxy is not installed: the tests with it are skipped (apt-get install haproxy)');
}

const deployed = (file: string) => readFileSync(join(repository, 'deploy', file), 'utf8');

/** Writes a configuration with addresses of this machine instead of host names. */
function withAddresses(file: string): string {
  const path = join(temporaryFolder(), file);
  writeFileSync(path, deployed(file).replaceAll(/proxy-(\d):8320/g, '127.0.0.1:901$1'));
  return path;
}

function scale(...args: readonly string[]) {
  return new Promise<{ exitCode: unknown; stdout: string; stderr: string }>((resolve) => {
    execFile(process.execPath, [join(repository, 'scripts', 'scale.ts'), ...args], (error, stdout, stderr) =>
      resolve({ exitCode: error?.code ?? 0, stdout, stderr }),
    );
  });
}

it.runIf(hasRedis && hasHaproxy)(
  'loses nothing while proxies behind HAProxy are killed and drained, and Redis is restarted',
  async () => {
    const { exitCode, stdout, stderr } = await scale('--conversations', '30');
    expect(stdout, stderr).toMatch(
      /^120 of 120 turns with the right content, \d+ requests sent again, 1 renewal of the sign-in\nthe proxies hold\n$/,
    );
    expect(exitCode).toBe(0);
  },
);

it('rejects invalid numbers before it starts anything', async () => {
  const { exitCode, stderr } = await scale('--rounds', '0');
  expect(stderr).toMatch(/^--conversations and --rounds must be whole numbers above 0: npm run scale/);
  expect(exitCode).toBe(2);
});

describe('deploy/', () => {
  it.runIf(hasHaproxy)('has a configuration that HAProxy takes without a warning', () => {
    const { status, stdout, stderr } = spawnSync('haproxy', ['-c', '-f', withAddresses('haproxy.cfg')], {
      encoding: 'utf8',
    });
    expect({ status, output: stdout + stderr }).toEqual({
      status: 0,
      output: 'Configuration file is valid\n',
    });
  });

  it.runIf(isInstalled('nginx'))('has a configuration that nginx takes', () => {
    const { status, stderr } = spawnSync('nginx', ['-t', '-c', withAddresses('nginx.conf')], {
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringContaining('test is successful') });
  });

  it.each(['compose.yaml', 'kubernetes.yaml'])('starts the proxy with options that it has: %s', (file) => {
    const texts: string[] = [];
    const documents =
      file === 'compose.yaml'
        ? [parse(deployed(file), { merge: true }).services['proxy-2'].command]
        : parseAllDocuments(deployed(file)).map((document) => {
            expect(document.errors).toEqual([]);
            return document.toJS().spec.template?.spec.containers[0].args;
          });
    for (const args of documents) if (args?.[0] === 'proxy') texts.push(...args.slice(1));
    const names = texts.map((text) => /^--([a-z-]+)=./.exec(text)?.[1]);
    expect(names).toEqual(['host', 'auth', 'state', 'drain', 'grace']);
    const known = Object.keys(config.shape.proxy.unwrap().shape);
    expect(names.filter((name) => !known.includes(name ?? ''))).toEqual([]);
  });
});
