import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { reportSchema } from '../../src/report/report-schema.ts';
import { temporaryFolder } from './cli.ts';
import { runInProcess } from './run-in-process.ts';

/**
 * A proxy that forwards bytes. It sets the host, replaces the first word by the second in what the backend sends, exits
 * if a handshake contains the third, and drops the header with the name of the fourth.
 */
const forwardingProxy = `
  const net = require('net');
  const [port, upstream, from, to, poison, dropped] = process.argv.slice(1);
  const { host, hostname, port: behind } = new URL(upstream);
  net.createServer({ noDelay: true }, (front) => {
    const back = net.connect({ host: hostname, port: Number(behind), noDelay: true });
    front.once('data', (head) => {
      const text = head.toString('latin1');
      if (poison && text.includes(poison)) {
        console.error('\\u001b[31mI choke\\u001b[0m');
        process.exit(3);
      }
      const kept = dropped ? text.replace(new RegExp('^' + dropped + ': .*\\r\\n', 'im'), '') : text;
      back.write(Buffer.from(kept.replace(/(host: )[0-9.:]+/i, '$1' + host), 'latin1'));
      front.pipe(back);
    });
    back.on('data', (bytes) => {
      front.write(from ? Buffer.from(bytes.toString('latin1').replace(from, to), 'latin1') : bytes);
    });
    back.on('end', () => front.end());
    for (const [a, b] of [[front, back], [back, front]]) {
      a.on('error', () => b.destroy());
      a.on('close', () => b.destroy());
    }
  }).listen(Number(port), '127.0.0.1');
`;

/** A folder with a configuration that has this proxy as the subject "mine". */
function folderWithProxy(...words: readonly string[]): string {
  const folder = temporaryFolder();
  const command = [process.execPath, '-e', forwardingProxy, '{port}', '{upstream}', ...words];
  writeFileSync(
    join(folder, 'codex-parity.config.json'),
    JSON.stringify({ subjects: { mine: { command } } }),
  );
  return folder;
}

const recorded = mkdtempSync(join(tmpdir(), 'codex-parity-test-'));

beforeAll(async () => {
  const { exitCode, stderr } = await runInProcess([
    ...['record', '--codex', '0.169.0', '--scenario', 'http-fallback', '--lane', 'chatgpt,base-url'],
    ...['--out', recorded],
  ]);
  expect(exitCode, stderr).toBe(0);
});

afterAll(() => rmSync(recorded, { recursive: true, force: true }));

it('finds no difference in a proxy that forwards a refused upgrade and a POST', async () => {
  const { exitCode, stdout } = await runInProcess(
    ['check', '--verbose', '--subject', 'mine', '--goldens', recorded],
    {
      cwd: folderWithProxy(),
    },
  );
  expect(stdout).toMatch(/0\.169\.0 chatgpt {2}http-fallback +ok +ok +ok/);
  expect(exitCode).toBe(0);
});

it.each([
  {
    broken: 'changes the status of a refused upgrade',
    words: [' 426 ', ' 502 '],
    finding: /response › status: changed\n {2}expected 426\n {2}actual {3}502/,
    reason: /the subject responded to the upgrade with 502 instead of 426/,
  },
  {
    broken: 'changes the content type',
    words: ['text/event-stream', 'text/plain'],
    finding: /exchange 2 › response › content-type: changed/,
    reason: /no parity/,
  },
])('reports a proxy that $broken', async ({ words, finding, reason }) => {
  const { exitCode, stdout } = await runInProcess(
    ['check', '--verbose', '--subject', 'mine', '--goldens', recorded],
    {
      cwd: folderWithProxy(...words),
    },
  );
  expect(stdout).toMatch(finding);
  expect(stdout).toMatch(reason);
  expect(exitCode).toBe(1);
});

/** A proxy that accepts each upgrade by itself, and then asks upstream. */
const acceptingProxy = `
  const net = require('net');
  const { createHash } = require('crypto');
  const [port, upstream] = process.argv.slice(1);
  const { host, hostname, port: behind } = new URL(upstream);
  net.createServer({ noDelay: true }, (front) => {
    front.once('data', (bytes) => {
      const head = bytes.toString('latin1')
        .replace(/^sec-websocket-extensions: .*\\r\\n/im, '')
        .replace(/(host: )[0-9.:]+/i, '$1' + host);
      if (!/sec-websocket-key/i.test(head)) return front.end('HTTP/1.1 404 Not Found\\r\\n\\r\\n');
      const key = /sec-websocket-key: (.*)\\r/i.exec(head)[1];
      const accept = createHash('sha1').update(key + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
      front.write('HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n' +
        'Sec-WebSocket-Accept: ' + accept + '\\r\\n\\r\\n');
      const back = net.connect({ host: hostname, port: Number(behind), noDelay: true });
      back.write(head, 'latin1');
      front.pipe(back);
      back.once('data', (bytes) => {
        front.write(bytes.subarray(bytes.indexOf('\\r\\n\\r\\n') + 4));
        back.pipe(front);
      });
      for (const [a, b] of [[front, back], [back, front]]) {
        a.on('error', () => b.destroy());
        a.on('close', () => b.destroy());
      }
    });
  }).listen(Number(port), '127.0.0.1');
`;

