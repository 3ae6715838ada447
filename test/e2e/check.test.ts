import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { authJson, madeUpSignIn } from '../../src/client/official/made-up-sign-in.ts';
import { readGolden } from '../../src/golden/file.ts';
import { lineLogger } from '../../src/proxy/log.ts';
import { startProxy } from '../../src/proxy/server.ts';
import { Shape } from '../../src/proxy/shape/shape.ts';
import { readSignIn } from '../../src/proxy/sign-in/auth-file.ts';
import { cli, repository, temporaryFolder } from './cli.ts';
import { runMutated, shaper } from './mutation.ts';
import { runInProcess } from './run-in-process.ts';

it('finds no difference between the bundled proxy and any golden', async () => {
  const { exitCode, stdout } = await runInProcess(['check', '--verbose']);
  expect(stdout).toContain('parity: bundled sends what the official client sends');
  expect(stdout).toMatch(/0\.169\.0 chatgpt {2}fast +ok +ok +ok/);
  expect(stdout).toMatch(/0\.118\.0 chatgpt {2}default +ok +ok +ok/);
  expect(exitCode).toBe(0);
});

it.each([
  ['0.169.0', 'default,tool-turn,second-turn,subagent,http-fallback,close-1006'],
  ['0.118.0', 'default,second-turn'],
])('finds no difference with the real client %s and the bundled proxy', async (version, scenarios) => {
  const played = ['--codex', version, '--scenario', scenarios];
  const { exitCode, stdout } = await runInProcess(['check', '--verbose', '--driver', 'codex', ...played]);
  expect(stdout).toContain('driver codex');
  expect(stdout).toContain('parity: bundled');
  expect(exitCode).toBe(0);
});

/** The file that writes the headers of complete clients. */
const tunnelled = 'proxy/shape/tunnelled-headers.ts';

