import { createPrivateKey } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { basename, join } from 'node:path';
import { createServer as createTlsServer, getCACertificates, setDefaultCACertificates } from 'node:tls';
import { expect, it, onTestFinished } from 'vitest';
import { playBothSides } from '../../scripts/replays/play.ts';
import { startBackend } from '../../src/backend/backend.ts';
import { startReplayBackend } from '../../src/backend/replay-backend.ts';
import { parityFindings } from '../../src/diff/parity.ts';
import { parseFault } from '../../src/fault/fault.ts';
import { goldenPath, readGolden } from '../../src/golden/file.ts';
import { type Exchange, exchangesOf } from '../../src/golden/trace/exchanges.ts';
import { recordReplay } from '../../src/record/record-replay.ts';
import { createAuthority, createLeaf } from '../../src/tap/certificates.ts';
import { createTrace, readTrace } from '../../src/trace/trace.ts';
import { line } from '../diff/rendered.ts';
import { cli, repository, temporaryFolder } from './cli.ts';
import { runInProcess } from './run-in-process.ts';

const traces = join(repository, 'traces');
const fileOf = (scenario: string, lane = 'chatgpt', codex = '0.171.0') =>
  goldenPath(traces, { codex, lane, scenario });

/** Both transports; several turns, threads, connections and models; refusals, cut-offs, closes and renewed sign-ins. */
const recordings = [
  ...['fast', 'tool-turn', 'parallel-tool-calls', 'second-turn', 'subagent', 'model-switched', 'resume'],
  ...['interrupt', 'compaction', 'turn-state-http', 'http-tool-turn', 'http-cut-off', 'http-usage-limit'],
  ...['close-1000', 'close-1006', 'upgrade-403', 'binary-message', 'stalled-prewarm', 'token-refresh'],
].map((scenario) => ({ name: `0.171.0 ${scenario}`, file: fileOf(scenario), base: '/backend-api/codex' }));

async function played(file: string, url: URL): Promise<readonly Exchange[]> {
  const out = join(temporaryFolder(), basename(file).replace('golden', 'trace'));
  const outcome = await recordReplay({
    golden: readGolden(file),
    server: url,
    out,
    signal: AbortSignal.timeout(60_000),
    onProblem: (problem) => expect.fail(problem),
  });
  expect(outcome).toEqual({ finished: true, missed: [] });
  return exchangesOf(readTrace(out).events);
}

async function backendOf(file: string, base = '/backend-api/codex'): Promise<URL> {
  const backend = await startReplayBackend({ golden: readGolden(file) });
  onTestFinished(backend.close);
  return new URL(base, backend.origin);
}

it.each([
  ...recordings,
  { name: '0.118.0 fast', file: fileOf('fast', 'chatgpt', '0.118.0'), base: '/backend-api/codex' },
  { name: 'an API key', file: fileOf('default', 'api-key'), base: '/v1' },
])('plays both sides of $name, in two rounds with ids of their own', async ({ file, base }) => {
  const golden = readGolden(file);
  const url = await backendOf(file, base);
  const rounds = [await played(file, url), await played(file, url)];
  for (const exchanges of rounds) expect(parityFindings(golden, exchanges).map(line)).toEqual([]);
  const ids = rounds.map((exchanges) => JSON.stringify(exchanges).match(/resp_[0-9a-f]{16,}/)?.[0]);
  if (ids[0] !== undefined) expect(ids[0]).not.toBe(ids[1]);
});

/** `npm run replays` plays all goldens in this way. */
it.each([
  ...['fast', 'tool-turn', 'resume', 'http-cut-off', 'close-1000', 'binary-message'].map(
    (scenario, seed) => [seed, scenario, fileOf(scenario)] as const,
  ),
  [7, 'an API key', fileOf('default', 'api-key')] as const,
])('does not change the verdict when both sides vary by seed %i: %s', async (seed, _, file) => {
  expect(await playBothSides(readGolden(file), seed)).toEqual([]);
});

/** A TLS server in front of another server, which it serves by one of these protocols. This process trusts it. */
async function withTls(server: URL, protocols: string[]): Promise<URL> {
  const { certificate, key } = await createAuthority();
  const leaf = await createLeaf('localhost', certificate, createPrivateKey(key));
  const options = { cert: leaf.certificate, key: leaf.key, ALPNProtocols: protocols };
  const tls = createTlsServer(options, (client) => {
    const upstream = connect(Number(server.port), server.hostname);
    client.on('error', () => {}).pipe(upstream);
    upstream.on('error', () => {}).pipe(client);
  });
  tls.listen(0, '127.0.0.1');
  await once(tls, 'listening');
  const usual = getCACertificates('default');
  setDefaultCACertificates([...usual, certificate]);
  onTestFinished(() => {
    setDefaultCACertificates(usual);
    tls.close();
  });
  const address = tls.address();
  const port = typeof address === 'object' ? address?.port : '';
  return new URL(server.pathname, `https://localhost:${port}`);
}

