import { readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { playedFaults } from '../../src/check/faults/fault-cases.ts';
import { coreScenarios, runFaultChecks } from '../../src/check/faults/run-fault-checks.ts';
import { freePort } from '../../src/check/free-port.ts';
import { configuredSubject, type Subject, subjectAt } from '../../src/check/subject.ts';
import type { Lane } from '../../src/client/official/lanes.ts';
import type { FaultResult } from '../../src/diff/judge-view.ts';
import { bundledGoldens } from '../../src/golden/select.ts';
import { listenLocally } from '../../src/listening.ts';
import { faultCell, faultScreen, toleratesFaults } from '../../src/report/fault-report.ts';

const document = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'reliability.md'), 'utf8');

type Played = {
  readonly subject: Subject;
  readonly faults: readonly string[];
  readonly backendPort?: number;
  /** Long enough for a busy machine, unless a test waits for its end. */
  readonly timeLimit?: number;
  readonly lane?: Lane;
};

/** Plays some faults of a scenario, each as `WHAT@STEP`. */
async function played(
  { subject, faults, backendPort = 0, timeLimit = 60_000, lane = 'chatgpt' }: Played,
  scenario = 'default',
): Promise<readonly FaultResult[]> {
  const { results } = await runFaultChecks({
    ...{ subject, goldens: [bundledGoldens], codex: '0.171.0', scenarios: [scenario], backendPort },
    lane,
    timeLimit,
    narrow: ({ what, step }) => faults.includes(`${what}@${step}`),
    signal: new AbortController().signal,
    onProgress: () => {},
  });
  return results;
}

/** The cell of docs/reliability.md for a result. */
function documented({ scenario, what, step }: FaultResult): string | undefined {
  const [, section = ''] = document.split(`### ${scenario}\n`);
  const cells = section.match(new RegExp(`^\\| \`${what}\` .*$`, 'm'))?.[0].split('|');
  return cells?.[2 + ['token', 'once', 'request', 'first', 'middle', 'last'].indexOf(step)]?.trim();
}

const bundled: Subject = { kind: 'bundled', name: 'bundled' };

it.each([
  ['default', ['status:401@request', 'reset@request', 'reset@middle', 'bad-deflate@first', 'twice@last']],
  ['http-fallback', ['drop@last', 'error:500@middle']],
])('finds of the bundled proxy what docs/reliability.md has: %s', async (scenario, faults) => {
  const results = await played({ subject: bundled, faults }, scenario);
  expect(results).toHaveLength(faults.length);
  expect(results.map(faultCell)).toEqual(results.map(documented));
  expect(results.filter(({ verdict }) => verdict.type === 'wrong')).toEqual([]);
});

it('has every fault and core scenario in docs/reliability.md, and its first line in README.md', () => {
  const [line = ''] = /^bundled with faults vs codex .*$/m.exec(document) ?? [];
  expect(readFileSync(join(import.meta.dirname, '..', '..', 'README.md'), 'utf8')).toContain(`\n${line}\n`);
  const sections = document.split('\n### ').slice(1);
  expect(sections.map((section) => section.split('\n')[0])).toEqual([...coreScenarios].sort());
  for (const what of playedFaults) expect(sections[0]).toContain(`\n| \`${what}\` `);
});

/** A proxy that passes on bytes. `onEnd` decides what becomes of one side when the other has ended. */
async function byteProxy(
  onEnd: (side: 'client' | 'backend', other: Socket) => void,
  change: (bytes: Buffer) => Buffer | undefined = (bytes) => bytes,
): Promise<Omit<Played, 'faults'>> {
  const backendPort = await freePort();
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const backend = connect({ port: backendPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    for (const socket of [client, backend]) sockets.add(socket.on('error', () => {}));
    client.on('data', (bytes) => backend.write(bytes)).once('close', () => onEnd('client', backend));
    client.once('end', () => onEnd('client', backend));
    backend.on('data', (bytes: Buffer) => {
      const changed = change(bytes);
      if (changed !== undefined) client.write(changed);
    });
    backend.once('end', () => onEnd('backend', client)).once('close', () => onEnd('backend', client));
  });
  const port = await listenLocally(server);
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { subject: subjectAt(`http://127.0.0.1:${port}/backend-api/codex`), backendPort };
}

it('plays the lanes: the proxy is signed in as its client', async () => {
  const faults = ['status:500@request', 'reset@once', 'status:500@token'];
  const byKey = await played({ subject: bundled, faults, lane: 'api-key' });
  expect(byKey.map(({ fault }) => fault)).toEqual(['reset@upgrade', 'status:500@upgrade:every']);
  expect(byKey.map(faultCell)).toEqual(['refused with 5xx', 'same']);
  const pointed = await played({ subject: bundled, faults: [...faults, 'stall@request'], lane: 'provider' });
  // The client sends its tier after its upgrade, so the proxy accepts that before it makes its own.
  expect(pointed.map(faultCell)).toEqual(['refused with 5xx', 'closed 1011', 'closed 1011', 'same']);
});

