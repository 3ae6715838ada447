import { type Cause, reportCauses } from '../diff/report-causes.ts';
import type { Severity } from '../diff/severity.ts';
import { causeWriter } from './cause-words.ts';
import { count } from './count.ts';
import { githubMessage, githubProperty, markdownCode, markdownText, terminalLine } from './escape.ts';
import { firstLine } from './first-screen.ts';
import { counts, notCounted, strictGate } from './gate.ts';
import { clientNotes, hasParity, passes, type Report, titlesText, unfinishedGroups } from './report.ts';

/** The annotations of GitHub Actions. */
const levels: Readonly<Record<Severity, Level>> = { breaks: 'error', identity: 'warning', shape: 'notice' };
type Level = 'error' | 'warning' | 'notice';

/** GitHub shows no more of a step: ten of each level. */
const mostAnnotations = 10;

type Annotation = {
  readonly level: Level;
  readonly title: string;
  readonly lines: readonly string[];
  /** A place in the repository. */
  readonly at?: { readonly file: string; readonly line: number };
};

/** Workflow commands of GitHub Actions: at most ten annotations, of causes and of what has no verdict. */
export function githubReport(report: Report): string {
  const all = annotations(report);
  const hidden = all.length - mostAnnotations;
  const shown =
    hidden > 0
      ? [
          ...all.slice(0, mostAnnotations - 1),
          {
            level: 'notice' as const,
            title: `${count(hidden + 1, 'further annotation')}`,
            lines: ['The summary of the step has all causes.'],
          },
        ]
      : all;
  return shown
    .map(({ level, title, lines, at }) => {
      const name = ['codex-parity', ...(title === '' ? [] : [title])].join(': ');
      const place = at === undefined ? '' : `,file=${githubProperty(at.file)},line=${at.line}`;
      return `::${level} title=${githubProperty(name)}${place}::${githubMessage(lines.map(terminalLine).join('\n'))}\n`;
    })
    .join('');
}

function annotations(report: Report): Annotation[] {
  const { subject, scenarios, gate = strictGate } = report;
  const words = causeWriter(report);
  const isCounted = ({ cells }: Cause) =>
    cells.some(({ findings }) => findings.some((finding) => counts(finding, gate)));
  const open = reportCauses(scenarios).filter(({ accepted }) => accepted === undefined);
  const result = hasParity(report) ? 'parity' : notCounted(scenarios, gate).join(', ');
  const notices = [...clientNotes(report), ...(passes(report) ? [`${subject}: ${result}`] : [])];
  const { baseline } = gate;
  return [
    ...(baseline?.problems ?? []).map(
      ({ line, text }): Annotation => ({
        ...{ level: 'error', title: 'baseline', lines: [text] },
        at: { file: baseline?.file ?? '', line },
      }),
    ),
    ...open.map((cause): Annotation => {
      const { title, where, place, expected, actual, why, fix } = words(cause);
      const values = [`expected: ${expected ?? 'nothing'}`, `actual: ${actual ?? 'nothing'}`];
      return {
        level: isCounted(cause) ? levels[cause.severity] : 'notice',
        title: cause.code,
        lines: [`${title} (${where})`, `at: ${place}`, ...values, `why: ${why}`, `fix: ${fix}`],
      };
    }),
    ...unfinishedGroups(report).map((group): Annotation => {
      const { type, reason } = group.verdict;
      const isError = type === 'failed' && group.verdict.accepted === undefined;
      const level = isError ? 'error' : 'notice';
      return { level, title: `${titlesText(group)}: ${type}`, lines: [reason] };
    }),
    ...notices.map((notice): Annotation => ({ level: 'notice', title: '', lines: [notice] })),
  ];
}

/** The summary of a step, in Markdown: every cause. */
export function githubSummary(report: Report): string {
  const words = causeWriter(report);
  const rows = reportCauses(report.scenarios).map((cause) => {
    const { title, where, effect } = words(cause);
    const accepted = cause.accepted === undefined ? '' : ` (accepted: ${cause.accepted})`;
    const cells = [cause.severity, title, where, `${effect ?? ''}${accepted}`].map(markdownText);
    return `| ${markdownCode(cause.code)} | ${cells.join(' | ')} |`;
  });
  const table = [
    '| code | severity | what | scenarios | effect |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ];
  const unfinished = unfinishedGroups(report).map(
    (group) => `- ${group.verdict.type}: ${markdownText(`${titlesText(group)}: ${group.verdict.reason}`)}`,
  );
  const problems = (report.gate?.baseline?.problems ?? []).map(({ text }) => `- ${markdownText(text)}`);
  return `${[
    `## ${markdownText(firstLine(report))}`,
    ...(rows.length === 0 ? [] : [table.join('\n')]),
    ...(unfinished.length === 0 ? [] : [unfinished.join('\n')]),
    ...(problems.length === 0 ? [] : [problems.join('\n')]),
  ].join('\n\n')}\n`;
}
