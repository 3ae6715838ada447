import { join } from 'node:path';
import type { Options } from 'yargs';
import type { TraceKeeping } from '../check/keep-traces.ts';
import type { PlannedCheck } from '../check/run-checks.ts';
import { ParityError } from '../errors.ts';
import { writeWhole } from '../files.ts';
import type { GoldenId } from '../golden/golden.ts';
import type { GoldenFile } from '../golden/select.ts';
import { count } from '../report/count.ts';
import { jsonText, terminalLine } from '../report/escape.ts';
import { type Report, type Selection, titleOf } from '../report/report.ts';
import { type ReportRequest, standardOutput } from '../report/write.ts';
import type { CheckGate } from './gate-options.ts';
import { isSame, lastFailed, lastRunFile, rememberRun } from './last-run.ts';
import { progress } from './progress.ts';
import { withText } from './report-options.ts';
import { parseShard } from './shard.ts';

const keptTraces = ['on-failure', 'always', 'never'] as const;

/** The options of `check` that narrow what is played, and what is kept of it. */
export type SelectionOptions = {
  readonly list: boolean | undefined;
  readonly 'last-failed': boolean | undefined;
  readonly shard: string | undefined;
  readonly bail: boolean | undefined;
  readonly 'keep-traces': (typeof keptTraces)[number];
};

/** Declares SelectionOptions for yargs. */
export const selectionOptions = {
  list: { type: 'boolean', describe: 'Print what would be played, and play nothing' },
  'last-failed': {
    type: 'boolean',
    describe: `Play only the scenarios that failed in the last check (${lastRunFile})`,
  },
  bail: { type: 'boolean', describe: 'Stop after the first scenario that fails' },
  shard: {
    requiresArg: true,
    type: 'string',
    describe: 'Play one part of the scenarios: 2/4 is the second of four parts (see merge-reports)',
  },
  'keep-traces': {
    requiresArg: true,
    choices: keptTraces,
    default: 'on-failure' as const,
    defaultDescription: 'on-failure',
    describe: 'Which scenarios keep their traces, below .codex-parity/traces',
  },
} as const satisfies Readonly<Record<string, Options>>;

/** Which of the scenarios of a check are played. */
export type CheckSelection = {
  readonly narrow: (files: readonly GoldenFile[]) => readonly GoldenFile[];
  /** `isComplete`: whether all of them were tried. */
  readonly selection: (isComplete: boolean) => Selection;
  /** Writes which scenarios failed, for `--last-failed`. */
  readonly remember: (report: Report) => void;
};

/** Reads the options. `namesScenarios`: whether `--scenario` is given. Throws ParityError. */
export function openSelection(
  check: { readonly subject: string; readonly driver: string; readonly namesScenarios: boolean },
  { shard: text, 'last-failed': onlyFailed = false }: SelectionOptions,
): CheckSelection {
  const shard = text === undefined ? undefined : parseShard(text);
  const failed = onlyFailed ? lastFailed(check) : undefined;
  const coverage = failed === undefined ? (check.namesScenarios ? 'scenarios' : 'all') : 'part';
  let left: readonly GoldenId[] = [];
  return {
    narrow: (files) => {
      const again = failed === undefined ? files : files.filter((file) => isIn(failed, file));
      if (again.length === 0)
        throw new ParityError(
          'usage',
          'none of the scenarios that failed in the last check is selected: run check without --last-failed',
        );
      left = failed === undefined ? [] : again;
      if (shard === undefined) return again;
      const part = again.filter((_, index) => index % shard.total === shard.part - 1);
      if (part.length > 0) return part;
      throw new ParityError(
        'usage',
        `--shard ${text} has no scenario: only ${again.length} ${again.length === 1 ? 'is' : 'are'} selected, so choose at most ${count(again.length, 'part')}`,
      );
    },
    selection: (isComplete) => ({
      coverage: isComplete ? coverage : 'part',
      ...(text === undefined ? {} : { shard: text }),
    }),
    remember: (report) => rememberRun(report, left),
  };
}

function isIn(ids: readonly GoldenId[], id: GoldenId): boolean {
  return ids.some((other) => isSame(other, id));
}

/** Which scenarios keep their traces. */
export function traceKeeping(kept: SelectionOptions['keep-traces'], gate: CheckGate): TraceKeeping {
  const isKept = { 'on-failure': gate.fails, always: () => true, never: () => false }[kept];
  return { folder: join('.codex-parity', 'traces'), isKept, onProblem: progress };
}

/** Prints what a check would play. Throws ParityError for a report that is neither text nor JSON. */
export function printPlan(
  { subject, driver }: Pick<Report, 'subject' | 'driver'>,
  plan: readonly PlannedCheck[],
  reports: readonly ReportRequest[],
): void {
  const writers: Readonly<Record<string, () => string>> = {
    text: () => plan.map((check) => `${terminalLine(planLine(check))}\n`).join(''),
    json: () => jsonText({ format: 'codex-parity/list', version: 1, subject, driver, scenarios: plan }),
  };
  for (const { format, file } of withText(reports)) {
    const write = writers[format];
    if (write === undefined)
      throw new ParityError('usage', `--list has no report of format ${format}: choose text or json`);
    if (file === standardOutput) process.stdout.write(write());
    else writeWhole(file, write());
  }
}

function planLine({ reason, ...id }: PlannedCheck): string {
  return `${titleOf(id)}${reason === undefined ? '' : ` (not checked: ${reason})`}`;
}
