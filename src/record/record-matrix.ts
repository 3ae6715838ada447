import { existsSync } from 'node:fs';
import type { Lane } from '../client/official/lanes.ts';
import { goldenPath } from '../golden/file.ts';
import type { Scenario } from '../scenario/scenario.ts';

/** The goldens to record with one version of the client, in this order. */
export type MatrixRow = { readonly version: string; readonly cells: readonly MatrixCell[] };

/** One golden to record. */
export type MatrixCell = { readonly lane: Lane; readonly scenario: Scenario };

/** One part of a matrix, for one of several machines. `part` counts from 1. */
export type Shard = { readonly part: number; readonly of: number };

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
    cells: cells.filter((cell) => !existsSync(cellPath(out, version, cell))),
  }));
}

/** The file of a golden in the folder. */
export function cellPath(out: string, codex: string, { lane, scenario }: MatrixCell): string {
  return goldenPath(out, { codex, lane, scenario: scenario.name });
}
