import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startBackend } from '../../src/backend/backend.ts';
import { installOfficialClient } from '../../src/client/install/install.ts';
import { inFreshFolder, makeEnvironment, secretsOf } from '../../src/client/official/environment.ts';
import type { Lane } from '../../src/client/official/lanes.ts';
import { runOfficialClient } from '../../src/client/official/run-client.ts';
import { readClientHellos } from '../../src/golden/client-hello.ts';
import { readGolden } from '../../src/golden/file.ts';
import { unify } from '../../src/golden/match/unify.ts';
import { bundledGoldens } from '../../src/golden/select.ts';
import type { Exchange } from '../../src/golden/trace/exchanges.ts';
import { recordRuns } from '../../src/record/record-golden.ts';
import { placeText } from '../../src/report/values.ts';
import { ownTexts, promptsOf } from '../../src/scenario/own-texts.ts';
import { loadScenario } from '../../src/scenario/scenario.ts';
import { defaultAuthorityFolder, openCertificateAuthority } from '../../src/tap/certificate-authority.ts';
import { startInterceptingTap } from '../../src/tap/intercept.ts';
import { encodeEvent } from '../../src/trace/codec.ts';
import { Sealer } from '../../src/trace/seal.ts';
import type { RequestEvent } from '../../src/trace/trace-event.ts';
import { TraceRecorder } from '../../src/trace/trace-recorder.ts';
import { printJson } from '../../src/wire/json.ts';
import { repository, temporaryFolder } from './cli.ts';
import { runInProcess } from './run-in-process.ts';

const versions = ['0.169.0', '0.118.0'];
const cells = versions.flatMap((version) => ['default', 'fast'].map((scenario) => ({ version, scenario })));

it.each([
  { version: '0.169.0', args: ['--codex', '0.169.0'] },
  // The first shard has the newest version.
  { version: '0.118.0', args: ['--codex', 'latest,0.118.0', '--shard', '2/2'] },
])(
  'records goldens of $version that equal the committed goldens byte for byte, in another folder, with $args',
  async ({ version, args }) => {
    const folder = temporaryFolder();
    const { exitCode, stderr } = await runInProcess(['record', ...args, '--lane', 'chatgpt'], {
      cwd: folder,
    });
    expect(stderr).toContain('default: run 3 of 3');
    expect(exitCode).toBe(0);
    const paths = ['default', 'fast'].map((scenario) =>
      join('traces', version, 'chatgpt', `${scenario}.golden.jsonl`),
    );
    for (const path of paths)
      expect(readFileSync(join(folder, path), 'utf8')).toBe(readFileSync(join(repository, path), 'utf8'));
    const written = [...paths, join('traces', version, 'client-hello.jsonl')];
    expect(stderr.match(/(?<=^wrote ).*/gm)?.toSorted()).toEqual(written.toSorted());
    expect(readClientHellos(join(folder, 'traces'), version)?.websocket).toEqual(
      readClientHellos(bundledGoldens, version)?.websocket,
    );
  },
);

it.each(cells)(
  'matches a fresh run of $version $scenario with its golden, without a mismatch',
  async ({ version, scenario }) => {
    const golden = readGolden(join(repository, 'traces', version, 'chatgpt', `${scenario}.golden.jsonl`));
    const runs = await recordRuns({
      client: await installOfficialClient(version),
      authority: await openCertificateAuthority(defaultAuthorityFolder()),
      scenario: loadScenario(scenario),
      runs: 2,
      // Environments that no golden was learned in.
      firstEnvironment: 10,
      signal: new AbortController().signal,
    });
    expect(runs).toHaveLength(2);
    for (const run of runs) {
      expect(run).not.toEqual([]);
      expect(unify(golden, run)).toEqual([]);
    }
  },
);

it('reports how a fresh run of fast differs from the golden of default', async () => {
  const golden = readGolden(join(repository, 'traces', '0.169.0', 'chatgpt', 'default.golden.jsonl'));
  const [run = []] = await recordRuns({
    client: await installOfficialClient('0.169.0'),
    authority: await openCertificateAuthority(defaultAuthorityFolder()),
    scenario: loadScenario('fast'),
    runs: 1,
    signal: new AbortController().signal,
  });
  const mismatches = unify(golden, run).map(
    ({ kind, places }) => `${kind} ${places.map(placeText).join(', ')}`,
  );
  expect(mismatches).toEqual([
    'changed exchange 1 › handshake › x-codex-routing-hint',
    'added exchange 1 › client message 1 › service_tier',
    'added exchange 1 › client message 2 › service_tier',
  ]);
});

