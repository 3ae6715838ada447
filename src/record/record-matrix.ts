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

/** What is recorded with one version of the client, in this order. */
export type MatrixRow = { readonly version: string; readonly cells: readonly MatrixCell[] };

/** One golden to be. */
export type MatrixCell = { readonly lane: Lane; readonly scenario: Scenario };

/** One part of a matrix, for one of several machines; counted from 1. */
export type Shard = { readonly part: number; readonly of: number };

export type MatrixOptions = {
  readonly rows: readonly MatrixRow[];
  readonly out: string;
  readonly runs: number;
  readonly authority: CertificateAuthority;
  readonly install: (version: string) => Promise<OfficialClient>;
  /** Called when all that is recorded of a version is done. */
  readonly onVersionDone: (version: string) => Promise<void>;
  readonly onProgress: (line: string) => void;
  readonly signal: AbortSignal;
};

/** Every n-th version, so that each is installed on one machine only. What the machines write are different files. */
export function shardOf(rows: readonly MatrixRow[], { part, of }: Shard): MatrixRow[] {
  return rows.filter((_, at) => at % of === part - 1);
}

/** Each scenario in each lane that it has, or in those of them that are asked for. */
export function cellsOf(scenarios: readonly Scenario[], asked?: readonly Lane[]): MatrixCell[] {
  return scenarios.flatMap((scenario) => {
    const { lanes = ['chatgpt'] } = scenario;
    return lanes.filter((lane) => asked?.includes(lane) ?? true).map((lane) => ({ lane, scenario }));
  });
}

/** The rows without the cells whose golden is in the folder already. */
export function withoutRecorded(rows: readonly MatrixRow[], out: string): MatrixRow[] {
  return rows.map(({ version, cells }) => ({
    version,
    cells: cells.filter(
      ({ lane, scenario }) => !existsSync(goldenPath(out, { codex: version, lane, scenario: scenario.name })),
    ),
  }));
}

/**
 * Records a matrix of versions, lanes and scenarios, and writes each golden as soon as it is learned. A version or
 * golden that fails is told and does not keep the others from being recorded; ParityError is thrown when they are.
 */
export async function recordMatrix(options: MatrixOptions): Promise<void> {
  const { rows, out, onProgress, onVersionDone, install } = options;
  // What is written is written beside its place first.
  for (const id of rows.flatMap(idsOf)) mustBeWritable(`${goldenPath(out, id)}.tmp`);
  const failures = new Failures(onProgress);
  const estimate = new Estimate(rows.reduce((sum, { cells }) => sum + cells.length, 0));
  for (const { version, cells } of rows) {
    if (cells.length === 0) continue;
    const client = await failures.unless(() => install(version));
    for (const cell of cells) {
      const path = client && (await failures.unless(() => recordCell(options, client, cell)));
      if (path === undefined) estimate.leaveOut();
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
 * What failed in a way that is foreseen. Each failure is told once: before the next work, or in what is thrown at the
 * end.
 */
class Failures {
  readonly #tell: (line: string) => void;
  readonly #told: ParityError[] = [];
  #untold: ParityError[] = [];

  constructor(tell: (line: string) => void) {
    this.#tell = tell;
  }

  /** The result of `work`; undefined where it fails. */
  async unless<T>(work: () => Promise<T>): Promise<T | undefined> {
    for (const { message } of this.#untold) this.#tell(`failed: ${message}`);
    this.#told.push(...this.#untold);
    this.#untold = [];
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ParityError) || error.code === 'interrupted') throw error;
      this.#untold.push(error);
      return undefined;
    }
  }

  throwIfAny(): void {
    const told = this.#told.length;
    const [first] = [...this.#told, ...this.#untold];
    if (first === undefined) return;
    const above = `${told} failed as told above: record again with --resume`;
    const messages = [...this.#untold.map(({ message }) => message), ...(told === 0 ? [] : [above])];
    throw new ParityError(first.code, messages.join('; '), { cause: first });
  }
}

/** How long the rest will take, by what is done. */
class Estimate {
  #cells: number;
  readonly #started = Date.now();
  #done = 0;

  constructor(cells: number) {
    this.#cells = cells;
  }

  /** One is not recorded. */
  leaveOut(): void {
    this.#cells -= 1;
  }

  cellDone(): string {
    this.#done += 1;
    const left = this.#cells - this.#done;
    const seconds = Math.ceil(((Date.now() - this.#started) / this.#done / 1000) * left);
    return `${this.#done} of ${this.#cells} done${left === 0 ? '' : `, about ${seconds} s left`}`;
  }
}
