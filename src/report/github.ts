import { clientNotes, hasParity, type Report, titleOf, titlesText, unfinishedGroups } from './report.ts';
import { onOneLine, wordsOf } from './text.ts';

/** Workflow commands of GitHub Actions: annotations for findings, and for what has no verdict. */
export function githubReport(report: Report): string {
  const { subject, scenarios } = report;
  const lines = scenarios.flatMap(({ findings, ...id }) =>
    findings.map((finding) => {
      const { severity, kind, also = [] } = finding;
      const { places, expected, actual, why } = wordsOf(finding);
      const [place = '', ...further] = places;
      const title = `codex-parity: ${titleOf(id)}: ${kind}`;
      const values = [`expected: ${expected ?? 'nothing'}`, `actual: ${actual ?? 'nothing'}`];
      const both = also.map((comparison) => `breaks ${comparison} too`);
      const text = [place, ...further.map((other) => `also at: ${other}`), ...values, why, ...both]
        .map(onOneLine)
        .join('\n');
      return `::${severity} title=${property(title)}::${data(text)}`;
    }),
  );
  for (const group of unfinishedGroups(report)) {
    const { type, reason } = group.verdict;
    const title = `codex-parity: ${titlesText(group)}: ${type}`;
    lines.push(
      `::${type === 'failed' ? 'error' : 'notice'} title=${property(title)}::${data(onOneLine(reason))}`,
    );
  }
  for (const note of clientNotes(report)) lines.push(`::notice title=codex-parity::${data(onOneLine(note))}`);
  if (hasParity(report)) lines.push(`::notice title=codex-parity::${data(`${subject}: parity`)}`);
  return `${lines.join('\n')}\n`;
}

function data(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
