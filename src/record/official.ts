import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { startBackend } from '../backend/server.ts';
import { type ClientEnvironment, makeEnvironment } from '../client/environment.ts';
import { defaultClientCache, type OfficialClient } from '../client/installed.ts';
import { runOfficialClient } from '../client/official.ts';
import { ParityError } from '../errors.ts';
import { dialogueOf, type Exchange } from '../golden/dialogue.ts';
import { generalise } from '../golden/generalise.ts';
import type { Golden } from '../golden/golden.ts';
import { ownTexts, type Scenario } from '../scenario/definition.ts';
import type { Authority } from '../tap/authority.ts';
import { startInterceptingTap } from '../tap/intercept.ts';
import type { TraceEvent } from '../trace/event.ts';
import { TraceRecorder } from '../trace/record.ts';
import { Sealer } from '../trace/seal.ts';
import { toolFailure } from './played.ts';

/** Milliseconds one run may take; a turn takes about one second, and a stalled transport falls back after seven. */
const runLimit = 60_000;

export type RecordingOptions = {
  readonly client: OfficialClient;
  readonly authority: Authority;
  readonly scenario: Scenario;
  /** How many runs to learn from; at least 2, or nothing would vary. */
  readonly runs: number;
  readonly signal: AbortSignal;
  /** Told before each run, counted from 1. */
  readonly onRun?: (run: number) => void;
  /** Number of the first environment: fresh numbers give environments that no golden was learned in. */
  readonly firstEnvironment?: number;
};

/**
 * Records the official client against the simulated backend, each run in another environment, and generalises the
 * runs into a golden. Throws ParityError where a run does not go as the scenario says.
 */
export async function recordGolden(options: RecordingOptions): Promise<Golden> {
  const dialogues = await recordRuns(options);
  const { client, scenario } = options;
  return generalise({ codex: client.version, lane: 'chatgpt', scenario: scenario.name }, dialogues);
}

/** The model traffic of each run. */
export async function recordRuns(options: RecordingOptions): Promise<Exchange[][]> {
  const { runs, firstEnvironment = 0, signal, onRun } = options;
  return inFreshFolder(async (root) => {
    const dialogues: Exchange[][] = [];
    for (let run = 0; run < runs; run += 1) {
      signal.throwIfAborted();
      onRun?.(run + 1);
      const environment = await makeEnvironment(root, firstEnvironment + run);
      dialogues.push(dialogueOf(await recordRun(options, environment)));
    }
    return dialogues;
  });
}

/** Calls `work` with a new empty folder, which is gone afterwards. It lies outside the system's temporary folder: the client warns of a home there. */
export async function inFreshFolder<T>(work: (root: string) => Promise<T>): Promise<T> {
  const parent = join(defaultClientCache(process.env), '..', 'runs');
  await mkdir(parent, { recursive: true });
  const root = await mkdtemp(join(parent, 'run-'));
  try {
    return await work(root);
  } finally {
    await rm(root, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** The secrets of an environment, by the kind that a sealed trace names. */
export function secretsOf({ secrets }: ClientEnvironment): Readonly<Record<string, readonly string[]>> {
  return {
    account_id: [secrets.accountId],
    user_id: [secrets.userId],
    email: [secrets.email],
    token: [secrets.idToken, secrets.accessToken, secrets.refreshToken],
  };
}

async function recordRun(options: RecordingOptions, environment: ClientEnvironment): Promise<TraceEvent[]> {
  const { client, authority, scenario, signal } = options;
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
  const tap = await startInterceptingTap({
    authority,
    upstream: { kind: 'fixed', host: '127.0.0.1', port: backend.port, tls: false },
    onOtherHost: 'refuse',
    observe: recorder.observe,
  });
  try {
    const { exitCode, stderr } = await runOfficialClient({
      client,
      environment,
      ...scenario.client,
      connect: { kind: 'intercepted', proxyUrl: tap.url, certificate: authority.certificatePath },
      timeoutMs: runLimit,
      signal,
    });
    const used = backend.served();
    if (exitCode !== 0 || used !== scenario.backend.length) {
      throw new ParityError(
        'client-failed',
        `codex ${client.version} did not play ${scenario.name}: exit code ${exitCode}, ${used} of ` +
          `${scenario.backend.length} replies used; it last said: ${stderr.trim().split('\n').at(-1) ?? ''}`,
      );
    }
    const failure = toolFailure(scenario, requests);
    if (failure !== undefined)
      throw new ParityError(
        'client-failed',
        `codex ${client.version} did not play ${scenario.name}: ${failure}`,
      );
    return events;
  } finally {
    await tap.close();
    await backend.close();
  }
}
