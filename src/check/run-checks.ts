import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { changesRequests } from '../client/client-settings.ts';
import { isPointed, type Lane } from '../client/official/lanes.ts';
import { type Comparison, comparisons } from '../diff/comparison.ts';
import type { VersionHeaders } from '../diff/version-fit.ts';
import { ParityError, plainReason } from '../errors.ts';
import { findClientHellos } from '../golden/client-hello.ts';
import { type readGolden, readGoldenOf } from '../golden/file.ts';
import type { ClientHellos, Golden, GoldenId } from '../golden/golden.ts';
import {
  type GoldenFile,
  type GoldenFinder,
  type GoldenFolders,
  goldenFinder,
  selectGoldens,
} from '../golden/select.ts';
import { loadScenario, type Scenario } from '../scenario/scenario.ts';
import { type CheckResult, notPlayed } from './check-result.ts';
import { checkScenario } from './check-scenario.ts';
import { type ClientUnderTest, usesPlaceholder, whyNotByClient } from './client-under-test.ts';
import { type DriverKind, prepareDriver, whyNotDriven } from './driver.ts';
import { freePort } from './free-port.ts';
import { inParallel } from './in-parallel.ts';
import type { TraceKeeping } from './keep-traces.ts';
import { goldenReader } from './kept-shapes.ts';
import { whyNotReproducible } from './lane-rules.ts';
import type { ClientCheck } from './observe-client.ts';
import type { ScenarioCheck } from './scenario-check.ts';
import { clientSettings, type Subject, servesOneAtATime } from './subject.ts';
import { SubjectHost } from './subject-host.ts';
import { versionHeaders } from './version-headers.ts';

/** Which scenarios to check, and how, whatever the subject is. */
export type RunOptions = {
  readonly lane: Lane;
  readonly goldens: GoldenFolders;
  /** All versions and scenarios that have goldens, unless given. */
  readonly versions: readonly string[] | undefined;
  readonly scenarios: readonly string[] | undefined;
  /** Milliseconds that one scenario may take. */
  readonly timeLimit: number;
  /** Whether TLS handshakes are compared too. */
  readonly comparesTls?: boolean;
  /** The seed by which both sides vary what the protocols leave open; absent varies nothing. */
  readonly vary?: number | undefined;
  /** Which of the selected scenarios to check; all unless given. */
  readonly narrow?: (files: readonly GoldenFile[]) => readonly GoldenFile[];
  /** Whether a result ends the run. Scenarios that are being played are finished. */
  readonly endsRun?: (result: CheckResult) => boolean;
  /** Which scenarios keep their traces; none unless given. */
  readonly traces?: TraceKeeping | undefined;
  /** Whether results have the traffic of scenarios that are not ok: for a report that shows it. */
  readonly keepsTraffic?: boolean;
  readonly signal: AbortSignal;
  readonly onProgress: (line: string) => void;
};

/** What to check, with which client, and how. */
export type CheckOptions = RunOptions & {
  readonly subject: Subject;
  readonly driver: DriverKind;
  /** Port of the simulated backend; 0 is any free one. */
  readonly backendPort: number;
};

/** A client to check, and how. */
export type ClientCheckOptions = RunOptions & { readonly client: ClientUnderTest };

export type CheckRun = {
  /** One result for each selected golden, in order. */
  readonly results: readonly CheckResult[];
  /** What ended the run early, such as an interruption. The remaining scenarios are not checked. */
  readonly error?: unknown;
  /** Whether all of the scenarios were tried. */
  readonly isComplete: boolean;
};

/** If the subject fails in this many scenarios before it gets through any, the others are not tried. */
const maxFailures = 3;

/** Plays the scenarios of a run with one subject. */
type Checker = {
  readonly name: string;
  /** The comparisons that it makes. */
  readonly comparisons: readonly Comparison[];
  /** How many scenarios it plays at a time. */
  readonly concurrency: number;
  /** How to play a scenario, or why it cannot be played. */
  readonly prepare: (file: GoldenFile) => (() => Promise<CheckResult>) | string;
  readonly close: () => Promise<void>;
};

/**
 * Checks a subject against every selected golden, several scenarios at a time where the subject allows it. Whatever
 * happens in one scenario, the results of the others are returned. Throws ParityError if nothing can be checked.
 */
