import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { cli, temporaryFolder } from './cli.ts';

// These tests wait, so they run concurrently.

/**
 * A proxy that forwards bytes to the backend, but only 1 s after it listens. Before, it does what the third argument says:
 * nothing, or a response with the status 503.
 */
const slowProxy = `
  const net = require('net');
  const [port, upstream, before] = process.argv.slice(1);
  const { host, hostname, port: behind } = new URL(upstream);
  let warm = false;
  net.createServer({ noDelay: true }, (front) => {
    front.on('error', () => {});
    if (!warm && before === 'silent') return;
    front.once('data', (head) => {
      if (!warm) return front.end('HTTP/1.1 503 Service Unavailable\\r\\nContent-Length: 0\\r\\n\\r\\n');
      const back = net.connect({ host: hostname, port: Number(behind), noDelay: true });
      back.write(head.toString('latin1').replace(/(host: )[0-9.:]+/i, '$1' + host), 'latin1');
      front.pipe(back).pipe(front);
      back.on('error', () => front.destroy());
      front.on('close', () => back.destroy());
    });
  }).listen(Number(port), '127.0.0.1');
  setTimeout(() => {
    warm = true;
    console.log('warmed up: serving (1 backend)');
  }, 1000);
`;

it.concurrent.for([
  { before: 'silent', ready: undefined },
  { before: '503', ready: { path: '/health', status: 404 } },
  { before: '503', ready: { line: 'serving (1' } },
  { before: '503', ready: { line: '/^warmed .*\\)$/' } },
])(
  'waits until a subject is ready: before $before, $ready',
  async ({ before, ready }, { onTestFinished }) => {
    const folder = temporaryFolder(onTestFinished);
    const command = [process.execPath, '-e', slowProxy, '{port}', '{upstream}', before];
    const subjects = { mine: { command, ...(ready === undefined ? {} : { ready }) } };
    writeFileSync(join(folder, 'codex-parity.config.json'), JSON.stringify({ subjects }));
    const { exitCode, stdout } = await cli(
      ['check', '--verbose', '--subject', 'mine', '--codex', '0.169.0', '--scenario', 'default'],
      { cwd: folder },
    );
    expect(stdout).toMatch(/default +ok +ok +ok\n/);
    expect(exitCode).toBe(0);
  },
);

it.concurrent.for([
  {
    ready: { path: '/health', status: 200 },
    lack: /subject mine answers GET \/health with (?:404|503) instead of 200 after 4 s; it last printed: warmed up/,
  },
  {
    ready: { line: 'listening' },
    lack: /subject mine does not print a line with \/listening\/ after 4 s; it last printed: warmed up/,
  },
])(
  'reports what a subject lacks that does not become ready: $ready',
  async (expected, { onTestFinished }) => {
    const { ready, lack } = expected;
    const folder = temporaryFolder(onTestFinished);
    const command = [process.execPath, '-e', slowProxy, '{port}', '{upstream}', '503'];
    const subjects = { mine: { command, ready } };
    writeFileSync(join(folder, 'codex-parity.config.json'), JSON.stringify({ subjects }));
    const { exitCode, stdout } = await cli(
      [
        'check',
        '--verbose',
        '--subject',
        'mine',
        '--codex',
        '0.169.0',
        '--scenario',
        'default',
        '--timeout',
        '4',
      ],
      { cwd: folder },
    );
    expect(stdout).toMatch(lack);
    expect(exitCode).toBe(1);
  },
);
