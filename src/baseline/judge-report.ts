import type { BaselineUse, Gate } from '../report/gate.ts';
import type { Report, Selection } from '../report/report.ts';
import { applyBaseline } from './apply-baseline.ts';

/** A report of a run, and what of all scenarios the run was to play. */
export type RunReport = Report & { readonly selection: Selection };

/** Marks in a report what a baseline accepts, and says what counts. */
export function judgeReport(
  report: RunReport,
  baseline: Pick<BaselineUse, 'file' | 'entries'> | undefined,
  failOn: Gate['failOn'],
): Report {
  if (baseline === undefined) return { ...report, gate: { failOn } };
  const { file, entries } = baseline;
  const { scenarios, problems } = applyBaseline(baseline, { ...report, today: today() });
  return { ...report, scenarios, gate: { failOn, baseline: { file, entries, problems } } };
}

/** The date in UTC, such as `2027-01-31`. */
export function today(): string {
  return new Date().toISOString().slice(0, 10);
}