export async function runChecks(options: CheckOptions): Promise<CheckRun> {
  const { subject, driver, signal, onProgress } = options;
  mustGoTogether(options);
  const reading = sharedReading(options);
  const host = new SubjectHost(subject, reading.read);
  // A subject that starts once keeps its upstream.
  const backendPort = host.startsOnce && options.backendPort === 0 ? await freePort() : options.backendPort;
  const shared = { ...options, backendPort, ...reading };
  return runWith(options, {
    name: subject.name,
    comparisons,
    concurrency: concurrencyOf(options),
    prepare: (file) => {
      const check = scenarioCheck(shared, host, file);
      if (typeof check === 'string') return check;
      return async () => {
        const played = await prepareDriver(driver, file.codex, { signal, onProgress });
        return checkScenario({ ...check, driver: played });
      };
    },
    close: () => host.close(),
  });
}

/** Checks a client as `runChecks` checks a proxy: it sends its requests to the simulated backend itself. */
export async function runClientChecks(options: ClientCheckOptions): Promise<CheckRun> {
  mustUseTls(options);
  const { checkClient, clientComparisons } = await import('./check-client.ts');
  const shared = { ...options, ...sharedReading(options) };
  return runWith(options, {
    name: options.client.name,
    comparisons: clientComparisons,
    concurrency: availableParallelism(),
    prepare: (file) => {
      const check = clientCheck(shared, file);
      return typeof check === 'string' ? check : () => checkClient(check);
    },
    close: async () => {},
  });
}

async function runWith(
  options: RunOptions,
  { name, comparisons: made, ...checker }: Checker,
): Promise<CheckRun> {
  const { signal, onProgress } = options;
  const files = selectedFiles(options);
  const run = new CheckProgress(options.endsRun);
  let begun = 0;
  const checkFile = async (file: GoldenFile): Promise<CheckResult> => {
    const reason = run.skipReason();
    if (reason !== undefined) return notPlayed(file, { type: 'not checked', reason }, made);
    try {
      signal.throwIfAborted();
      const check = checker.prepare(file);
      if (typeof check === 'string') return notPlayed(file, { type: 'not checked', reason: check }, made);
      begun += 1;
      onProgress(`checking ${name}: codex ${file.codex}, ${file.scenario} (${begun} of ${files.length})`);
      const started = Date.now();
      const result = await check();
      return run.add({ ...result, started, duration: Date.now() - started });
    } catch (error) {
      return notPlayed(file, { type: 'not checked', reason: run.stop(error) }, made);
    }
  };
  try {
    return run.end(await inParallel(files, checker.concurrency, checkFile));
  } finally {
    await checker.close();
  }
}

/**
 * How many scenarios are played at a time. A replay through the bundled proxy, which needs no process, waits for half of its
 * time: twice as many take a quarter less time (measured: 222 scenarios, 2 cores).
 */
function concurrencyOf({ subject, driver, backendPort }: CheckOptions): number {
  if (servesOneAtATime(subject, backendPort)) return 1;
  return subject.kind === 'bundled' && driver === 'replay'
    ? 2 * availableParallelism()
    : availableParallelism();
}

/** What the scenarios of a run read once. */
function sharedReading({ goldens, lane }: RunOptions): SharedReading {
  let known: VersionHeaders | undefined;
  const read = new Map<string, ClientHellos>();
  return {
    find: goldenFinder(goldens),
    read: goldenReader(),
    hellos: (codex) => {
      const hellos = read.get(codex) ?? findClientHellos(goldens, codex);
      read.set(codex, hellos);
      return hellos;
    },
    knownVersions: () => {
      known ??= versionHeaders(goldens, isPointed(lane) ? 'chatgpt' : lane);
      return known;
    },
  };
}

type SharedReading = Pick<ScenarioCheck, 'knownVersions'> & {
  readonly find: GoldenFinder;
  readonly read: typeof readGolden;
  readonly hellos: (codex: string) => ClientHellos;
};

