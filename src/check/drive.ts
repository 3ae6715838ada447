import { setTimeout as delay } from 'node:timers/promises';
import type { Backend } from '../backend/backend.ts';
import type { ClientEnvironment, SignInFolder } from '../client/official/environment.ts';
import { isPointed } from '../client/official/lanes.ts';
import type { SdkResponse } from '../client/openai/sdk-conversation.ts';
import { replay } from '../client/replay/replay.ts';
import { ParityError } from '../errors.ts';
import { startFaultRelay } from '../fault/relay.ts';
import { promptsOf } from '../scenario/own-texts.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { startInterceptingTap } from '../tap/intercept.ts';
import type { Driver } from './driver.ts';
import { toolResultsOf } from './openai-scenarios.ts';
import type { ScenarioCheck } from './scenario-check.ts';
import { lastPrinted, type RunningSubject } from './start-subject.ts';
import { clientSettings, hostOf } from './subject.ts';

/** Milliseconds after the end of a connection in which the end of its process becomes known. */
const exitDelay = 300;

/** How far a scenario was played. */
export type DriveEnd =
  | { readonly type: 'finished' }
  /** The client could not go on after what the subject did. */
  | { readonly type: 'stopped'; readonly reason: string }
  /** The subject died or, if it is late, did not finish in time. */
  | { readonly type: 'failed'; readonly reason: string; readonly late?: true };

/** How driving a client ended, and what OpenAI's library returned to its program. */
export type DriveResult = { readonly end: DriveEnd; readonly responses: readonly SdkResponse[] };

/** What runs around the client. */
export type DriveSetup = {
  readonly scenario: Scenario;
  /** The official client needs a whole one. */
  readonly environment: ClientEnvironment | SignInFolder;
  /** Whether OpenAI's library receives responses event by event. */
  readonly streams: boolean;
  /** The base URL for the client: the tap in front of the subject. */
  readonly url: URL;
  readonly backend: Backend;
  readonly running: RunningSubject;
  /** Waits until the subject has closed an upstream connection for one that the client has ended; so many milliseconds at most. */
  readonly forwarded: (most: number) => Promise<void>;
};

/** Plays the client of a scenario through a subject, for the time limit at most. */
export async function driveInTime(check: ScenarioCheck, setup: DriveSetup): Promise<DriveResult> {
  const { subject, timeLimit, signal, golden } = check;
  const { exited, lastLine } = setup.running;
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), timeLimit);
  const driven = drive(check.driver, check, setup, AbortSignal.any([signal, late.signal]));
  try {
    const result = await Promise.race([driven, exited, abortion(late.signal)]);
    // A lost connection may be the first sign of a subject that dies, and its exit says more.
    if (lostConnection(result)) await Promise.race([exited, delay(exitDelay)]);
    return result;
  } catch (error) {
    signal.throwIfAborted();
    if (late.signal.aborted) {
      const limit = `subject ${subject.name} did not finish ${golden.scenario} within ${timeLimit / 1000} s`;
      const pending = await Promise.race([driven.then(stopOf, () => undefined), delay(exitDelay)]);
      const reason = [limit, ...(pending === undefined ? [] : [pending])].join(': ');
      const end = { type: 'failed', reason: `${reason}${lastPrinted(lastLine())}`, late: true } as const;
      return { end, responses: [] };
    }
    if (error instanceof ParityError && error.code === 'subject-failed')
      return { end: { type: 'failed', reason: error.message }, responses: [] };
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function stopOf({ end }: DriveResult): string | undefined {
  return end.type === 'finished' ? undefined : end.reason;
}

/** Whether a drive failed without an error from the subject. */
function lostConnection({ end, responses }: DriveResult): boolean {
  const last = responses.at(-1)?.failure;
  return (
    end.type !== 'finished' || (last !== undefined && last.status === undefined && last.error === undefined)
  );
}

function drive(
  driver: Driver,
  check: ScenarioCheck,
  setup: DriveSetup,
  signal: AbortSignal,
): Promise<DriveResult> {
  switch (driver.kind) {
    case 'replay':
      return driveReplay(check, setup, signal);
    case 'codex':
      return driveOfficial(driver, check, setup, signal);
    default:
      return driveOpenAi(driver, check, setup, signal);
  }
}

/** Rejects when the signal fires. */
function abortion(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

async function driveReplay(
  { golden, subject, vary }: ScenarioCheck,
  { url, forwarded }: DriveSetup,
  signal: AbortSignal,
): Promise<DriveResult> {
  const relay =
    vary === undefined ? undefined : await startFaultRelay({ upstream: hostOf(url), side: 'client', vary });
  const entrance = new URL(url);
  if (relay !== undefined) entrance.port = String(relay.port);
  try {
    const options = { settings: clientSettings(subject), authority: url.host, forwarded };
    const outcome = await replay(golden, entrance, signal, options);
    return {
      end: outcome.finished ? { type: 'finished' } : { type: 'stopped', reason: outcome.reason },
      responses: [],
    };
  } finally {
    await relay?.close();
  }
}

async function driveOpenAi(
  { surface }: Extract<Driver, { surface: unknown }>,
  { golden, subject }: ScenarioCheck,
  { scenario, url, streams }: DriveSetup,
  signal: AbortSignal,
): Promise<DriveResult> {
  const prompts = promptsOf(scenario.client);
  const outputs = toolResultsOf(scenario);
  const client = clientSettings(subject);
  const { runSdk } = await import('../client/openai/run-sdk.ts');
  const responses = await runSdk({ surface, streams, golden, prompts, outputs, client }, url, signal);
  return { end: { type: 'finished' }, responses };
}

async function driveOfficial(
  { client, authority }: Extract<Driver, { kind: 'codex' }>,
  { timeLimit, golden, lane }: ScenarioCheck,
  { scenario, environment, url, backend }: DriveSetup,
  signal: AbortSignal,
): Promise<DriveResult> {
  if (!('env' in environment)) throw new RangeError('the official client has no environment');
  const { runOfficialClient } = await import('../client/official/run-client.ts');
  // Requests for accounts, settings and so on go to the real host names, whatever the base URL: the backend serves them.
  const side = await startInterceptingTap({
    authority,
    upstream: { kind: 'fixed', host: '127.0.0.1', port: backend.port, tls: false },
    onOtherHost: 'refuse',
    observe: () => {},
  });
  try {
    const { exitCode, stderr } = await runOfficialClient({
      client,
      environment,
      ...scenario.client,
      connect: {
        kind: isPointed(lane) ? lane : 'base-url',
        baseUrl: url.href.replace(/\/$/, ''),
        proxyUrl: side.url,
        certificate: authority.certificatePath,
      },
      // The time limit of the scenario ends first: this one stops a client that ignores its signal.
      timeoutMs: 2 * timeLimit,
      signal,
    });
    const isExpected = (exitCode !== 0) === (scenario.client.fails ?? false);
    const reason = `codex ${golden.codex} ended with exit code ${exitCode}${lastPrinted(stderr.trim().split('\n').at(-1))}`;
    return { end: isExpected ? { type: 'finished' } : { type: 'stopped', reason }, responses: [] };
  } finally {
    await side.close();
  }
}
