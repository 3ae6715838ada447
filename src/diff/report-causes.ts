import { lastName } from '../golden/match/mismatch.ts';
import { baseName } from '../golden/pattern/unique-names.ts';
import { type CauseCode, codeOf } from './cause-code.ts';
import { type Comparison, comparisons } from './comparison.ts';
import { type Finding, isOf } from './finding.ts';
import { type Severity, severities, severityOfCode } from './severity.ts';

/** A scenario at one version, in one lane. */
export type Cell = { readonly codex: string; readonly lane: string; readonly scenario: string };

/** What is wrong with a subject, over all scenarios of a report. */
export type Cause = {
  readonly code: CauseCode;
  readonly severity: Severity;
  /** The header, key, variable or event that it is about, as first found; empty where it is about a whole part. */
  readonly name: string;
  /** The comparisons that show it. */
  readonly comparisons: readonly Comparison[];
  /** The finding that shows it best. */
  readonly example: Finding;
  /** The scenarios that show it, each with its findings. */
  readonly cells: readonly CauseCell[];
  /** Why it is accepted, if it is in all its scenarios. */
  readonly accepted?: string;
};

export type CauseCell = Cell & {
  readonly findings: readonly Finding[];
  /** Why it is accepted there, if it is. */
  readonly accepted?: string;
};

type CheckedCell = Cell & { readonly findings: readonly Finding[] };

/** Groups all findings of a report by their cause. The most harmful come first, then those that most scenarios show. */
export function reportCauses(scenarios: readonly CheckedCell[]): Cause[] {
  const found = scenarios.flatMap(({ findings, codex, lane, scenario }) =>
    findings.map((finding) => ({ cell: { codex, lane, scenario }, finding, code: codeOf(finding) })),
  );
  const groups = Map.groupBy(found, ({ finding }) => causeKey(finding));
  const causes = [...groups.values()].flatMap((group): Cause[] => {
    const [first] = group;
    if (first === undefined) return [];
    const { code } = first;
    const findings = group.map(({ finding }) => finding);
    const cells = [...Map.groupBy(group, ({ cell }) => JSON.stringify(cell)).values()].flatMap((own) =>
      own[0] === undefined
        ? []
        : [
            causeCell(
              own[0].cell,
              own.map(({ finding }) => finding),
            ),
          ],
    );
    return [
      {
        code,
        severity: severityOfCode(code),
        name: nameOf(first.finding),
        comparisons: comparisons.filter((comparison) => findings.some((one) => isOf(comparison, one))),
        example: first.finding,
        cells,
        ...acceptance(findings),
      },
    ];
  });
  const rank = ({ severity }: Cause) => severities.indexOf(severity);
  return causes.sort((a, b) => rank(a) - rank(b) || b.cells.length - a.cells.length);
}

function causeCell(cell: Cell, findings: readonly Finding[]): CauseCell {
  return { ...cell, findings, ...acceptance(findings) };
}

/** The reasons why all of the findings are accepted; empty if one is not. */
function acceptance(findings: readonly Finding[]): { readonly accepted?: string } {
  const reasons = findings.flatMap(({ accepted }) => (accepted === undefined ? [] : [accepted]));
  return reasons.length < findings.length ? {} : { accepted: [...new Set(reasons)].join('; ') };
}

/** Findings with the same key have one cause. */
export function causeKey(finding: Finding): string {
  const code = codeOf(finding);
  return JSON.stringify([code, anySpelling(causeName(finding))]);
}

/** What a cause is about; empty for the codes that have one cause, whatever the names. */
export function causeName(finding: Finding): string {
  return oneCause.has(codeOf(finding)) ? '' : nameOf(finding);
}

/** Names that differ in capitalisation, or in - and _, are the same. */
export function anySpelling(name: string): string {
  return name.toLowerCase().replaceAll('-', '_');
}

/** The codes whose findings all have one cause, whatever their names. */
const oneCause: ReadonlySet<CauseCode> = new Set([
  ...(['shape/header-order', 'shape/header-case', 'shape/key-order', 'shape/json-spelling'] as const),
  ...(['shape/json-spacing', 'shape/event-form', 'transport/http', 'response/rebuilt'] as const),
  ...(['response/cut-off', 'client/other-version', 'response/id-changed', 'transport/target'] as const),
]);

/** What a finding is about: a variable, or the last name of its first place. */
function nameOf(finding: Finding): string {
  if (finding.kind === 'disagrees' || finding.kind === 'repeated') return baseName(finding.variable);
  return lastName(finding.places[0]?.path ?? []);
}