/** Throws ParityError for a driver and a lane, or settings of the client, that do not go together. */
function mustGoTogether({ subject, driver, lane, comparesTls = false }: CheckOptions): void {
  if (comparesTls && !(subject.kind === 'command' && subject.upstream === 'https')) {
    throw new ParityError(
      'usage',
      `--wire tls: ${subject.name} reaches the simulated backend without TLS: describe it as a subject with "upstream: https"`,
    );
  }
  if (driver.startsWith('openai') && isPointed(lane)) {
    throw new ParityError(
      'usage',
      `lane ${lane} configures the official client: with driver ${driver}, use lane chatgpt or api-key`,
    );
  }
  if (driver !== 'codex' || !changesRequests(clientSettings(subject))) return;
  throw new ParityError(
    'usage',
    `subject ${subject.name} has clientKey, headers or models, which the official client does not send: use another driver than codex`,
  );
}

/** Throws ParityError for a client that is observed without TLS where TLS is compared. */
function mustUseTls({ client, lane, comparesTls = false }: ClientCheckOptions): void {
  if (!comparesTls || !(isPointed(lane) || usesPlaceholder(client, 'baseUrl', 'origin'))) return;
  throw new ParityError(
    'usage',
    `--wire tls: client ${client.name} is given a URL without TLS: leave out {baseUrl}, so that it uses the official hosts`,
  );
}

/** Why a subject that has started already cannot play a scenario; undefined if it can. */
function whyNotOnce({ startsOnce }: SubjectHost, { client }: Scenario): string | undefined {
  if (!startsOnce || client.expired !== true) return undefined;
  return 'its sign-in has expired at the start, and the subject starts once for all scenarios';
}

/** Decides whether the next scenario is played. */
class CheckProgress {
  #failures = 0;
  #finished = 0;
  #error: unknown;
  #isEnded = false;
  #isComplete = true;
  readonly #endsRun: (result: CheckResult) => boolean;

  constructor(endsRun: (result: CheckResult) => boolean = () => false) {
    this.#endsRun = endsRun;
  }

  /** Why the next scenario is not played; undefined if it is. */
  skipReason(): string | undefined {
    const reason = this.#stopReason();
    this.#isComplete &&= reason === undefined;
    return reason;
  }

