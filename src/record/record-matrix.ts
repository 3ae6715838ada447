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
    cells: cells.filter(
      ({ lane, scenario }) => !existsSync(goldenPath(out, { codex: version, lane, scenario: scenario.name })),
    ),
  }));
}

/**
 * Records a matrix of versions, lanes and scenarios, and writes each golden as soon as it is learned. When a version or
 * golden fails, the others are still recorded. Throws ParityError at the end when any failed.
 */
export async function recordMatrix(options: MatrixOptions): Promise<void> {
  const { rows, out, onProgress, onVersionDone, install } = options;
  // Goldens are written to a temporary file beside their path first.
  for (const id of rows.flatMap(idsOf)) mustBeWritable(`${goldenPath(out, id)}.tmp`);
  const failures = new Failures(onProgress);
  const estimate = new Estimate(rows.reduce((sum, { cells }) => sum + cells.length, 0));
  for (const { version, cells } of rows) {
    if (cells.length === 0) continue;
    const client = await failures.attempt(() => install(version));
    for (const cell of cells) {
      const path = client && (await failures.attempt(() => recordCell(options, client, cell)));
      if (path === undefined) estimate.cellFailed();
      else onProgress(estimate.cellDone());
    }
    await onVersionDone(version);
  }
  failures.throwIfAny();
}

function idsOf({ version, cells }: MatrixRow): GoldenId[] {
  return cells.map(({ lane, scenario }) => ({ codex: version, lane, scenario: scenario.name }));
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
  #unreported: ParityError[] = [];

  constructor(report: (line: string) => void) {
    this.#report = report;
  }

  /** The result of `work`, or undefined when it fails. */
  async attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    for (const { message } of this.#unreported) this.#report(`failed: ${message}`);
    this.#reported.push(...this.#unreported);
    this.#unreported = [];
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ParityError) || error.code === 'interrupted') throw error;
      this.#unreported.push(error);
      return undefined;
    }
  }

  throwIfAny(): void {
    const reported = this.#reported.length;
    const [first] = [...this.#reported, ...this.#unreported];
    if (first === undefined) return;
    const above = `${reported} failed as reported above: record again with --resume`;
    const messages = [...this.#unreported.map(({ message }) => message), ...(reported === 0 ? [] : [above])];
    throw new ParityError(first.code, messages.join('; '), { cause: first });
  }
}

/** Estimates the remaining time from the cells done so far. */
class Estimate {
  #cells: number;
  readonly #started = Date.now();
  #done = 0;

  constructor(cells: number) {
    this.#cells = cells;
  }

  cellFailed(): void {
    this.#cells -= 1;
  }

  cellDone(): string {
    this.#done += 1;
    const left = this.#cells - this.#done;
    const seconds = Math.ceil(((Date.now() - this.#started) / this.#done / 1000) * left);
    return `${this.#done} of ${this.#cells} done${left === 0 ? '' : `, about ${seconds} s left`}`;
  }
}