it('says which scenarios it cannot play', async () => {
  const run = (lane: Lane, ...scenarios: readonly string[]) =>
    runFaultChecks({
      ...{ subject: bundled, lane, goldens: [bundledGoldens], codex: '0.171.0', scenarios, backendPort: 0 },
      ...{ timeLimit: 60_000, narrow: () => false },
      signal: new AbortController().signal,
      onProgress: () => {},
    });
  const { skipped } = await run('provider', 'default', 'http-fallback', 'second-turn');
  expect(skipped).toEqual([
    { scenario: 'second-turn', reason: 'no golden in lane provider' },
    {
      scenario: 'http-fallback',
      reason: 'the client sends its tier after the upgrade, and the backend refuses the upgrade',
    },
  ]);
  const report = { subject: 'mine', codex: '0.171.0', lane: 'provider', results: [], skipped };
  expect(faultScreen(report)).toContain('\nnot played: second-turn (no golden in lane provider)\n');
  await expect(run('chatgpt', 'token-refresh', 'stalled-prewarm')).rejects.toThrow(
    'no scenario can be played with faults (stalled-prewarm: it has faults of its own): choose others with --scenario',
  );
});

it('fails the TLS handshakes of a proxy that connects to the official hosts', async () => {
  const program = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');
  const command = [process.execPath, program, 'proxy', '--port', '{port}', '--auth', '{auth}'];
  const subject = configuredSubject('mine', { command, upstream: 'https' }, tmpdir());
  const faults = ['tls-alert@handshake', 'half-open@handshake', 'error:500@middle', 'tls-alert@request'];
  const results = await played({ subject, faults });
  expect(results.map(({ what, step }) => `${what}@${step}`)).toEqual(faults.slice(0, 3));
  expect(results.map(faultCell)).toEqual(['refused with 5xx', 'same', 'same']);
});

it('tells a proxy that tries again from one that leaves that to its client', async () => {
  const backendPort = await freePort();
  const server = createServer({ noDelay: true }, (client) => {
    let sent = Buffer.alloc(0);
    let backend: Socket | undefined;
    const open = (isLast: boolean) => {
      const socket = connect({ port: backendPort, host: '127.0.0.1', noDelay: true });
      socket.write(sent);
      socket.once('data', (first: Buffer) => {
        if (!isLast && first.toString('latin1', 9, 12) === '500') return open(true);
        client.write(first);
        socket.pipe(client);
      });
      socket.on('error', () => client.destroy());
      backend = socket;
    };
    client.on('data', (bytes) => {
      sent = Buffer.concat([sent, bytes]);
      if (backend === undefined) open(false);
      else backend.write(bytes);
    });
    client.on('error', () => {}).on('close', () => backend?.destroy());
  });
  const port = await listenLocally(server);
  onTestFinished(() => void server.close());
  const subject = subjectAt(`http://127.0.0.1:${port}/backend-api/codex`);
  const faults = ['status:500@once', 'status:401@once', 'status:500@request'];
  const results = await played({ subject, backendPort, faults });
  expect(results.map(faultCell)).toEqual(['same', 'mended', 'same']);
});

it('accepts a proxy that ends one side with the other', async () => {
  const proxy = await byteProxy((_, other) => other.end());
  const results = await played({ ...proxy, faults: ['reset@middle', 'status:500@request', 'stall@last'] });
  expect(results.map(faultCell)).toEqual(['same', 'same', 'same']);
});

it('finds a proxy that leaves its client waiting', async () => {
  const proxy = await byteProxy((side, other) => (side === 'client' ? other.end() : undefined));
  const results = await played({ ...proxy, faults: ['reset@middle'], timeLimit: 3000 });
  const report = { subject: 'mine', codex: '0.171.0', lane: 'chatgpt', results, skipped: [] };
  expect(toleratesFaults(report)).toBe(false);
  expect(faultScreen(report).split('\n')).toEqual([
    'mine with faults vs codex 0.171.0 · 1 of 1 fault in 1 scenario go wrong',
    '✗ exchange 1: silent after 6 messages instead of a failure',
    '    default: reset@message:7:every',
    '✗ not done after 3 s',
    '    default: reset@message:7:every',
    '',
  ]);
});

it('finds a proxy that leaves its connections to the backend open', async () => {
  const proxy = await byteProxy((side, other) => (side === 'backend' ? other.end() : undefined));
  const [result] = await played({ ...proxy, faults: ['twice@last'], timeLimit: 3000 });
  expect(result?.verdict).toEqual({
    type: 'wrong',
    problems: ['websockets to the backend left open for 3 s: 3'],
  });
});

it('finds a proxy that loses bytes only when the backend fails', async () => {
  const proxy = await byteProxy(
    (_, other) => other.end(),
    // The error frame of the fault is not compressed.
    (bytes) => (bytes.includes('fault_429') ? undefined : bytes),
  );
  const [lost] = await played({ ...proxy, faults: ['error:429@middle'], timeLimit: 3000 });
  expect(lost?.verdict.type).toBe('wrong');
  expect(JSON.stringify(lost?.verdict)).toContain('exchange 1: lost error');
  const [passed] = await played({ ...proxy, faults: ['error:500@middle'] });
  expect(passed?.verdict.type).toBe('same');
});