const versions = (exchanges: readonly Exchange[]) => exchanges.map(({ request }) => request.version);
const overBoth = [undefined, '2', '2'];

it.each([
  ['that serves it without TLS', undefined, overBoth],
  ['that chooses it', ['h2', 'http/1.1'], overBoth],
  ['that does not', ['http/1.1'], [undefined, undefined, undefined]],
])('sends over HTTP/2 what was recorded over it, to a server %s', async (_, protocols, expected) => {
  const file = fileOf('http-tool-turn');
  const plain = await backendOf(file);
  const exchanges = await played(file, protocols === undefined ? plain : await withTls(plain, protocols));
  expect(versions(exchanges)).toEqual(expected);
  expect(parityFindings(readGolden(file), exchanges).map(line)).toEqual([]);
});

it('sends over HTTP/1.1 to a server that refuses HTTP/2 as its faults need that', async () => {
  const file = fileOf('http-tool-turn');
  const faults = [parseFault('status:503@token')];
  const backend = await startReplayBackend({ golden: readGolden(file), faults });
  onTestFinished(backend.close);
  expect(backend.http2).toBe(false);
  const exchanges = await played(file, new URL('/backend-api/codex', backend.origin));
  expect(versions(exchanges)).toEqual([undefined, undefined, undefined]);
  expect(parityFindings(readGolden(file), exchanges).map(line)).toEqual([]);
});

it('waits as in the recording, or less', async () => {
  const folder = temporaryFolder();
  const backend = await startBackend({ script: [{ reply: 'text', text: 'OK' }], repeats: true });
  onTestFinished(backend.close);
  const traces = ['first', 'second'].map((name) => join(folder, `${name}.trace.jsonl`));
  const [first = '', second = ''] = traces;
  await runInProcess(['replay', fileOf('fast'), '--to', backend.origin, '--out', first]);
  // The last message of the client came three seconds later than it did.
  const times = (path: string) => readTrace(path).events.map(({ at = 0 }) => at);
  const events = readTrace(first).events;
  const last = events.findLastIndex((event) => event.type === 'message' && event.from === 'client');
  const late = createTrace(join(folder, 'late.trace.jsonl'), { recorded: 'replay' });
  for (const [index, event] of events.entries())
    late.write({ ...event, at: (event.at ?? 0) + (index < last ? 0 : 3000) });
  late.finish();
  const args = ['replay', join(folder, 'late.trace.jsonl'), '--to', backend.origin, '--out', second];
  expect(await runInProcess([...args, '--timing', 'x6'])).toMatchObject({ exitCode: 0 });
  expect(Math.max(...times(second))).toBeGreaterThan(500);
  expect((await runInProcess([...args, '--timing', 'x0'])).stderr).toContain(
    '--timing "x0" is not none, recorded, or xN',
  );
  const golden = await runInProcess([
    'replay',
    fileOf('fast'),
    '--to',
    backend.origin,
    '--timing',
    'recorded',
  ]);
  expect(golden.stderr).toContain('--timing recorded needs a recording with times: only traces have them');
});

it('lets the client fail, and says which faults did not happen', async () => {
  const backend = await startBackend({ script: [{ reply: 'text', text: 'OK' }], repeats: true });
  onTestFinished(backend.close);
  const faults = ['--fault', 'reset@message:2', '--fault', 'malformed@message:9'];
  const out = join(temporaryFolder(), 'out.trace.jsonl');
  const { exitCode, stdout, stderr } = await runInProcess([
    ...['replay', fileOf('fast'), '--to', backend.origin, '--out', out, ...faults],
  ]);
  expect(stdout).toBe('stopped: the connection ended before response.completed\n');
  expect(stderr).toContain('fault malformed@message:9 did not happen');
  expect(exitCode).toBe(1);
});

it('chooses the exchange that a request fits, not the first', async () => {
  const file = fileOf('http-tool-turn');
  const golden = readGolden(file);
  const url = await backendOf(file);
  const [, , last] = golden.exchanges;
  const body = JSON.stringify(await postOf(file, url, 2));
  expect(last?.request.method).toBe('POST');
  expect(body).toContain('response.output_text.done');
});

it('repeats what the client chose', async () => {
  const file = fileOf('fast');
  const sent = JSON.stringify(await played(file, await backendOf(file)));
  const keys = [...sent.matchAll(/"prompt_cache_key".*?"value":"([^"]+)"/g)].map(([, key]) => key);
  expect(keys.length).toBeGreaterThan(2);
  expect(new Set(keys).size).toBe(1);
});

/** The response to the request of one exchange alone. */
async function postOf(file: string, url: URL, index: number): Promise<unknown> {
  const golden = readGolden(file);
  const out = join(temporaryFolder(), 'one.trace.jsonl');
  await recordReplay({
    golden: { ...golden, exchanges: golden.exchanges.slice(index, index + 1) },
    server: url,
    out,
    signal: AbortSignal.timeout(60_000),
    onProblem: (problem) => expect.fail(problem),
  });
  const [exchange] = exchangesOf(readTrace(out).events);
  return exchange?.steps.filter((step) => step.type !== 'response' && step.from === 'backend');
}

