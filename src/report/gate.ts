import type { CauseCode } from '../diff/cause-code.ts';
import type { Finding } from '../diff/finding.ts';
import { type Severity, severities, severityOf } from '../diff/severity.ts';
import type { ScenarioVerdict } from '../diff/verdict.ts';
import { count } from './count.ts';

/** What of a report counts for the exit code. */
export type Gate = {
  /** The mildest severity that counts. */
  readonly failOn: Severity;
  readonly baseline?: BaselineUse;
};

/** A baseline, and what was wrong with it in a run. */
export type BaselineUse = {
  readonly file: string;
  readonly entries: readonly BaselineEntry[];
  readonly problems: readonly BaselineProblem[];
};

/** A cause that is accepted. In names, places and scenarios, `*` stands for any text. */
export type BaselineEntry = {
  /** Of the entry in the file; counts from 1. */
  readonly line: number;
  readonly code: CauseCode;
  /** Absent: any. */
  readonly name?: string | undefined;
  readonly place?: string | undefined;
  readonly scenario?: readonly string[] | undefined;
  /** Scenarios in which it is not accepted. */
  readonly except?: readonly string[] | undefined;
  readonly codex?: readonly string[] | undefined;
  /** Absent: `chatgpt`. */
  readonly lane?: readonly string[] | undefined;
  /** Absent: `replay`. */
  readonly driver?: readonly string[] | undefined;
  readonly reason: string;
  /** The last day on which it is accepted, as `2027-01-31` in UTC. */
  readonly until?: string | undefined;
};

export type BaselineProblem = {
  readonly line: number;
  readonly type: 'unused' | 'expired';
  /** What is wrong and what to do, in one line. */
  readonly text: string;
};

/** Whether a finding counts for the exit code. */
export function counts(finding: Finding, { failOn }: Pick<Gate, 'failOn'>): boolean {
  if (finding.accepted !== undefined) return false;
  return severities.indexOf(severityOf(finding)) <= severities.indexOf(failOn);
}

/** Whether a scenario fails: the subject failed in it, or has a finding that counts. */
export function fails(
  { verdict, findings }: Pick<ScenarioVerdict, 'verdict' | 'findings'>,
  gate: Pick<Gate, 'failOn'>,
): boolean {
  if (verdict.type === 'failed' && verdict.accepted === undefined) return true;
  return findings.some((finding) => counts(finding, gate));
}

/** Everything counts unless a report says otherwise. */
export const strictGate: Gate = { failOn: 'shape' };

/** What did not count, in a few words, such as `3 findings accepted in parity-baseline.yaml`; empty if everything did. */
export function notCounted(scenarios: readonly ScenarioVerdict[], gate: Gate): string[] {
  const findings = scenarios.flatMap((scenario) => scenario.findings);
  const accepted = findings.filter((finding) => finding.accepted !== undefined).length;
  const failed = scenarios.filter(
    ({ verdict }) => verdict.type === 'failed' && verdict.accepted !== undefined,
  ).length;
  const mild = findings.filter((finding) => finding.accepted === undefined && !counts(finding, gate)).length;
  const both = [
    ...(accepted > 0 ? [count(accepted, 'finding')] : []),
    ...(failed > 0 ? [count(failed, 'failed scenario')] : []),
  ];
  return [
    ...(both.length > 0 ? [`${both.join(' and ')} accepted in ${gate.baseline?.file ?? 'a baseline'}`] : []),
    ...(mild > 0 ? [`${count(mild, 'finding')} below --fail-on ${gate.failOn}`] : []),
  ];
}
