import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Options } from 'yargs';
import { applyBaseline } from '../baseline/apply-baseline.ts';
import { type Baseline, baselineFile, findBaseline, parseBaseline } from '../baseline/baseline-file.ts';
import { judgeReport, type RunReport, today } from '../baseline/judge-report.ts';
import { updateBaseline } from '../baseline/update-baseline.ts';
import { type Severity, severities } from '../diff/severity.ts';
import { mustBeWritable, writeWhole } from '../files.ts';
import { fails } from '../report/gate.ts';
import type { Report, ReportedScenario } from '../report/report.ts';
import { progress } from './progress.ts';

/** The options of `check` that decide what counts for the exit code. */
export type GateOptions = {
  readonly baseline: string | undefined;
  readonly 'update-baseline': boolean | undefined;
  readonly 'fail-on': Severity;
};

const failOnOption = {
  requiresArg: true,
  choices: severities,
  default: 'shape' as const,
  defaultDescription: 'shape: all of them',
  describe: 'The mildest differences that count for the exit code',
} as const satisfies Options;

/** Declares GateOptions for yargs. */
export const gateOptions = {
  baseline: {
    requiresArg: true,
    type: 'string',
    describe: 'File with the causes that are accepted',
    defaultDescription: `${baselineFile}, if it exists`,
  },
  'update-baseline': {
    type: 'boolean',
    describe: 'Accept all that counts now: write it to the baseline, and remove entries that are unused',
    conflicts: 'bail',
  },
  'fail-on': failOnOption,
} as const satisfies Readonly<Record<string, Options>>;

/** The JSON schema of baselines in a project that has installed the package. */
const installedSchema = 'node_modules/codex-parity/docs/baseline.schema.json';

/** Decides what of a check counts. */
export type CheckGate = {
  /** Whether the baseline accepts causes of a family, such as `wire/tls`. */
  readonly names: (family: string) => boolean;
  /** Whether a scenario that was just played fails. */
  readonly fails: (scenario: ReportedScenario) => boolean;
  /** Marks in a report what is accepted, and what counts. With `mayUpdate`, updates the baseline if that was asked for. */
  readonly judge: (report: RunReport, options: { readonly mayUpdate: boolean }) => Report;
};

/** Reads the baseline for a subject. Throws ParityError if it is not valid, or cannot be written where it must be. */
export function openGate(subject: string, driver: string, options: GateOptions): CheckGate {
  const { 'fail-on': failOn, 'update-baseline': updates = false } = options;
  const file = options.baseline ?? baselineFile;
  const baseline = findBaseline(subject, {
    named: options.baseline,
    created: updates,
    onOther: progress,
  });
  if (updates) mustBeWritable(file);
  const none = { file, entries: [] };

  const updated = (report: RunReport): Baseline | undefined => {
    const run = { ...report, today: today() };
    const applied = applyBaseline(baseline ?? none, run);
    const isInstalled = existsSync(join(dirname(file), installedSchema));
    const schema = isInstalled ? installedSchema : undefined;
    const { text, added, removed, refused } = updateBaseline({
      ...{ subject, baseline, applied, run, failOn, schema },
    });
    for (const code of refused)
      progress(`${code} is not accepted: every scenario shows it, so the subject is not set up`);
    if (baseline === undefined && added === 0) return undefined;
    writeWhole(file, text);
    progress(`wrote ${file}: ${added} added, ${removed} removed`);
    return parseBaseline(text, file);
  };

  return {
    names: (family) => baseline?.entries.some(({ code }) => code.startsWith(`${family}-`)) ?? false,
    fails: (scenario) => {
      const run = { scenarios: [scenario], selection: { coverage: 'part' }, driver, today: today() } as const;
      const [judged = scenario] = applyBaseline(baseline ?? none, run).scenarios;
      return fails(judged, { failOn });
    },
    judge: (report, { mayUpdate }) => {
      const used = updates && mayUpdate ? updated(report) : baseline;
      return judgeReport(report, used, failOn);
    },
  };
}
