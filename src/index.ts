/**
 * The library: what the commands `check`, `record`, `diff` and `show` do, as functions. Each throws ParityError, with a code and
 * a message for users, for wrong input.
 */
import { resolve } from 'node:path';
import { readBaseline } from './baseline/baseline-file.ts';
import { judgeReport } from './baseline/judge-report.ts';
import type { DriverKind } from './check/driver.ts';
import { runChecks } from './check/run-checks.ts';
import { configuredSubject, findSubject, type Subject, subjectAt } from './check/subject.ts';
import type { Lane } from './client/official/lanes.ts';
import type { SubjectConfig } from './config/subject-config.ts';
import type { Finding } from './diff/finding.ts';
import { type LiveInformation, liveFindings } from './diff/live.ts';
import { parityFindings } from './diff/parity.ts';
import type { Severity } from './diff/severity.ts';
import { ParityError } from './errors.ts';
import { readGolden as readGoldenFile } from './golden/file.ts';
import type { Golden } from './golden/golden.ts';
import { defaultGoldens, fileNamed, type GoldenFolders, ownGoldens, versionNamed } from './golden/select.ts';
import { exchangesOf } from './golden/trace/exchanges.ts';
import { recordGoldens } from './record/record-goldens.ts';
import { hasParity, passes, type Report } from './report/report.ts';
import { findingText } from './report/text.ts';
import { readTrace } from './trace/trace.ts';

export type { DriverKind } from './check/driver.ts';
export type { Lane } from './client/official/lanes.ts';
export type { SubjectConfig } from './config/subject-config.ts';
export type { Comparison } from './diff/comparison.ts';
export type { Finding } from './diff/finding.ts';
export type { LiveInformation } from './diff/live.ts';
export type { Severity } from './diff/severity.ts';
export type { Verdict } from './diff/verdict.ts';
export { type ErrorCode, ParityError } from './errors.ts';
export type { Golden, GoldenId } from './golden/golden.ts';
export { jsonReport } from './report/json.ts';
export type { Report, ReportedScenario } from './report/report.ts';
export { textReport } from './report/text.ts';

/** Where to look for goldens. */
export type GoldenSource = {
  /** Folders of goldens; of a golden in several of them, the first is used. Default: `./traces`, then the bundled goldens. */
  readonly goldens?: GoldenFolders;
};

export type CheckInput = GoldenSource & {
  /**
   * The proxy to check: the name of a subject in `codex-parity.config.json` or `.yaml`, `bundled`, a subject as in this file,
   * or the base URL of a proxy that runs already. A URL needs `backendPort`.
   */
  readonly subject: string | SubjectConfig | URL;
  /** Versions of the official client; `latest` is the newest with goldens. Default: all that have goldens. */
  readonly codex?: readonly string[];
  /** Names of scenarios. Default: all that have goldens. */
  readonly scenarios?: readonly string[];
  /** Default: `chatgpt`. */
  readonly lane?: Lane;
  /** What plays the client. Default: `replay`. */
  readonly driver?: DriverKind;
  /** Port of the simulated backend. Default: any free one. */
  readonly backendPort?: number;
  /** Time limit of each scenario, in milliseconds. Default: 30,000. */
  readonly timeLimit?: number;
  /** The file with the causes that are accepted, relative to `folder`. Default: none. */
  readonly baseline?: string;
  /** The mildest severity that counts for `passed`. Default: `shape`, so everything. */
  readonly failOn?: Severity;
  /** The folder with the configuration file. Default: the working folder. */
  readonly folder?: string;
  /** Ends the check early: scenarios that are left have the verdict `not checked`. */
  readonly signal?: AbortSignal;
  /** Receives one line for each scenario that starts. */
  readonly onProgress?: (line: string) => void;
};

/** The result of a check. `textReport` and `jsonReport` print it. */
export type CheckReport = Report & {
  /** Whether nothing was found, and no scenario failed. */
  readonly parity: boolean;
  /** Whether nothing counts: what was found is accepted by the baseline, or milder than `failOn`. */
  readonly passed: boolean;
};

/**
 * Plays scenarios through a proxy, and compares its traffic with the goldens and with the traffic of its client. A proxy that
 * differs, dies or hangs is a result, not an error.
 *
 * @throws ParityError if nothing can be checked, or if the check was interrupted.
 */
