import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Backend, startBackend } from '../backend/server.ts';
import { type ClientEnvironment, inFreshFolder, makeEnvironment, secretsOf } from '../client/environment.ts';
import type { OfficialClient } from '../client/installed.ts';
import { isPointed, type Lane } from '../client/lane.ts';
import { runOfficialClient } from '../client/official.ts';
import { playOpenAi } from '../client/openai/play.ts';
import type { Answer, Surface } from '../client/openai/surface.ts';
import { replay } from '../client/replay.ts';
import type { Asking } from '../diff/asked.ts';
import { contentFindings, envelopeFindings, neutralityFindings, parityFindings } from '../diff/compare.ts';
import { envelopeOf, envelopesOf } from '../diff/envelope.ts';
import { type Finding, findingOf, together } from '../diff/finding.ts';
import { ParityError } from '../errors.ts';
import { dialogueOf, type Exchange } from '../golden/dialogue.ts';
import type { Golden, GoldenId } from '../golden/golden.ts';
import type { Mismatch } from '../golden/mismatch.ts';
import { ownTexts, promptsOf, type Scenario } from '../scenario/definition.ts';
import { loadScenario } from '../scenario/scenario.ts';
import type { Authority } from '../tap/authority.ts';
import { startInterceptingTap } from '../tap/intercept.ts';
import { startReverseTap } from '../tap/reverse.ts';
import type { TraceEvent } from '../trace/event.ts';
import { TraceRecorder } from '../trace/record.ts';
import { Sealer } from '../trace/seal.ts';
import { pathOf, saysOtherContent, suppliedKeys } from './lane.ts';
import { everyMode, outputsOf } from './openai.ts';
import { printed, type RunningSubject, startSubject } from './run-subject.ts';
import { hostOf, programPath, type Subject } from './subject.ts';

/** Who plays the client: the golden itself, the real thing, or a program with the library of OpenAI. */
export type Driver =
  | { readonly kind: 'replay' }
  | { readonly kind: `openai-${Surface}`; readonly surface: Surface }
  | { readonly kind: 'codex'; readonly client: OfficialClient; readonly authority: Authority };

export type CheckOptions = {
  readonly lane: Lane;
  /** What the client says to the subject. */
  readonly golden: Golden;
  /** What is to leave the subject: the same, but where the lane points the client at a proxy. */
  readonly upstream: Golden;
  /** The folder they are from. */
  readonly goldens: string;
  readonly subject: Subject;
  readonly driver: Driver;
  /** The port at which the subject's upstream is expected; any free one where the subject is told. */
  readonly backendPort: number;
  /** Milliseconds that one scenario may take. */
  readonly timeLimit: number;
  readonly signal: AbortSignal;
};

/** The verdict on one scenario: parity where there is no finding. */
export type CheckResult = GoldenId & {
  readonly driver: Driver['kind'];
  readonly findings: readonly Finding[];
};

/** Milliseconds in which the end of a process is heard of after that of its connections. */
const deathNotice = 300;

/** How a drive ended: what kept it from its end, if anything, and what a library handed to its program. */
type Drive = { readonly failure: string | undefined; readonly answers: readonly Answer[] };

/** What was seen on both sides of a subject. */
type Seen = Drive & { readonly front: readonly Exchange[]; readonly back: readonly Exchange[] };

/**
 * Drives one scenario through a subject with a tap on either side, and compares what was seen with the golden and
 * with each other. Throws ParityError where the subject dies, hangs or never listens.
 */
export async function check(options: CheckOptions): Promise<CheckResult> {
  const { golden, driver, subject, backendPort } = options;
  // A subject that runs already, or a port that was named, serves one at a time.
  const together = subject.kind !== 'url' && backendPort === 0;
  const findings =
    'surface' in driver
      ? await everyMode(together, async (streams) =>
          openAiFindings(options, { surface: driver.surface, streams }, await see(options, streams)),
        )
      : officialFindings(options, await see(options, false));
  return { ...idOf(golden), driver: driver.kind, findings };
}

function officialFindings(
  { golden, upstream, lane }: CheckOptions,
  { front, back, failure }: Seen,
): Finding[] {
  const [said, wanted, found] = saysOtherContent(lane)
    ? [envelopeOf(golden), envelopeOf(upstream), envelopesOf(back)]
    : [golden, upstream, back];
  const neutrality = neutralityFindings(front, back, suppliedKeys(said, wanted));
  return [...together(parityFindings(wanted, found), neutrality), ...unfinished(failure)];
}

function openAiFindings(
  { upstream }: CheckOptions,
  asking: Asking,
  { front, back, answers }: Seen,
): Finding[] {
  return together(
    envelopeFindings(upstream, back, asking.surface),
    contentFindings(front, back, answers, asking),
  );
}

