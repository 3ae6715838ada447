import { ParityError } from '../errors.ts';
import { compare, compareVersions } from '../wire/codex-version.ts';
import { type Gate, strictGate } from './gate.ts';
import { type Report, type ReportedScenario, type Selection, titleOf } from './report.ts';

/** A report, and the file that it is from. */
export type ReportFile = { readonly path: string; readonly report: Report };

/**
 * Merges the reports of one subject: of all shards, or of several versions, lanes or scenarios. The problems of a baseline are
 * those of the first report.
 *
 * @throws ParityError if they do not belong together, have a scenario twice, or lack a shard.
 */
export function mergeReports([first, ...others]: readonly ReportFile[]): Report {
  if (first === undefined) throw new RangeError('no report to merge');
  for (const other of others) mustBelongTogether(first, other);
  const files = [first, ...others];
  mustBeDistinct(files);
  mustHaveAllShards(files);
  const scenarios = files.flatMap(({ report }) => report.scenarios).sort(inOrder);
  return { ...first.report, scenarios, selection: { coverage: leastCoverage(files) } };
}

function mustBelongTogether(first: ReportFile, other: ReportFile): void {
  const differences: readonly [what: string, of: (report: Report) => string][] = [
    ['subject', ({ subject }) => subject],
    ['driver', ({ driver }) => driver],
    ['--fail-on', ({ gate = strictGate }) => gate.failOn],
    ['baseline', ({ gate }) => baselineText(gate)],
  ];
  for (const [what, of] of differences) {
    if (of(first.report) === of(other.report)) continue;
    throw new ParityError(
      'usage',
      `${first.path} and ${other.path} differ in their ${what}: merge reports of one check only`,
    );
  }
}

function baselineText({ baseline }: Gate = strictGate): string {
  return JSON.stringify(baseline?.entries ?? []);
}

function mustBeDistinct(files: readonly ReportFile[]): void {
  const known = new Map<string, string>();
  for (const { path, report } of files) {
    for (const scenario of report.scenarios) {
      const title = titleOf(scenario);
      const other = known.get(title);
      if (other !== undefined) {
        throw new ParityError('usage', `${other} and ${path} both have ${title}: give each report once`);
      }
      known.set(title, path);
    }
  }
}

/** The shards of each lane must be complete: a part that is missing would be taken for passed. */
function mustHaveAllShards(files: readonly ReportFile[]): void {
  const sharded = files.flatMap(({ report: { selection, scenarios } }) =>
    selection?.shard === undefined ? [] : [{ shard: selection.shard, lane: scenarios[0]?.lane ?? '' }],
  );
  for (const [, shards] of Map.groupBy(sharded, ({ lane, shard }) => `${lane} ${totalOf(shard)}`)) {
    const total = totalOf(shards[0]?.shard ?? '');
    const parts = new Set(shards.map(({ shard }) => Number(shard.split('/')[0])));
    for (let part = 1; part <= total; part += 1) {
      if (parts.has(part)) continue;
      throw new ParityError(
        'usage',
        `the report of shard ${part}/${total} is missing: give those of all ${total} shards`,
      );
    }
  }
}

function totalOf(shard: string): number {
  return Number(shard.split('/')[1]);
}

function leastCoverage(files: readonly ReportFile[]): Selection['coverage'] {
  const coverages = files.map(({ report }) => report.selection?.coverage ?? 'part');
  return (['part', 'scenarios'] as const).find((coverage) => coverages.includes(coverage)) ?? 'all';
}

function inOrder(a: ReportedScenario, b: ReportedScenario): number {
  return compareVersions(a.codex, b.codex) || compare(`${a.lane}/${a.scenario}`, `${b.lane}/${b.scenario}`);
}