export async function check({
  subject: input,
  goldens = defaultGoldens(),
  ...options
}: CheckInput): Promise<CheckReport> {
  const { driver = 'replay', lane = 'chatgpt', backendPort = 0, timeLimit = 30_000 } = options;
  const subject = subjectFrom(input, options);
  const { baseline: file, folder = process.cwd(), failOn = 'shape' } = options;
  const baseline = file === undefined ? undefined : readBaseline(resolve(folder, file));
  const run = await runChecks({
    ...{ subject, driver, lane, goldens, backendPort, timeLimit },
    versions: options.codex?.map((name) => versionNamed(goldens, name)),
    scenarios: options.scenarios,
    signal: options.signal ?? new AbortController().signal,
    onProgress: options.onProgress ?? (() => {}),
  });
  if (run.error !== undefined) throw run.error;
  const coverage = options.scenarios === undefined ? 'all' : 'scenarios';
  const report = judgeReport(
    { subject: subject.name, driver, scenarios: run.results, selection: { coverage } },
    baseline,
    failOn,
  );
  return { ...report, parity: hasParity(report), passed: passes(report) };
}

function subjectFrom(
  input: CheckInput['subject'],
  { folder = process.cwd(), backendPort = 0 }: Pick<CheckInput, 'folder' | 'backendPort'>,
): Subject {
  if (typeof input === 'string') return findSubject(input, folder);
  if (!(input instanceof URL)) return configuredSubject('subject', input, folder);
  if (backendPort !== 0) return subjectAt(input.href);
  throw new ParityError('usage', 'a URL as the subject needs backendPort: the port of its upstream');
}

export type RecordInput = {
  /** Versions of the official client; `latest` is the newest in the npm registry. Missing clients are installed. */
  readonly codex: readonly string[];
  /** Names of scenarios; `all` is every scenario that the version supports. Default: `default` and `fast`. */
  readonly scenarios?: readonly string[];
  /** Default: all lanes of each scenario. */
  readonly lanes?: readonly Lane[];
  /** How many runs each golden is learned from, at least 2. Default: 3. */
  readonly runs?: number;
  /** The folder to write to. Default: `traces` in the working folder. */
  readonly out?: string;
  readonly signal?: AbortSignal;
  /** Receives one line for each step. */
  readonly onProgress?: (line: string) => void;
};

/**
 * Records goldens from the official client with a simulated backend: no account is needed. Writes them to
 * `OUT/VERSION/LANE/SCENARIO.golden.jsonl`.
 *
 * @throws ParityError at the end if a golden could not be recorded; the others are written.
 */
export async function record({ codex, lanes, ...options }: RecordInput): Promise<void> {
  await recordGoldens({
    versions: codex,
    scenarios: options.scenarios ?? ['default', 'fast'],
    lanes,
    runs: options.runs ?? 3,
    out: resolve(options.out ?? ownGoldens),
    shard: undefined,
    resume: false,
    prune: false,
    signal: options.signal ?? new AbortController().signal,
    onProgress: options.onProgress ?? (() => {}),
  });
}

/** How a trace differs from a golden. */
export type TraceDifferences = {
  readonly golden: Golden;
  /** What is wrong; empty for parity. */
  readonly findings: readonly Finding[];
  /** What a live session has of its own, and is not wrong. */
  readonly information: readonly LiveInformation[];
  /** The findings in words, one text for each. */
  readonly texts: readonly string[];
};

/**
 * Compares a trace (a file of `record -- COMMAND`, `proxy --record` or a check) with a golden.
 *
 * @param golden a golden, the path of one, or a name such as `latest` or `0.171.0/fast`
 * @throws ParityError for a file that is missing or not valid.
 */
export function diff(golden: string | Golden, trace: string, source: GoldenSource = {}): TraceDifferences {
  const expected = typeof golden === 'string' ? readGolden(golden, source) : golden;
  const { live, events } = readTrace(trace);
  const exchanges = exchangesOf(events);
  const { findings, information } = live
    ? liveFindings(expected, exchanges)
    : { findings: parityFindings(expected, exchanges), information: [] };
  const name = `${expected.codex} ${expected.scenario}`;
  return {
    golden: expected,
    findings,
    information,
    texts: findings.map((finding) => findingText(name, finding)),
  };
}

/**
 * Reads a golden.
 *
 * @param name the path of a golden, or a name: `latest`, `0.171.0/fast`, `0.171.0/api-key/fast`
 * @throws ParityError if there is none, or if it is not valid.
 */
export function readGolden(name: string, { goldens = defaultGoldens() }: GoldenSource = {}): Golden {
  return readGoldenFile(fileNamed(goldens, name));
}
