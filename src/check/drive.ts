import { setTimeout as delay } from 'node:timers/promises';
import type { Backend } from '../backend/backend.ts';
import type { ClientEnvironment } from '../client/official/environment.ts';
import { isPointed } from '../client/official/lanes.ts';
import { runOfficialClient } from '../client/official/run-client.ts';
import { runSdk } from '../client/openai/run-sdk.ts';
import type { SdkResponse } from '../client/openai/sdk-conversation.ts';
import { replay } from '../client/replay/replay.ts';
import { ParityError } from '../errors.ts';
import { promptsOf, type Scenario } from '../scenario/definition.ts';
import { startInterceptingTap } from '../tap/intercept.ts';
import { outputsOf } from './openai.ts';
import type { CheckOptions, Driver } from './options.ts';
import { printed, type RunningSubject } from './run-subject.ts';

/** Milliseconds in which the end of a process is heard of after that of its connections. */
const deathNotice = 300;

/** How a drive ended: what kept it from its end, if anything, and what a library handed to its program. */
export type Drive = { readonly failure: string | undefined; readonly answers: readonly SdkResponse[] };

export type Stage = {
  readonly scenario: Scenario;
  readonly environment: ClientEnvironment;
  /** Whether a library is to take its answers event by event. */
  readonly streams: boolean;
  /** Where the client finds the subject: the tap in front of it. */
  readonly url: URL;
  readonly backend: Backend;
  readonly running: RunningSubject;
};

/**
 * Plays the client of a scenario through a subject. Throws ParityError `subject-failed` where the subject dies, or is
 * not done in time.
 */
export async function driveInTime(options: CheckOptions, stage: Stage): Promise<Drive> {
  const { subject, timeLimit, signal, golden } = options;
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), timeLimit);
  const driven = driverOf(options.driver)(options, stage, AbortSignal.any([signal, late.signal]));
  try {
    const drive = await Promise.race([driven, stage.running.death, abortion(late.signal)]);
    // A connection that ends may be the first sign of a subject that dies, and its death tells more.
    if (wasLost(drive)) await Promise.race([stage.running.death, delay(deathNotice)]);
    return drive;
  } catch (error) {
    if (signal.aborted || !late.signal.aborted) throw error;
    const awaited = await Promise.race([
      driven.then(({ failure }) => failure).catch(() => undefined),
      delay(deathNotice),
    ]);
    const why = awaited === undefined ? '' : `: ${awaited}`;
    throw new ParityError(
      'subject-failed',
      `subject ${subject.name} did not finish ${golden.scenario} within ${timeLimit / 1000} s${why}${printed(stage.running.lastLine())}`,
    );
  } finally {
    clearTimeout(timer);
  }
}

/** Whether a drive ended for a reason that the subject did not tell. */
function wasLost({ failure, answers }: Drive): boolean {
  const last = answers.at(-1)?.failure;
  return (
    failure !== undefined || (last !== undefined && last.status === undefined && last.error === undefined)
  );
}

function driverOf({ kind }: Driver) {
  return kind === 'replay' ? driveReplay : kind === 'codex' ? driveOfficial : driveOpenAi;
}

/** Rejects when the signal fires. */
function abortion(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

async function driveReplay({ golden }: CheckOptions, { url }: Stage, signal: AbortSignal): Promise<Drive> {
  const outcome = await replay(golden, url, signal);
  return ended(outcome.finished ? undefined : outcome.reason);
}

async function driveOpenAi(
  { driver, golden }: CheckOptions,
  { scenario, url, streams }: Stage,
  signal: AbortSignal,
): Promise<Drive> {
  if (!('surface' in driver)) throw new RangeError('this driver is no library');
  const play = {
    surface: driver.surface,
    streams,
    golden,
    prompts: promptsOf(scenario.client),
    outputs: outputsOf(scenario),
  };
  const answers = await runSdk(play, url, signal);
  return { failure: undefined, answers };
}

async function driveOfficial(options: CheckOptions, stage: Stage, signal: AbortSignal): Promise<Drive> {
  const { driver, timeLimit, golden, lane } = options;
  const { scenario, environment, url, backend } = stage;
  if (driver.kind !== 'codex') throw new RangeError('this driver is no official client');
  // Accounts, settings and the like go to the real hosts' names whatever the base URL: they get their answers here.
  const side = await startInterceptingTap({
    authority: driver.authority,
    upstream: { kind: 'fixed', host: '127.0.0.1', port: backend.port, tls: false },
    onOtherHost: 'refuse',
    observe: () => {},
  });
  try {
    const { exitCode, stderr } = await runOfficialClient({
      client: driver.client,
      environment,
      ...scenario.client,
      connect: {
        kind: isPointed(lane) ? lane : 'base-url',
        baseUrl: url.href.replace(/\/$/, ''),
        proxyUrl: side.url,
        certificate: driver.authority.certificatePath,
      },
      // The limit of the scenario comes first: this one only stops a client that does not heed its signal.
      timeoutMs: 2 * timeLimit,
      signal,
    });
    if ((exitCode !== 0) === (scenario.client.fails ?? false)) return ended(undefined);
    return ended(
      `codex ${golden.codex} ended with exit code ${exitCode}; it last said: ${stderr.trim().split('\n').at(-1) ?? ''}`,
    );
  } finally {
    await side.close();
  }
}

function ended(failure: string | undefined): Drive {
  return { failure, answers: [] };
}