it('replays a trace with new ids, and continues the responses that the server sends', async () => {
  const file = fileOf('second-turn');
  const folder = temporaryFolder();
  const backend = await startBackend({ script: [{ reply: 'text', text: 'OK' }], repeats: true });
  onTestFinished(backend.close);
  const to = ['--to', `${backend.origin}/backend-api/codex`];
  const [first, second] = [join(folder, 'first.trace.jsonl'), join(folder, 'second.trace.jsonl')];
  expect(await runInProcess(['replay', file, ...to, '--out', first])).toMatchObject({
    exitCode: 0,
    stdout: `played 1 exchange to ${backend.origin}/backend-api/codex\n`,
  });
  expect(await runInProcess(['replay', first, ...to, '--out', second])).toMatchObject({ exitCode: 0 });
  for (const trace of [first, second])
    expect(await runInProcess(['diff', file, trace])).toMatchObject({
      exitCode: 0,
      stdout: `parity: ${trace} matches 0.171.0 second-turn\n`,
    });
  const ids = [first, second].map(
    (trace) => /"session-id", ?"([^"]+)/.exec(readFileSync(trace, 'utf8'))?.[1],
  );
  expect(ids[0]).toMatch(/^[0-9a-f-]{36}$/);
  expect(ids[0]).not.toBe(ids[1]);
});

it('sends the token of the environment, and seals it in the trace', async () => {
  const authorizations: string[] = [];
  const backend = await startBackend({
    script: [{ reply: 'text', text: 'OK' }],
    repeats: true,
    onEvent: (event) => {
      if (event.type === 'upgrade')
        authorizations.push(
          ...event.headers.flatMap(([name, value]) => (name === 'authorization' ? [value] : [])),
        );
    },
  });
  onTestFinished(backend.close);
  const out = join(temporaryFolder(), 'out.trace.jsonl');
  const { exitCode } = await runInProcess(
    ['replay', fileOf('fast'), '--to', `${backend.origin}/v1`, '--out', out],
    {
      env: { CODEX_PARITY_TOKEN: 'my own token 12345' },
    },
  );
  expect(exitCode).toBe(0);
  expect(authorizations).toEqual(['Bearer my own token 12345']);
  expect(readFileSync(out, 'utf8')).not.toContain('my own token');
});

it('says where a server ended the replay, and keeps the trace', async () => {
  const backend = await startBackend({ script: [], faults: { upgrades: [403] } });
  onTestFinished(backend.close);
  const out = join(temporaryFolder(), 'out.trace.jsonl');
  const { exitCode, stdout } = await runInProcess([
    'replay',
    fileOf('fast'),
    '--to',
    `${backend.origin}/v1`,
    '--out',
    out,
  ]);
  expect(stdout).toBe('stopped: the subject responded to the upgrade with 403 instead of 101\n');
  expect(exitCode).toBe(1);
  expect(exchangesOf(readTrace(out).events)).toHaveLength(1);
});

it.each([
  [['replay', fileOf('fast'), '--to', 'localhost:80'], /--to "localhost:80" is not an http or https URL/],
  [['replay', 'nowhere.golden.jsonl', '--to', 'http://127.0.0.1:1/v1'], /cannot read nowhere\.golden\.jsonl/],
  [['replay', fileOf('fast'), '--to', 'http://127.0.0.1:1', '--fault', 'status'], /only a backend can do it/],
  [['backend', '--fault', 'rest'], /fault "rest": no kind "rest": did you mean "reset"\?/],
  [['backend', '--vary', '-1'], /--vary "-1" must be a whole number/],
  [['backend', '--scenario', 'fst'], /unknown scenario "fst": did you mean "fast"\?/],
  [['backend', '--replay', fileOf('fast'), '--strict'], /replay.*strict/],
  [['backend', '--port', '70000'], /--port "70000" must be a whole number/],
])('explains wrong usage in one line: %#', async (args, message) => {
  const { exitCode, stderr } = await runInProcess(args);
  expect(stderr.trimEnd().split('\n')).toEqual([expect.stringMatching(message)]);
  expect(exitCode).toBe(2);
});

it('runs a backend until it is stopped, for any number of conversations', async () => {
  let responses: string[] = [];
  const { exitCode, stderr } = await cli(['backend', '--port', '0'], {
    onStderr: (text, child) => {
      const origin = /listening on (\S+)/.exec(text)?.[1];
      if (origin === undefined) return;
      const post = () =>
        fetch(`${origin}/v1/responses`, {
          method: 'POST',
          body: JSON.stringify({ model: 'gpt-5.4', input: 'hello', stream: true }),
        }).then((response) => response.text());
      Promise.all([post(), post(), post()]).then((texts) => {
        responses = texts;
        child.kill('SIGTERM');
      });
    },
  });
  expect(responses.filter((text) => text.includes('Hello from the simulated Codex backend.'))).toHaveLength(
    3,
  );
  expect(stderr).toContain('request over http');
  expect(exitCode).toBe(0);
});
