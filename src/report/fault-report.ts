import type { SeenEnd } from '../diff/client-view.ts';
import { type FaultResult, type FaultStep, faultSteps, type SkippedScenario } from '../diff/judge-view.ts';
import { count } from './count.ts';
import { terminalLine } from './escape.ts';

/** The results of a subject whose backend fails. */
export type FaultReport = {
  readonly subject: string;
  readonly codex: string;
  readonly lane: string;
  readonly results: readonly FaultResult[];
  readonly skipped: readonly SkippedScenario[];
};

/** Whether every client saw what it sees directly, or a failure that lost nothing. */
export function toleratesFaults({ results }: Pick<FaultReport, 'results'>): boolean {
  return results.every(({ verdict }) => verdict.type !== 'wrong');
}

/** The first line of the report, a line for each fault that went wrong, by what went wrong, and one for each scenario that was not played. */
export function faultScreen(report: FaultReport): string {
  const { subject, codex, lane, results, skipped } = report;
  const wrong = results.flatMap(({ verdict, ...result }) =>
    verdict.type === 'wrong' ? verdict.problems.map((problem) => ({ problem, result })) : [],
  );
  const scenarios = count(new Set(results.map(({ scenario }) => scenario)).size, 'scenario');
  const faults = count(results.length, 'fault');
  const verdict = toleratesFaults(report)
    ? `${faults} in ${scenarios}: nothing lost, doubled, reordered or mixed`
    : `${results.filter((one) => one.verdict.type === 'wrong').length} of ${faults} in ${scenarios} go wrong`;
  const groups = Map.groupBy(wrong, ({ problem }) => problem);
  const lines = [...groups].flatMap(([problem, cases]) => [
    `✗ ${problem}`,
    ...cases.slice(0, mostCases).map(({ result }) => `    ${result.scenario}: ${result.fault}`),
    ...(cases.length > mostCases ? [`    and ${cases.length - mostCases} more`] : []),
  ]);
  const notPlayed = skipped.map(({ scenario, reason }) => `not played: ${scenario} (${reason})`);
  const client = lane === 'chatgpt' ? codex : `${codex}, lane ${lane}`;
  return [`${subject} with faults vs codex ${client} · ${verdict}`, ...lines, ...notPlayed, '']
    .map(terminalLine)
    .join('\n');
}

/** How many faults with one problem are listed. */
const mostCases = 3;

/** What a client of the subject sees of each fault, as a table in Markdown: one for each scenario. */
export function faultTables({ results }: Pick<FaultReport, 'results'>): string {
  const scenarios = Map.groupBy(results, ({ scenario }) => scenario);
  return [...scenarios].map(([scenario, list]) => `### ${scenario}\n\n${faultTable(list)}`).join('\n\n');
}

const stepNames: Readonly<Record<FaultStep, string>> = {
  handshake: 'at the TLS handshake',
  token: 'at the token endpoint',
  once: 'at the first request',
  request: 'at every request',
  first: 'before the first message',
  middle: 'in the middle',
  last: 'before the last',
};

function faultTable(results: readonly FaultResult[]): string {
  const kinds = [...new Set(results.map(({ what }) => what))];
  const steps = faultSteps.filter((step) => results.some((one) => one.step === step));
  const rows = kinds.map((what) => [
    `\`${what}\``,
    ...steps.map((step) => {
      const result = results.find((one) => one.what === what && one.step === step);
      return result === undefined ? '–' : faultCell(result);
    }),
  ]);
  const table = [['fault', ...steps.map((step) => stepNames[step])], ...rows];
  const widths = ['', ...steps].map((_, at) => Math.max(...table.map((row) => row[at]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`;
  return [line(table[0] ?? []), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

/** What a client of the subject sees of a fault: `same` is what it sees directly. */
export function faultCell({ verdict }: FaultResult): string {
  if (verdict.type === 'wrong') return `**${verdict.problems.join('; ')}**`;
  return verdict.type === 'reported' ? endNames(verdict.end) : verdict.type;
}

function endNames(end: SeenEnd): string {
  if (end === 'refused') return 'refused with 5xx';
  return end === 'lost' ? 'connection ends' : end;
}
