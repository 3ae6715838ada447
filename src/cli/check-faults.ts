import { coreScenarios, runFaultChecks } from '../check/faults/run-fault-checks.ts';
import type { Subject } from '../check/subject.ts';
import type { Lane } from '../client/official/lanes.ts';
import { ParityError } from '../errors.ts';
import { writeWhole } from '../files.ts';
import { type GoldenFolders, newestVersion, versionNamed } from '../golden/select.ts';
import { jsonText } from '../report/escape.ts';
import { faultScreen, toleratesFaults } from '../report/fault-report.ts';
import { type ReportRequest, standardOutput } from '../report/write.ts';
import type { CommandContext } from './command-context.ts';
import { ProgressLine } from './progress.ts';

/** What is checked, and which reports are written. */
export type FaultCheck = {
  readonly subject: Subject;
  readonly lane: Lane;
  readonly goldens: GoldenFolders;
  readonly versions: readonly string[] | undefined;
  readonly scenarios: readonly string[] | undefined;
  readonly backendPort: number;
  /** Milliseconds. */
  readonly timeLimit: number;
  readonly reports: readonly ReportRequest[];
};

/** Runs `check --faults`, and prints what went wrong. */
export async function checkFaults(check: FaultCheck, { signal, exit }: CommandContext): Promise<void> {
  const { subject, lane, goldens, versions, scenarios = coreScenarios, reports, ...limits } = check;
  const [codex = newestVersion(goldens), ...others] =
    versions?.map((name) => versionNamed(goldens, name)) ?? [];
  if (others.length > 0) throw new ParityError('usage', '--faults checks one version: name one with --codex');
  const other = reports.find(({ format }) => format !== 'text' && format !== 'json');
  if (other !== undefined)
    throw new ParityError('usage', `--faults writes no ${other.format} report: choose text or json`);
  const line = new ProgressLine();
  const options = { subject, lane, goldens, codex, scenarios, ...limits, signal, onProgress: line.show };
  const run = await runFaultChecks(options).finally(() => line.clear());
  const report = { subject: subject.name, codex, lane, ...run };
  const isPrinted = reports.some(({ file }) => file === standardOutput);
  for (const { format, file } of isPrinted
    ? reports
    : [{ format: 'text', file: standardOutput }, ...reports]) {
    const text = format === 'json' ? jsonText(report) : faultScreen(report);
    if (file === standardOutput) process.stdout.write(text);
    else writeWhole(file, text);
  }
  if (!toleratesFaults(report)) exit(1);
}
