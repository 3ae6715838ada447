import { existsSync } from 'node:fs';
import type { OfficialClient } from '../client/installed.ts';
import type { Lane } from '../client/lane.ts';
import { ParityError } from '../errors.ts';
import { goldenPath, writeGolden } from '../golden/file.ts';
import type { Scenario } from '../scenario/definition.ts';
import type { Authority } from '../tap/authority.ts';
import { recordGolden } from './official.ts';

/** What is recorded with one version of the client, in this order. */
export type Row = { readonly version: string; readonly cells: readonly Cell[] };

/** One golden to be. */
export type Cell = { readonly lane: Lane; readonly scenario: Scenario };

/** One part of a matrix, for one of several machines; counted from 1. */
export type Shard = { readonly part: number; readonly of: number };

export type MatrixOptions = {
  readonly rows: readonly Row[];
  readonly out: string;
  readonly runs: number;
  readonly authority: Authority;
  readonly install: (version: string) => Promise<OfficialClient>;
  /** Called when all that is recorded of a version is done. */
  readonly onVersionDone: (version: string) => Promise<void>;
  readonly onProgress: (line: string) => void;
  readonly signal: AbortSignal;
};

/** Every n-th version, so that each is installed on one machine only. What the machines write are different files. */
export function shardOf(rows: readonly Row[], { part, of }: Shard): Row[] {
  return rows.filter((_, at) => at % of === part - 1);
}

/** Each scenario in each lane that it has, or in those of them that are asked for. */
export function cellsOf(scenarios: readonly Scenario[], asked?: readonly Lane[]): Cell[] {
  return scenarios.flatMap((scenario) => {
    const { lanes = ['chatgpt'] } = scenario;
    return lanes.filter((lane) => asked?.includes(lane) ?? true).map((lane) => ({ lane, scenario }));
  });
}

/** The rows without the cells whose golden is in the folder already. */
export function withoutRecorded(rows: readonly Row[], out: string): Row[] {
  return rows.map(({ version, cells }) => ({
    version,
    cells: cells.filter(
      ({ lane, scenario }) => !existsSync(goldenPath(out, { codex: version, lane, scenario: scenario.name })),
    ),
  }));
}

/**
 * Records a matrix of versions, lanes and scenarios, and writes each golden as soon as it is learned. A version or
 * golden that fails is told and does not keep the others from being recorded; then the first failure is thrown.
 */
export async function recordMatrix(options: MatrixOptions): Promise<void> {
  const { rows, onProgress, onVersionDone, install } = options;
  const failures: ParityError[] = [];
  const estimate = new Estimate(rows.reduce((sum, { cells }) => sum + cells.length, 0));
  for (const { version, cells } of rows) {
    if (cells.length === 0) continue;
    const client = await kept(failures, onProgress, () => install(version));
    for (const cell of cells) {
      if (client !== undefined) await kept(failures, onProgress, () => recordCell(options, client, cell));
      onProgress(estimate.cellDone());
    }
    await onVersionDone(version);
  }
  const [first, ...others] = failures;
  if (first === undefined) return;
  const more = others.length === 0 ? '' : ` (and ${others.length} more, told above)`;
  throw new ParityError(first.code, `${first.message}${more}`, { cause: first });
}

async function recordCell(options: MatrixOptions, client: OfficialClient, cell: Cell): Promise<void> {
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
}

/** The result of `work`; undefined, with the failure noted and told, where it fails in a way that is foreseen. */
async function kept<T>(
  failures: ParityError[],
  onProgress: (line: string) => void,
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ParityError) || error.code === 'interrupted') throw error;
    failures.push(error);
    onProgress(`failed: ${error.message}`);
    return undefined;
  }
}

/** How long the rest will take, by what is done. */
class Estimate {
  readonly #cells: number;
  readonly #started = Date.now();
  #done = 0;

  constructor(cells: number) {
    this.#cells = cells;
  }

  cellDone(): string {
    this.#done += 1;
    const left = this.#cells - this.#done;
    const seconds = Math.ceil(((Date.now() - this.#started) / this.#done / 1000) * left);
    return `${this.#done} of ${this.#cells} done${left === 0 ? '' : `, about ${seconds} s left`}`;
  }
}