it('does not check a refused upgrade if the proxy accepts it before it asks upstream', async () => {
  const folder = temporaryFolder();
  const command = [process.execPath, '-e', acceptingProxy, '{port}', '{upstream}'];
  writeFileSync(
    join(folder, 'codex-parity.config.json'),
    JSON.stringify({ subjects: { mine: { command } } }),
  );
  const scenarios = ['default', 'http-fallback', 'http-error-500', 'token-refresh', 'upgrade-500'];
  const { exitCode, stdout } = await runInProcess(
    ['check', '--verbose', '--subject', 'mine', '--codex', '0.169.0', '--scenario', scenarios.join(',')],
    { cwd: folder },
  );
  expect(stdout).toMatch(/default +1 finding /);
  for (const scenario of scenarios.slice(1)) {
    expect(stdout).toMatch(new RegExp(` ${scenario} +not checked +not checked +not checked\n`));
  }
  expect(stdout).toContain(': the subject accepts the upgrade before it asks upstream, which refuses it\n');
  expect(exitCode).toBe(1);
});

it('compares the upstream traffic with the golden of lane chatgpt, whatever the lane of the client', async () => {
  const { exitCode, stdout } = await runInProcess(
    ['check', '--verbose', '--subject', 'mine', '--goldens', recorded, '--lane', 'base-url'],
    { cwd: folderWithProxy() },
  );
  expect(stdout).toMatch(
    /breaks: 0\.169\.0 base-url http-fallback › exchange 1 › handshake › x-openai-account-routing-override: missing/,
  );
  expect(stdout).toContain('no parity: 1 finding for mine');
  expect(exitCode).toBe(1);
});

it('lists the lanes that have goldens if one has none', async () => {
  const { exitCode, stderr } = await runInProcess([
    'check',
    '--verbose',
    '--goldens',
    recorded,
    '--lane',
    'provider',
  ]);
  expect(stderr).toMatch(/no golden in lane provider: choose from lane base-url, chatgpt/);
  expect(exitCode).toBe(2);
});

it('checks the other scenarios if a subject dies in one, and reports all', async () => {
  const folder = folderWithProxy('', '', 'tier=priority');
  const { exitCode, stdout, stderr } = await runInProcess(
    [
      ...['check', '--verbose', '--subject', 'mine', '--codex', '0.169.0', '--scenario', 'default,fast,flex'],
      ...['--report', 'json=report.json'],
    ],
    { cwd: folder },
  );
  expect(stdout).toMatch(/default +ok +ok +ok\n/);
  expect(stdout).toMatch(/fast +failed +failed +failed\n/);
  expect(stdout).toMatch(/flex +ok +ok +ok\n/);
  expect(stdout).toContain('failed: 0.169.0 fast: subject mine ended with exit code 3; it last printed: ');
  expect(stdout).toContain('no parity: 1 failed scenario for mine (3 scenarios, driver replay)');
  const report = JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8'));
  expect(reportSchema.safeParse(report).error?.issues).toBeUndefined();
  expect(report.scenarios).toMatchObject([
    { scenario: 'default', verdict: { type: 'ok' } },
    { scenario: 'fast', verdict: { type: 'failed' }, findings: [] },
    { scenario: 'flex', verdict: { type: 'ok' } },
  ]);
  // Output of a subject must not control the terminal.
  expect(stdout).toContain(String.raw`\u001b[31mI choke`);
  expect(`${stdout}${stderr}`).not.toContain('\u001b');
  expect(exitCode).toBe(1);
});

it('does not try the other scenarios if a subject fails in all of the first', async () => {
  const { exitCode, stdout } = await runInProcess(
    ['check', '--verbose', '--subject', 'mine', '--codex', '0.169.0'],
    {
      cwd: folderWithProxy('', '', 'Upgrade'),
    },
  );
  expect(stdout).toMatch(/\nfailed: .*exit code 3; /);
  expect(stdout).toMatch(
    /\nnot checked: .*, \d+ more: the subject failed in all of the first \d scenarios\n/,
  );
  expect(exitCode).toBe(1);
});

it('compares what a subject sent before it failed', async () => {
  const { exitCode, stdout } = await runInProcess(
    ['check', '--verbose', '--subject', 'mine', '--goldens', recorded],
    {
      cwd: folderWithProxy('', '', 'POST', 'originator'),
    },
  );
  expect(stdout).toMatch(/http-fallback +1 finding +failed +failed\n/);
  expect(stdout).toContain('exchange 1 › handshake › originator: missing\n');
  expect(stdout).toContain('failed: 0.169.0 http-fallback: subject mine ended with exit code 3; ');
  expect(stdout).toContain('no parity: 1 finding and 1 failed scenario for mine');
  expect(exitCode).toBe(1);
});

it('checks a proxy with an IPv6 address', async () => {
  const backendPort = await portOf(createServer(), '127.0.0.1', true);
  const proxy = createServer((front: Socket) => {
    const back = connect({ host: '127.0.0.1', port: backendPort });
    front.once('data', (head) => {
      back.write(
        head.toString('latin1').replace(/(host: )[0-9.:]+/i, `$1127.0.0.1:${backendPort}`),
        'latin1',
      );
      front.pipe(back);
    });
    back.pipe(front);
    front.on('error', () => back.destroy());
    back.on('error', () => front.destroy());
  });
  const port = await portOf(proxy, '::1', false);
  const { exitCode, stdout } = await runInProcess([
    ...[
      'check',
      '--verbose',
      '--codex',
      '0.169.0',
      '--scenario',
      'default',
      '--backend-port',
      String(backendPort),
    ],
    ...['--subject-url', `http://[::1]:${port}/backend-api/codex`],
  ]);
  expect(stdout).toMatch(/0\.169\.0 chatgpt {2}default +ok +ok +ok/);
  expect(exitCode).toBe(0);
});

/** The port on which a server listens until the end of the test, or a free one. */
async function portOf(server: ReturnType<typeof createServer>, host: string, free: boolean): Promise<number> {
  server.listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  if (free) server.close();
  else onTestFinished(() => void server.close());
  return typeof address === 'object' && address !== null ? address.port : 0;
}