it.each(versions)('writes no secret and no sentence of the prompts of %s to a trace', async (version) => {
  const client = await installOfficialClient(version);
  const authority = await openCertificateAuthority(defaultAuthorityFolder());
  const scenario = loadScenario('default');
  await inFreshFolder(async (root) => {
    const environment = await makeEnvironment(root, 5);
    const bodies: string[] = [];
    const backend = await startBackend({
      script: scenario.backend,
      onEvent: (event) => {
        if (event.type === 'create') bodies.push(event.body);
      },
    });
    onTestFinished(backend.close);
    const lines: string[] = [];
    const sealer = new Sealer({ ownTexts: ownTexts(scenario), secrets: secretsOf(environment) });
    const recorder = new TraceRecorder(sealer, (event) => lines.push(printJson(encodeEvent(event))));
    const tap = await startInterceptingTap({
      authority,
      upstream: { kind: 'fixed', host: '127.0.0.1', port: backend.port, tls: false },
      onOtherHost: 'refuse',
      observe: recorder.observe,
    });
    await runOfficialClient({
      client,
      environment,
      ...scenario.client,
      connect: { kind: 'intercepted', proxyUrl: tap.url, certificate: authority.certificatePath },
      timeoutMs: 60_000,
    });
    await tap.close();
    const trace = lines.join('\n');
    const goldens = ['default', 'fast'].map((name) =>
      readFileSync(join(repository, 'traces', version, 'chatgpt', `${name}.golden.jsonl`), 'utf8'),
    );

    expect(bodies).toHaveLength(2);
    expect(trace).toContain('response.create');
    for (const secret of Object.values(secretsOf(environment)).flat()) expect(trace).not.toContain(secret);
    for (const path of [environment.home, environment.codexHome, environment.cwd])
      expect(trace).not.toContain(path);
    expect(trace).not.toMatch(/eyJ|@example\.com/);

    // No three words in a row that the client sent may be written, except those of our own prompt.
    const sentences = new Set(bodies.flatMap((body) => wordRuns(JSON.parse(body))));
    expect(sentences.size).toBeGreaterThan(1000);
    const own = wordRuns(promptsOf(scenario.client).join(' '));
    const written = new Set([trace, ...goldens].flatMap(wordRuns));
    expect([...sentences].filter((words) => written.has(words) && !own.includes(words))).toEqual([]);
  });
});

const threeWords = /(?=(\b\p{L}{2,} \p{L}{2,} \p{L}{2,}\b))/gu;

/** All sequences of three words in the strings of a value. */
function wordRuns(value: unknown): string[] {
  if (typeof value === 'string') return [...value.matchAll(threeWords)].map((match) => match[1] ?? '');
  if (Array.isArray(value)) return value.flatMap(wordRuns);
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(wordRuns) : [];
}

it('records the other versions if one fails, and skips existing goldens with --resume', async () => {
  const out = temporaryFolder();
  const what = ['--scenario', 'default', '--lane', 'chatgpt,api-key', '--runs', '2', '--out', out];
  const first = await runInProcess(['record', '--codex', '0.0.3,0.118.0', ...what]);
  expect(first.stderr.match(/failed: Codex "0\.0\.3" is not in the registry/g)).toHaveLength(1);
  expect(first.stderr).toContain('codex 0.118.0, default: run 2 of 2');
  expect(first.stderr).toContain('codex 0.118.0, default (api-key): run 2 of 2');
  // The failed version is not counted.
  expect(first.stderr).toContain('2 of 2 done');
  expect(first.stderr).toContain('1 recording failed (reported above): record again with --resume');
  expect(first.exitCode).toBe(2);
  rmSync(join(out, '0.118.0', 'chatgpt'), { recursive: true });

  const resumed = await runInProcess(['record', '--codex', '0.118.0', '--resume', ...what]);
  expect(resumed.stderr.match(/run \d of 2/g)).toEqual(['run 1 of 2', 'run 2 of 2']);
  expect(resumed.stderr).toContain('0.118.0/chatgpt/default.golden.jsonl');
  expect(resumed.exitCode).toBe(0);
});

it('sends an API key to the host of the API, without an account, and seals it', async () => {
  const { connection, request } = await firstExchange('api-key');
  expect(connection.authority).toBe('api.openai.com');
  expect(printJson(request.target)).toBe('"/v1/responses"');
  expect(namesOf(request)).not.toContain('chatgpt-account-id');
  expect(printJson(encodeEvent(request))).toMatch(/\["authorization","Bearer <<secret token \d>>"\]/);
});

it.each(['base-url', 'provider-openai', 'provider'] as const)(
  'records in lane %s what a proxy receives, with the sign-in of the user',
  async (lane) => {
    const { connection, request } = await firstExchange(lane);
    expect(connection.authority).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(namesOf(request)).toEqual(expect.arrayContaining(['chatgpt-account-id', 'authorization']));
    expect(namesOf(request)).not.toContain('x-openai-account-routing-override');
    expect(namesOf(request).includes('x-codex-routing-hint')).toBe(lane !== 'provider');
  },
);

/** The first exchange of a run in a lane. */
async function firstExchange(lane: Lane): Promise<Exchange> {
  const [[exchange] = []] = await recordRuns({
    client: await installOfficialClient('0.169.0'),
    authority: await openCertificateAuthority(defaultAuthorityFolder()),
    scenario: loadScenario('default'),
    lane,
    runs: 1,
    signal: new AbortController().signal,
  });
  if (exchange === undefined) throw new Error('the client sent nothing');
  return exchange;
}

function namesOf({ headers }: RequestEvent): string[] {
  return headers.map(([name]) => name.toLowerCase());
}
