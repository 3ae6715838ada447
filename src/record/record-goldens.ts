import { installOfficialClient } from '../client/install/install.ts';
import { defaultClientCache, type OfficialClient, removeClient } from '../client/install/installed.ts';
import { latestVersion, unknownVersion } from '../client/install/npm.ts';
import type { Lane } from '../client/official/lanes.ts';
import { ParityError } from '../errors.ts';
import { mustBeWritable } from '../files.ts';
import { learnClientHellos, writeClientHellos } from '../golden/client-hello.ts';
import { writeGolden } from '../golden/file.ts';
import type { ClientHellos } from '../golden/golden.ts';
import type { Exchange } from '../golden/trace/exchanges.ts';
import { playableBy } from '../scenario/playable.ts';
import { loadScenario, scenarioNames } from '../scenario/scenario.ts';
import {
  type CertificateAuthority,
  defaultAuthorityFolder,
  openCertificateAuthority,
} from '../tap/certificate-authority.ts';
import { isVersion } from '../wire/codex-version.ts';
import { recordGolden } from './record-golden.ts';
import {
  cellPath,
  cellsOf,
  type MatrixCell,
  type MatrixRow,
  type Shard,
  shardOf,
  withoutRecorded,
} from './record-matrix.ts';

export type RecordGoldensOptions = {
  readonly out: string;
  readonly runs: number;
  readonly signal: AbortSignal;
  readonly onProgress: (line: string) => void;
  /** Versions of the official client; `latest` is the newest in the registry. */
  readonly versions: readonly string[];
  /** Names of scenarios; `all` is every scenario. */
  readonly scenarios: readonly string[];
  /** All lanes of each scenario, unless given. */
  readonly lanes: readonly Lane[] | undefined;
  /** All versions, unless given. */
  readonly shard: Shard | undefined;
  /** Skip the goldens that exist in `out`. */
  readonly resume: boolean;
  /** Remove each installed client after its goldens are recorded. */
  readonly prune: boolean;
};

const latest = 'latest';

/**
 * Records goldens from the official client with a simulated backend, and writes each as soon as it is learned. Invalid
 * versions, scenarios and lanes are reported before the first download. When a version or golden fails, the others are
 * still recorded. Throws ParityError, at the end when any failed.
 */
export async function recordGoldens(options: RecordGoldensOptions): Promise<void> {
  const { out, prune, signal, onProgress } = options;
  const rows = (await plan(options)).filter(({ cells }) => cells.length > 0);
  if (rows.length === 0) onProgress('nothing left to record');
  const authority = await openCertificateAuthority(defaultAuthorityFolder());
  // Goldens are written to a temporary file beside their path first.
  for (const { version, cells } of rows) {
    for (const cell of cells) {
      const path = cellPath(out, version, cell);
      mustBeWritable(`${path}.tmp`, path);
    }
  }
  const failures = new Failures(onProgress);
  const started = Date.now();
  let done = 0;
  let total = rows.flatMap(({ cells }) => cells).length;
  for (const { version, cells } of rows) {
    const client = await failures.attempt(() => installOfficialClient(version, { signal, onProgress }));
    for (const cell of cells) {
      const path = client && (await failures.attempt(() => recordCell(options, authority, client, cell)));
      if (path === undefined) total -= 1;
      else onProgress(progress(++done, total, started));
    }
    if (prune) await removeClient(defaultClientCache(process.env), version);
  }
  failures.throwIfAny();
}

/** The goldens to record, by version. Reports the scenarios that a version cannot play. */
async function plan(options: RecordGoldensOptions): Promise<MatrixRow[]> {
  const { versions, lanes, shard, resume, out, signal, onProgress } = options;
  const names = options.scenarios.flatMap((name) => (name === 'all' ? scenarioNames() : [name]));
  const scenarios = [...new Set(names)].map(loadScenario);
  if (cellsOf(scenarios, lanes).length === 0) {
    throw new ParityError(
      'usage',
      `scenario ${options.scenarios.join(', ')} is not recorded in lane ${lanes?.join(', ')}: omit --lane`,
    );
  }
  for (const version of versions) {
    if (version !== latest && !isVersion(version)) throw unknownVersion(version, 'is not a version');
  }
  const resolved = await Promise.all(
    versions.map((version) => (version === latest ? latestVersion(signal) : version)),
  );
  const all = [...new Set(resolved)].map((version) => {
    const playable = playableBy(version, scenarios, (reason) => onProgress(`skipped: ${reason}`));
    return { version, cells: cellsOf(playable, lanes) };
  });
  const rows = shard === undefined ? all : shardOf(all, shard);
  return resume ? withoutRecorded(rows, out) : rows;
}

async function recordCell(
  { runs, signal, onProgress, out }: RecordGoldensOptions,
  authority: CertificateAuthority,
  client: OfficialClient,
  { lane, scenario }: MatrixCell,
): Promise<string> {
  const name = `codex ${client.version}, ${scenario.name}${lane === 'chatgpt' ? '' : ` (${lane})`}`;
  const onRun = (run: number) => onProgress(`${name}: run ${run} of ${runs}`);
  let hellos: ClientHellos = {};
  const onRecorded = (recordings: readonly Exchange[][]) => {
    hellos = learnClientHellos(recordings);
  };
  const golden = await recordGolden({ client, authority, scenario, lane, runs, signal, onRun, onRecorded });
  const { path, changed } = writeGolden(out, golden);
  onProgress(`${changed ? 'wrote' : 'unchanged:'} ${path}`);
  const helloFile = writeClientHellos(out, client.version, hellos);
  if (helloFile !== undefined) onProgress(`wrote ${helloFile}`);
  return path;
}

/**
 * Collects expected failures (ParityError). Each one is reported once: before the next attempt, or in the final error.
 */
class Failures {
  readonly #report: (line: string) => void;
  readonly #reported: ParityError[] = [];
  /** The failure of the last attempt. */
  #last: ParityError | undefined;

  constructor(report: (line: string) => void) {
    this.#report = report;
  }

  /** The result of `work`, or undefined when it fails. */
  async attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    if (this.#last !== undefined) {
      this.#report(`failed: ${this.#last.message}`);
      this.#reported.push(this.#last);
      this.#last = undefined;
    }
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ParityError) || error.code === 'interrupted') throw error;
      this.#last = error;
      return undefined;
    }
  }

  throwIfAny(): void {
    const first = this.#reported[0] ?? this.#last;
    if (first === undefined) return;
    const number = this.#reported.length;
    const above = `${number} recording${number === 1 ? '' : 's'} failed (reported above): record again with --resume`;
    const messages = [this.#last?.message, this.#reported.length === 0 ? undefined : above];
    throw new ParityError(first.code, messages.filter((text) => text !== undefined).join('; '), {
      cause: first,
    });
  }
}

/** Estimates the remaining time from the goldens recorded so far: `3 of 8 done, about 40 s left`. */
function progress(done: number, total: number, started: number): string {
  const left = total - done;
  const seconds = Math.ceil(((Date.now() - started) / done / 1000) * left);
  return `${done} of ${total} done${left === 0 ? '' : `, about ${seconds} s left`}`;
}