async function see(options: CheckOptions, streams: boolean): Promise<Seen> {
  const scenario = loadScenario(options.golden.scenario);
  const setup = { ...scenario.client, lane: options.lane };
  return inFreshFolder(async (root) =>
    observe(options, scenario, await makeEnvironment(root, 0, setup), streams),
  );
}

/** The verdict on a scenario in which the subject failed, so that there is nothing to compare. */
export function failedCheck({ golden, driver }: CheckOptions, failure: ParityError): CheckResult {
  return { ...idOf(golden), driver: driver.kind, findings: unfinished(failure.message) };
}

/**
 * Why the official client cannot be driven through a scenario; undefined where it can. A subject has its own sign-in
 * and renews it itself, and the client renews its own: which of the two is first is nobody's parity.
 */
export function onlyReplayed({ name, faults }: Scenario): string | undefined {
  if (faults?.upgrades?.includes(401) !== true) return undefined;
  return `${name} is for replays only: the client renews its sign-in, and a proxy its own`;
}

function idOf({ codex, lane, scenario }: Golden): GoldenId {
  return { codex, lane, scenario };
}

async function observe(
  options: CheckOptions,
  scenario: Scenario,
  environment: ClientEnvironment,
  streams: boolean,
): Promise<Seen> {
  const { golden, subject, driver, backendPort, timeLimit, signal } = options;
  // One sealer for both taps: so that a secret has the same number on either side.
  const sealer = new Sealer({ ownTexts: ownTexts(scenario), secrets: secretsOf(environment) });
  const [front, back]: [TraceEvent[], TraceEvent[]] = [[], []];
  const open: (() => Promise<void>)[] = [];
  try {
    const backend = await startBackend({
      script: scenario.backend,
      ...(scenario.faults === undefined ? {} : { faults: scenario.faults }),
    });
    open.push(backend.close);
    const behind = await startReverseTap({
      upstream: { host: '127.0.0.1', port: backend.port },
      observe: new TraceRecorder(sealer, (event) => back.push(event)).observe,
      port: backendPort,
    });
    open.push(behind.close);
    const running = await startSubject(
      subject,
      {
        upstream: `${behind.url}${pathOf(options.upstream)}`,
        auth: join(environment.codexHome, 'auth.json'),
        codex: golden.codex,
        goldens: options.goldens,
      },
      timeLimit,
      signal,
    );
    open.push(running.stop);
    const before = await startReverseTap({
      upstream: hostOf(running.url),
      observe: new TraceRecorder(sealer, (event) => front.push(event)).observe,
    });
    open.push(before.close);
    const url = new URL(
      'surface' in driver ? programPath(subject, running.url) : running.url.pathname,
      before.url,
    );
    const stage = { scenario, environment, streams, url, backend, running };
    const drive = await driveInTime(options, stage);
    await settled(back);
    return { front: dialogueOf(front), back: dialogueOf(back), ...drive };
  } finally {
    for (const close of open.reverse()) await close();
  }
}

type Stage = {
  readonly scenario: Scenario;
  readonly environment: ClientEnvironment;
  /** Whether a library is to take its answers event by event. */
  readonly streams: boolean;
  /** Where the client finds the subject: the tap in front of it. */
  readonly url: URL;
  readonly backend: Backend;
  readonly running: RunningSubject;
};

async function driveInTime(options: CheckOptions, stage: Stage): Promise<Drive> {
  const { subject, timeLimit, signal, golden } = options;
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), timeLimit);
  try {
    const drive = await Promise.race([
      driverOf(options.driver)(options, stage, AbortSignal.any([signal, late.signal])),
      stage.running.death,
      abortion(late.signal),
    ]);
    // A connection that ends may be the first sign of a subject that dies, and its death tells more.
    if (wasLost(drive)) await Promise.race([stage.running.death, delay(deathNotice)]);
    return drive;
  } catch (error) {
    if (signal.aborted || !late.signal.aborted) throw error;
    throw new ParityError(
      'subject-failed',
      `subject ${subject.name} did not finish ${golden.scenario} within ${timeLimit / 1000} s${printed(stage.running.lastLine())}`,
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
  const answers = await playOpenAi(play, url, signal);
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

/** Waits until the subject has let go of its upstream connections, or for half a second: it may pool them. */
async function settled(back: readonly TraceEvent[]): Promise<void> {
  const count = (type: TraceEvent['type']) => back.filter((event) => event.type === type).length;
  for (let waited = 0; waited < 500 && count('end') < count('connection'); waited += 20) await delay(20);
}

function ended(failure: string | undefined): Drive {
  return { failure, answers: [] };
}

function unfinished(reason: string | undefined): Finding[] {
  if (reason === undefined) return [];
  const mismatch: Mismatch = {
    kind: 'missing',
    places: [{ exchange: 1, part: 'the conversation', path: [] }],
    expected: 'the scenario played to its end',
    actual: reason,
  };
  return [findingOf('response neutrality', mismatch)];
}
