import { type Backend, startBackend } from '../backend/backend.ts';
import type { OfficialClient } from '../client/install/installed.ts';
import {
  type ClientEnvironment,
  inFreshFolder,
  makeEnvironment,
  secretsOf,
  variedBetween,
} from '../client/official/environment.ts';
import { isPointed, type Lane } from '../client/official/lanes.ts';
import { type ClientConnection, runOfficialClient } from '../client/official/run-client.ts';
import { ParityError } from '../errors.ts';
import type { Golden } from '../golden/golden.ts';
import { generalise } from '../golden/learn/generalise.ts';
import { type Exchange, exchangesOf } from '../golden/trace/exchanges.ts';
import { ownTexts } from '../scenario/own-texts.ts';
import type { Scenario } from '../scenario/scenario.ts';
import type { CertificateAuthority } from '../tap/certificate-authority.ts';
import { startInterceptingTap } from '../tap/intercept.ts';
import { startReverseTap } from '../tap/reverse.ts';
import type { Observe } from '../trace/observation.ts';
import { Sealer } from '../trace/seal.ts';
import type { TraceEvent } from '../trace/trace-event.ts';
import { TraceRecorder } from '../trace/trace-recorder.ts';
import { toolFailure } from './tool-failure.ts';

/**
 * Time limit of one run, in milliseconds. A turn takes about one second; a stalled transport falls back after seven.
 */
const runLimit = 60_000;

type GoldenRecordingOptions = {
  readonly client: OfficialClient;
  readonly authority: CertificateAuthority;
  readonly scenario: Scenario;
  /** Default: `chatgpt`. */
  readonly lane?: Lane;
  /** The number of runs to learn from. At least 2, so that values vary. */
  readonly runs: number;
  readonly signal: AbortSignal;
  /** Called before each run, with its number from 1. */
  readonly onRun?: (run: number) => void;
  /** Called with the model traffic of all runs. */
  readonly onRecorded?: (runs: readonly Exchange[][]) => void;
  /** Number of the first environment. New numbers give environments that no golden was learned in. */
  readonly firstEnvironment?: number;
};

/**
 * Records the official client against the simulated backend, each run in a different environment, and generalises the
 * runs into a golden. Throws ParityError when a run does not follow the scenario.
 */
export async function recordGolden(options: GoldenRecordingOptions): Promise<Golden> {
  const recordings = await recordRuns(options);
  options.onRecorded?.(recordings);
  const { client, scenario, lane = 'chatgpt', firstEnvironment = 0 } = options;
  return generalise(
    { codex: client.version, lane, scenario: scenario.name },
    recordings,
    variedBetween(
      recordings.map((_, run) => firstEnvironment + run),
      lane,
    ),
  );
}

/** The model traffic of each run. */
export async function recordRuns(options: GoldenRecordingOptions): Promise<Exchange[][]> {
  const { runs, scenario, lane = 'chatgpt', firstEnvironment = 0, signal, onRun } = options;
  return inFreshFolder(async (root) => {
    const recordings: Exchange[][] = [];
    for (let run = 0; run < runs; run += 1) {
      signal.throwIfAborted();
      onRun?.(run + 1);
      const environment = await makeEnvironment(root, firstEnvironment + run, { ...scenario.client, lane });
      recordings.push(exchangesOf(await recordRun(options, environment)));
    }
    return recordings;
  });
}

async function recordRun(
  options: GoldenRecordingOptions,
  environment: ClientEnvironment,
): Promise<TraceEvent[]> {
  const { client, scenario, signal } = options;
  const events: TraceEvent[] = [];
  const sealer = new Sealer({ ownTexts: ownTexts(scenario), secrets: secretsOf(environment) });
  const recorder = new TraceRecorder(sealer, (event) => events.push(event));
  const requests: string[] = [];
  const backend = await startBackend({
    script: scenario.backend,
    ...(scenario.faults === undefined ? {} : { faults: scenario.faults }),
    onEvent: (event) => {
      if (event.type === 'create' && !event.prewarm) requests.push(event.body);
    },
  });
  try {
    const http2 = scenario.http2 && backend.http2;
    const taps = await startTaps(options, { backend, http2, observe: recorder.observe });
    try {
      const { exitCode, stderr } = await runOfficialClient({
        client,
        environment,
        ...scenario.client,
        connect: taps.connect,
        timeoutMs: runLimit,
        signal,
      });
      const problems = backend.deviations();
      if ((exitCode !== 0) !== (scenario.client.fails ?? false)) problems.unshift(`exit code ${exitCode}`);
      const last = stderr.trim().split('\n').at(-1) ?? '';
      if (problems.length > 0)
        throw notPlayed(options, `${problems.join(', ')}. Its last line of output: ${last}`);
    } finally {
      await taps.close();
    }
  } finally {
    await backend.close();
  }
  const failure = toolFailure(scenario, requests);
  if (failure !== undefined) throw notPlayed(options, failure);
  return events;
}

function notPlayed({ client, scenario }: GoldenRecordingOptions, why: string): ParityError {
  return new ParityError('client-failed', `codex ${client.version} did not play ${scenario.name}: ${why}`);
}

/**
 * Starts the taps of a lane in front of the backend. One of them observes. A client that is configured with a URL is
 * observed where a proxy would receive its requests; its requests to the real hosts are answered but not recorded.
 */
async function startTaps(
  { lane = 'chatgpt', authority }: Pick<GoldenRecordingOptions, 'lane' | 'authority'>,
  {
    backend,
    http2,
    observe,
  }: { readonly backend: Backend; readonly http2: boolean; readonly observe: Observe },
): Promise<{ readonly connect: ClientConnection; readonly close: () => Promise<void> }> {
  const upstream = { host: '127.0.0.1', port: backend.port };
  const intercepting = await startInterceptingTap({
    authority,
    upstream: { kind: 'fixed', ...upstream, tls: false, http2 },
    onOtherHost: 'refuse',
    observe: isPointed(lane) ? () => {} : observe,
  });
  const proxy = { proxyUrl: intercepting.url, certificate: authority.certificatePath };
  if (!isPointed(lane)) return { connect: { kind: 'intercepted', ...proxy }, close: intercepting.close };
  const reverse = await startReverseTap({ upstream, observe });
  return {
    connect: { kind: lane, baseUrl: `${reverse.url}/backend-api/codex`, ...proxy },
    close: async () => {
      await reverse.close();
      await intercepting.close();
    },
  };
}
