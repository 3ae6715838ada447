import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { isPointed, type Lane } from '../client/official/lanes.ts';
import { ParityError } from '../errors.ts';
import { goldenPath, readGoldenOf } from '../golden/file.ts';
import { type GoldenFile, selectGoldens } from '../golden/select.ts';
import { loadScenario } from '../scenario/scenario.ts';
import { type CheckResult, checkScenario, failedCheck } from './check-scenario.ts';
import { cannotDrive, type DriverKind, prepareDriver } from './driver.ts';
import { inParallel } from './in-parallel.ts';
import { beyondSubjects } from './lane-rules.ts';
import type { ScenarioCheck } from './scenario-check.ts';
import { type Subject, servesOneAtATime } from './subject.ts';

/** What to check, with which client, and how. */
export type CheckOptions = {
  readonly subject: Subject;
  readonly driver: DriverKind;
  readonly lane: Lane;
  /** Folder of the goldens. */
  readonly goldens: string;
  /** All versions and scenarios that have goldens, unless given. */
  readonly versions: readonly string[] | undefined;
  readonly scenarios: readonly string[] | undefined;
  /** Port of the simulated backend; 0 is any free one. */
  readonly backendPort: number;
  /** Milliseconds that one scenario may take. */
  readonly timeLimit: number;
  readonly signal: AbortSignal;
  readonly onProgress: (line: string) => void;
};

export type CheckRun = {
  readonly results: readonly CheckResult[];
  /** Why the subject failed, once for each scenario in which it died or hung. */
  readonly failures: readonly ParityError[];
  /** How many scenarios have no result. */
  readonly skipped: number;
};

/** After this many failures of the subject, the remaining scenarios are not tried: it would likely fail in all. */
const mostFailures = 3;

/**
 * Checks a subject against every selected golden, several scenarios at a time where the subject allows it. Skips, with
 * a progress line, what the driver or the lane cannot play. A scenario in which the subject fails gets a finding; the
 * others still run. Throws ParityError if nothing can be checked.
 */
export async function runChecks(options: CheckOptions): Promise<CheckRun> {
  const { subject, goldens, lane, backendPort, signal, onProgress } = options;
  const files = playable(inLane(selectGoldens(goldens, options.versions, options.scenarios), lane), options);
  const failures: ParityError[] = [];
  const width = servesOneAtATime(subject, backendPort) ? 1 : availableParallelism();
  const results = await inParallel(files, width, async (file) => {
    signal.throwIfAborted();
    if (failures.length >= mostFailures) return undefined;
    onProgress(`checking ${subject.name}: codex ${file.codex}, ${file.scenario}`);
    const check = await scenarioCheck(options, file);
    return check && checkOrFail(check, failures);
  });
  if (results.length === 0) {
    throw new ParityError('no-golden', `none of the selected scenarios can be checked in lane ${lane}`);
  }
  return { results, failures, skipped: files.length - results.length };
}

/** The goldens of a lane. Throws ParityError if there are none. */
function inLane(files: readonly GoldenFile[], lane: Lane): GoldenFile[] {
  const found = files.filter((file) => file.lane === lane);
  if (found.length > 0) return found;
  const known = [...new Set(files.map((file) => file.lane))].join(', ');
  throw new ParityError('no-golden', `no golden for lane ${lane}: choose from ${known}`);
}

/**
 * Skips, with a progress line, the scenarios that the driver cannot play. Throws ParityError if none is left, and for
 * a lane that only the official client has.
 */
function playable(files: readonly GoldenFile[], { driver, lane, onProgress }: CheckOptions): GoldenFile[] {
  if (driver.startsWith('openai') && isPointed(lane)) {
    throw new ParityError(
      'usage',
      `lane ${lane} configures the official client: with driver ${driver}, use lane chatgpt or api-key`,
    );
  }
  const names = [...new Set(files.map(({ scenario }) => scenario))];
  const reasons = new Map(
    names.flatMap((name) => {
      const reason = cannotDrive(driver, loadScenario(name));
      return reason === undefined ? [] : [[name, reason]];
    }),
  );
  const left = files.filter(({ scenario }) => !reasons.has(scenario));
  if (left.length === 0) throw new ParityError('usage', [...reasons.values()].join('; '));
  for (const reason of reasons.values()) onProgress(`skipped: ${reason}`);
  return left;
}

/** Reads and prepares what one check needs; undefined, with a progress line, if no subject can pass it. */
async function scenarioCheck(options: CheckOptions, file: GoldenFile): Promise<ScenarioCheck | undefined> {
  const { subject, driver, lane, goldens, backendPort, timeLimit, signal, onProgress } = options;
  const golden = readGoldenOf(file, file.path);
  const direct = { ...file, lane: 'chatgpt' };
  const upstream = isPointed(lane) ? readGoldenOf(direct, goldenPath(goldens, direct)) : golden;
  const reason = beyondSubjects(golden, upstream);
  if (reason !== undefined) {
    onProgress(`skipped: ${file.scenario} cannot be checked in lane ${lane}: ${reason}`);
    return undefined;
  }
  return {
    lane,
    golden,
    upstream,
    goldens: resolve(goldens),
    subject,
    driver: await prepareDriver(driver, file.codex, { signal, onProgress }),
    backendPort,
    timeLimit,
    signal,
  };
}

/** Checks a scenario. If the subject fails, adds the failure to `failures` and returns it as a finding. */
async function checkOrFail(check: ScenarioCheck, failures: ParityError[]): Promise<CheckResult> {
  try {
    return await checkScenario(check);
  } catch (error) {
    check.signal.throwIfAborted();
    if (!(error instanceof ParityError) || error.code !== 'subject-failed') throw error;
    failures.push(error);
    return failedCheck(check, error);
  }
}
