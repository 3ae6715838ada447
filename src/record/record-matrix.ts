import { existsSync } from 'node:fs';
import type { OfficialClient } from '../client/install/installed.ts';
import type { Lane } from '../client/official/lanes.ts';
import { ParityError } from '../errors.ts';
import { mustBeWritable } from '../files.ts';
import { goldenPath, writeGolden } from '../golden/file.ts';
import type { GoldenId } from '../golden/golden.ts';
import type { Scenario } from '../scenario/scenario.ts';
import type { CertificateAuthority } from '../tap/certificate-authority.ts';
import { recordGolden } from './record-golden.ts';

/** The goldens to record with one version of the client, in this order. */
export type MatrixRow = { readonly version: string; readonly cells: readonly MatrixCell[] };

/** One golden to record. */
type MatrixCell = { readonly lane: Lane; readonly scenario: Scenario };

/** One part of a matrix, for one of several machines. `part` counts from 1. */
export type Shard = { readonly part: number; readonly of: number };

export type MatrixOptions = {
  readonly rows: readonly MatrixRow[];
  readonly out: string;
  readonly runs: number;
  readonly authority: CertificateAuthority;
  readonly install: (version: string) => Promise<OfficialClient>;
  /** Called when all goldens of a version are done. */
  readonly onVersionDone: (version: string) => Promise<void>;
  readonly onProgress: (line: string) => void;
  readonly signal: AbortSignal;
};

/** The rows of a shard: every nth version, so that each is installed on one machine only. */
export function shardOf(rows: readonly MatrixRow[], { part, of }: Shard): MatrixRow[] {
  return rows.filter((_, index) => index % of === part - 1);
}

/** One cell per scenario and lane. `selected` limits the lanes. */
export function cellsOf(scenarios: readonly Scenario[], selected?: readonly Lane[]): MatrixCell[] {
  return scenarios.flatMap((scenario) => {
    const { lanes = ['chatgpt'] } = scenario;
    return lanes.filter((lane) => selected?.includes(lane) ?? true).map((lane) => ({ lane, scenario }));
  });
}

/** The rows without the cells whose golden exists in the folder. */
export function withoutRecorded(rows: readonly MatrixRow[], out: string): MatrixRow[] {
  return rows.map(({ version, cells }) => ({
    version,
    cells: cells.filter((cell) => !existsSync(goldenPath(out, idOf(version, cell)))),
  }));
}

/**
 * Records a matrix of versions, lanes and scenarios, and writes each golden as soon as it is learned. When a version or
 * golden fails, the others are still recorded. Throws ParityError at the end when any failed.
 */
export async function recordMatrix(options: MatrixOptions): Promise<void> {
  const { rows, out, onProgress, onVersionDone, install } = options;
  // Goldens are written to a temporary file beside their path first.
  for (const { version, cells } of rows)
    for (const cell of cells) mustBeWritable(`${goldenPath(out, idOf(version, cell))}.tmp`);
  const failures = new Failures(onProgress);
  const started = Date.now();
  let done = 0;
  let total = rows.flatMap(({ cells }) => cells).length;
  for (const { version, cells } of rows) {
    if (cells.length === 0) continue;
    const client = await failures.attempt(() => install(version));
    for (const cell of cells) {
      const path = client && (await failures.attempt(() => recordCell(options, client, cell)));
      if (path === undefined) total -= 1;
      else onProgress(progress(++done, total, started));
    }
    await onVersionDone(version);
  }
  failures.throwIfAny();
}

function idOf(codex: string, { lane, scenario }: MatrixCell): GoldenId {
  return { codex, lane, scenario: scenario.name };
}

async function recordCell(options: MatrixOptions, client: OfficialClient, cell: MatrixCell): Promise<string> {
  const { authority, runs, signal, onProgress, out } = options;
  const { lane, scenario } = cell;
  const name = `codex ${client.version}, ${scenario.name}${lane === 'chatgpt' ? '' : ` (${lane})`}`;
  const golden = await recordGolden({
    client,
    authority,
    scenario,
    lane,
    runs,
    signal,
    onRun: (run) => onProgress(`${name}: run ${run} of ${runs}`),
  });
  const { path, changed } = writeGolden(out, golden);
  onProgress(`${changed ? 'wrote' : 'unchanged:'} ${path}`);
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
    const above = `${this.#reported.length} failed as reported above: record again with --resume`;
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