// Messages of a complete client are passed on as they are. They are rewritten in lanes in which they lack something.
it.each([
  {
    broken: 'does not set prompt_cache_key',
    lane: 'provider-openai',
    change: (source: string) => source.replace(/^.*members\.set\('prompt_cache_key'.*$/m, ''),
    finding: /client message 1 › prompt_cache_key: missing/,
  },
  {
    broken: 'renames its session header',
    file: tunnelled,
    change: (source: string) =>
      source.replace(
        'result.push([name, value])',
        "result.push([name.replace('session-', 'session_'), value])",
      ),
    finding: /handshake › session-id: renamed\n {2}expected session-id\n {2}actual {3}session_id/,
  },
  {
    broken: 'sends an account id of another sign-in',
    file: tunnelled,
    change: (source: string) => source.replace('signIn.accountId)', "'user-123')"),
    finding: /handshake › chatgpt-account-id: changed\n(?:.*\n)*? {2}why .*does not belong to the sign-in/,
  },
  {
    broken: 'sends a token of another sign-in',
    file: tunnelled,
    change: (source: string) => source.replace('(signIn.accessToken)', "('another-token')"),
    finding: /handshake › authorization: changed\n(?:.*\n)*? {2}why .*does not belong to the sign-in/,
  },
  {
    broken: 'sends the literal default tier',
    lane: 'provider-openai',
    change: (source: string) => source.replace('JSON.stringify(tier)', "JSON.stringify('default')"),
    finding: /service_tier: changed\n(?:.*\n)*? {2}why .*refuses the literal "default"/,
  },
  {
    broken: 'sends the turn metadata of the handshake in each message',
    lane: 'provider-openai',
    change: (source: string) =>
      source.replace(
        "rawMembers(clientMetadata ?? '')",
        `$&.map(([key, value]) =>
          [key, key === turnMetadata ? JSON.stringify(headerValue(this.#clientHeaders, key) ?? '') : value])`,
      ),
    finding:
      /client message 2 › client_metadata\.x-codex-turn-metadata: changed\n(?:.*\n)*? {2}expected .*turn_id /,
  },
])('reports the place if the proxy $broken', async ({ lane = 'chatgpt', file = shaper, change, finding }) => {
  const check = ['check', '--verbose', '--codex', '0.169.0', '--lane', lane, '--scenario', 'fast'];
  const [result] = await runMutated({ file, change }, [check]);
  expect(result?.stdout).toMatch(finding);
  expect(result?.exitCode).toBe(1);
});

it('checks a running proxy at its own path', async () => {
  const folder = temporaryFolder();
  const auth = join(folder, 'auth.json');
  const account = {
    accountId: 'acct-url',
    userId: 'user-url',
    email: 'url@example.com',
    plan: 'pro' as const,
  };
  writeFileSync(auth, authJson(madeUpSignIn(account)));
  const backendPort = await freePort();
  const golden = readGolden(join(repository, 'traces', '0.169.0', 'chatgpt', 'default.golden.jsonl'));
  const proxy = await startProxy({
    shape: new Shape(golden),
    signIn: () => readSignIn(auth),
    upstream: new URL(`http://127.0.0.1:${backendPort}/backend-api/codex`),
    port: 0,
    log: lineLogger(() => {}),
  });
  const { exitCode, stdout } = await runInProcess([
    ...['check', '--verbose', '--codex', '0.169.0', '--scenario', 'default'],
    ...['--subject-url', `http://127.0.0.1:${proxy.port}/v1`, '--backend-port', String(backendPort)],
  ]);
  await proxy.close();
  expect(stdout).toMatch(/0\.169\.0 chatgpt {2}default +ok +ok +ok/);
  expect(exitCode).toBe(0);
});

/** Checks a server that is not a proxy: `onConnection` handles its connections. */
async function checkServer(onConnection: (socket: Socket) => void) {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    onConnection(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const backendPort = await freePort();
  const result = await runInProcess([
    ...['check', '--verbose', '--codex', '0.169.0', '--scenario', 'fast', '--timeout', '2'],
    ...['--subject-url', `http://127.0.0.1:${port}/v1`, '--backend-port', String(backendPort)],
  ]);
  server.close();
  return { ...result, backendPort };
}

it('reports a proxy that sends nothing upstream in one finding, with the upstream that it must have', async () => {
  const { exitCode, stdout, backendPort } = await checkServer((socket) => {
    socket.once('data', () => socket.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n'));
  });
  expect(stdout).toMatch(/fast +1 finding +1 finding +1 finding\n/);
  expect(stdout).toContain('actual   the subject responded to the upgrade with 502 instead of 101\n');
  expect(stdout).toContain(`must be http://127.0.0.1:${backendPort}/backend-api/codex\n`);
  expect(stdout).toContain('no parity: 1 finding for');
  expect(exitCode).toBe(1);
});

it.skipIf(process.platform !== 'linux')(
  'fails within the time limit if no connection to the proxy can be made',
  async () => {
    // Listens and never accepts a connection: Linux then refuses to queue more than a few.
    const script = `
    const server = require('net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
      require('fs').writeSync(1, String(server.address().port));
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000);
    });`;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
    const [port] = await once(child.stdout, 'data');
    const waiting = Array.from({ length: 5 }, () => connect(Number(port), '127.0.0.1').on('error', () => {}));
    onTestFinished(() => {
      child.kill('SIGKILL');
      for (const socket of waiting) socket.destroy();
    });
    const url = `http://127.0.0.1:${port}/v1`;
    const start = Date.now();
    const { exitCode, stdout } = await cli(
      [
        ...['check', '--verbose', '--codex', '0.169.0', '--scenario', 'fast', '--timeout', '2'],
        ...['--subject-url', url, '--backend-port', String(await freePort())],
      ],
      // Without its own limit, the program would wait for the system's: two minutes.
      { onStderr: (_, running) => setTimeout(() => running.kill('SIGKILL'), 20_000).unref() },
    );
    expect(stdout).toContain(`nothing listens at ${url}: start the proxy first, or correct --subject-url`);
    expect(exitCode).toBe(1);
    expect(Date.now() - start).toBeLessThan(15_000);
  },
);

it('reports what a running proxy did not respond to', async () => {
  const { exitCode, stdout, backendPort } = await checkServer(() => {});
  expect(stdout).toContain(
    `did not finish fast within 2 s: no response to the upgrade; no model request reached its upstream, which must be http://127.0.0.1:${backendPort}/backend-api/codex\n`,
  );
  expect(exitCode).toBe(1);
});

it('checks a subject from the configuration file and writes all reports', async () => {
  const folder = temporaryFolder();
  const program = join(repository, 'src', 'cli', 'main.ts');
  const command = [
    process.execPath,
    program,
    'proxy',
    '--port',
    '{port}',
    '--upstream',
    '{upstream}',
    '--auth',
    '{auth}',
    '--codex',
    '{codex}',
  ];
  writeFileSync(
    join(folder, 'codex-parity.config.json'),
    JSON.stringify({ subjects: { mine: { command, path: '/v1' } } }),
  );
  const { exitCode, stdout } = await runInProcess(
    [
      ...['check', '--verbose', '--subject', 'mine', '--codex', '0.118.0', '--scenario', 'fast'],
      ...['--report', 'json=out/report.json', '--report', 'junit=out/junit.xml', '--report', 'github=-'],
    ],
    { cwd: folder },
  );
  expect(exitCode).toBe(0);
  expect(stdout).toBe('::notice title=codex-parity::mine: parity\n');
  expect(JSON.parse(readFileSync(join(folder, 'out', 'report.json'), 'utf8'))).toMatchObject({
    parity: true,
    subject: 'mine',
    scenarios: [{ codex: '0.118.0', scenario: 'fast', findings: [] }],
  });
  expect(readFileSync(join(folder, 'out', 'junit.xml'), 'utf8')).toContain('tests="3" failures="0"');
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