  #stopReason(): string | undefined {
    if (this.#error !== undefined) return plainReason(this.#error);
    if (this.#isEnded) return 'the run ended after the first scenario that failed';
    if (this.#finished > 0 || this.#failures < maxFailures) return undefined;
    return `the subject failed in all of the first ${this.#failures} scenarios`;
  }

  add(result: CheckResult): CheckResult {
    if (result.verdict.type === 'failed') this.#failures += 1;
    else this.#finished += 1;
    this.#isEnded ||= this.#endsRun(result);
    return result;
  }

  /** Ends the run because of an error that is not the subject's. Returns its reason. */
  stop(error: unknown): string {
    this.#error ??= error;
    return plainReason(error);
  }

  /** The run with its results. Throws its error if it has none. */
  end(results: readonly CheckResult[]): CheckRun {
    const isJudged = results.some(({ verdict }) => verdict.type !== 'not checked');
    if (!isJudged) throw this.#error ?? new ParityError('no-golden', nothingToCheck(results));
    const isComplete = this.#isComplete && this.#error === undefined;
    return { results, isComplete, ...(this.#error === undefined ? {} : { error: this.#error }) };
  }
}

function nothingToCheck(results: readonly CheckResult[]): string {
  const reasons = new Set(
    results.flatMap(({ verdict }) => (verdict.type === 'not checked' ? [verdict.reason] : [])),
  );
  return `none of the selected scenarios can be checked: ${[...reasons].join('; ')}`;
}

/** The goldens of a lane. Throws ParityError if there are none. */
export function inLane(
  files: readonly GoldenFile[],
  { lane, versions, scenarios }: Pick<RunOptions, 'lane' | 'versions' | 'scenarios'>,
): GoldenFile[] {
  const found = files.filter((file) => file.lane === lane);
  if (found.length > 0) return found;
  const known = [...new Set(files.map((file) => file.lane))].join(', ');
  const selection = [
    ...(scenarios === undefined ? [] : [`of scenario ${scenarios.join(', ')}`]),
    ...(versions === undefined ? [] : [`of codex ${versions.join(', ')}`]),
    `in lane ${lane}`,
  ].join(' ');
  throw new ParityError('no-golden', `no golden ${selection}: choose from lane ${known}`);
}

/** A scenario that a run would play, or the reason why it would not. */
export type PlannedCheck = GoldenId & { readonly reason?: string };

/** What a run with these options would play. Throws ParityError like `runChecks`. */
export function planChecks(options: CheckOptions): PlannedCheck[] {
  mustGoTogether(options);
  const host = new SubjectHost(options.subject);
  const shared = { ...options, ...sharedReading(options) };
  return planOf(options, (file) => {
    const impossible = whyNotPlayed(options, host, file);
    // Goldens are read only where two of them decide.
    if (impossible !== undefined || !isPointed(options.lane)) return impossible;
    const { golden, upstream } = goldensOf(shared, file);
    return whyNotReproducible(golden, upstream);
  });
}

/** The same for `runClientChecks`. */
export function planClientChecks(options: ClientCheckOptions): PlannedCheck[] {
  mustUseTls(options);
  return planOf(options, ({ scenario }) => whyNotByClient(options.client, loadScenario(scenario)));
}

function planOf(options: RunOptions, whyNot: (file: GoldenFile) => string | undefined): PlannedCheck[] {
  return selectedFiles(options).map((file) => {
    const { codex, lane, scenario } = file;
    const reason = whyNot(file);
    return { codex, lane, scenario, ...(reason === undefined ? {} : { reason }) };
  });
}

function selectedFiles(options: RunOptions): readonly GoldenFile[] {
  const { goldens, versions, scenarios, narrow = (files) => files } = options;
  return narrow(inLane(selectGoldens(goldens, versions, scenarios), options));
}

/** Reads what the check of a client needs. Returns a reason if the client cannot play the scenario. */
function clientCheck(options: ClientCheckOptions & SharedReading, file: GoldenFile): ClientCheck | string {
  const { client, lane, timeLimit, vary, knownVersions, keepsTraffic = false, signal, traces } = options;
  const scenario = loadScenario(file.scenario);
  const impossible = whyNotByClient(client, scenario);
  if (impossible !== undefined) return impossible;
  const golden = comparable(options, readGoldenOf(file, file.path));
  return { lane, golden, scenario, knownVersions, client, timeLimit, vary, keepsTraffic, signal, traces };
}

/** A golden with the TLS handshakes of its version, if they are compared. */
function comparable({ comparesTls = false, hellos }: RunOptions & SharedReading, golden: Golden): Golden {
  return comparesTls ? { ...golden, hellos: hellos(golden.codex) } : golden;
}

/** Why a scenario cannot be played; undefined if it can. */
function whyNotPlayed(
  { driver }: CheckOptions,
  host: SubjectHost,
  { scenario: name }: GoldenFile,
): string | undefined {
  const scenario = loadScenario(name);
  return whyNotDriven(driver, scenario) ?? whyNotOnce(host, scenario);
}

/** The golden of a scenario, and that of direct traffic, which is another one in lanes that point to a proxy. */
function goldensOf(options: CheckOptions & SharedReading, file: GoldenFile) {
  const golden = comparable(options, readGoldenOf(file, file.path, options.read));
  if (!isPointed(options.lane)) return { golden, upstream: golden };
  const direct = { ...file, lane: 'chatgpt' };
  const upstream = comparable(options, readGoldenOf(direct, options.find(direct).path, options.read));
  return { golden, upstream };
}

/** Reads what one check needs, except for the driver. Returns a reason if it cannot be made, or no subject can pass it. */
function scenarioCheck(
  options: CheckOptions & SharedReading,
  host: SubjectHost,
  file: GoldenFile,
): Omit<ScenarioCheck, 'driver'> | string {
  const {
    subject,
    lane,
    goldens,
    backendPort,
    timeLimit,
    vary,
    knownVersions,
    keepsTraffic = false,
    signal,
    traces,
  } = options;
  const impossible = whyNotPlayed(options, host, file);
  if (impossible !== undefined) return impossible;
  const { golden, upstream } = goldensOf(options, file);
  return (
    whyNotReproducible(golden, upstream) ?? {
      lane,
      golden,
      upstream,
      goldens: goldens.map((folder) => resolve(folder)),
      goldensFolder: resolve(file.folder),
      knownVersions,
      subject,
      host,
      backendPort,
      timeLimit,
      vary,
      keepsTraffic,
      signal,
      traces,
    }
  );
}
