import { type Severity, severityOf } from '../diff/severity.ts';
import { githubMessage, githubProperty, terminalLine } from './escape.ts';
import { counts, notCounted, strictGate } from './gate.ts';
import {
  clientNotes,
  hasParity,
  passes,
  type Report,
  titleOf,
  titlesText,
  unfinishedGroups,
} from './report.ts';
import { wordsOf } from './text.ts';

/** The annotations of GitHub Actions. */
const levels: Readonly<Record<Severity, string>> = { breaks: 'error', identity: 'warning', shape: 'notice' };

/** Workflow commands of GitHub Actions: annotations for findings, and for what has no verdict. */
export function githubReport(report: Report): string {
  const { subject, scenarios, gate = strictGate } = report;
  const lines = scenarios.flatMap(({ findings, ...id }) =>
    findings
      .filter(({ accepted }) => accepted === undefined)
      .map((finding) => {
        const { kind, also = [] } = finding;
        const { places, expected, actual, why } = wordsOf(finding);
        const [place = '', ...further] = places;
        const title = `codex-parity: ${titleOf(id)}: ${kind}`;
        const values = [`expected: ${expected ?? 'nothing'}`, `actual: ${actual ?? 'nothing'}`];
        const both = also.map((comparison) => `breaks ${comparison} too`);
        const text = [place, ...further.map((other) => `also at: ${other}`), ...values, why, ...both]
          .map(terminalLine)
          .join('\n');
        const level = counts(finding, gate) ? levels[severityOf(finding)] : 'notice';
        return `::${level} title=${githubProperty(title)}::${githubMessage(text)}`;
      }),
  );
  for (const group of unfinishedGroups(report)) {
    const { type, reason } = group.verdict;
    const isError = type === 'failed' && group.verdict.accepted === undefined;
    const title = `codex-parity: ${titlesText(group)}: ${type}`;
    lines.push(
      `::${isError ? 'error' : 'notice'} title=${githubProperty(title)}::${githubMessage(terminalLine(reason))}`,
    );
  }
  const { baseline } = gate;
  for (const { line, text } of baseline?.problems ?? []) {
    const place = `file=${githubProperty(baseline?.file ?? '')},line=${line}`;
    lines.push(`::error title=codex-parity: baseline,${place}::${githubMessage(terminalLine(text))}`);
  }
  const result = hasParity(report) ? 'parity' : notCounted(scenarios, gate).join(', ');
  const notices = [...clientNotes(report), ...(passes(report) ? [`${subject}: ${result}`] : [])];
  for (const notice of notices)
    lines.push(`::notice title=codex-parity::${githubMessage(terminalLine(notice))}`);
  return `${lines.join('\n')}\n`;
}
