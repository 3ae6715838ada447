import { count } from '../report/count.ts';
import { jsonText, terminalLine } from '../report/escape.ts';
import { table } from '../report/text.ts';
import { connections } from './measure-tiers.ts';
import { httpTurns, type Tally, type TierSummary, tierFindings, total } from './tier-summary.ts';

/** A measurement, and where it was made. */
export type TierReport = {
  readonly codex: string;
  readonly lane: string;
  readonly backend: 'live' | 'simulated';
  readonly upstream: string;
  readonly model: string;
  readonly prompt: string;
  readonly tiers: readonly TierSummary[];
};

/** The report as text for a terminal. */
export function tierText(report: TierReport): string {
  const { tiers } = report;
  const failures = tiers.flatMap(({ tier, connection, failures: reasons }) =>
    reasons.map((reason) => `failed: ${tier}, ${connection} connection: ${reason}`),
  );
  // For priority it is a finding.
  const notes = tiers
    .filter(({ tier }) => tier !== 'priority')
    .flatMap((summary) =>
      httpTurns(summary).map((turns) => `note: ${summary.tier}, ${summary.connection} connection: ${turns}`),
    );
  const findings = tierFindings(tiers);
  const verdict =
    findings.length === 0
      ? 'every request was sent with the requested tier'
      : `not every request was sent as its tier requires: ${count(findings.length, 'finding')}`;
  const paragraphs = [
    [headline(report)],
    table([columns, ...tiers.map(row)]).split('\n'),
    failures,
    connections.map((connection) => ratios(tiers.filter((summary) => summary.connection === connection))),
    notes,
    findings.map((finding) => `finding: ${finding}`),
    [verdict],
  ];
  return `${paragraphs
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.map(terminalLine).join('\n'))
    .join('\n\n')}\n`;
}

/** The report as JSON. */
export function tierJson({ tiers, ...report }: TierReport): string {
  const document = {
    format: 'codex-parity/bench-tier',
    version: 3,
    ...report,
    tiers: tiers.map(({ tier, ...summary }) => ({ requested: tier, ...summary })),
    findings: tierFindings(tiers),
  };
  return jsonText(document);
}

function headline({ backend, upstream, codex, lane, model }: TierReport): string {
  if (backend === 'live') return `${upstream}, codex ${codex}, ${lane}, model ${model}`;
  return `simulated backend, codex ${codex}, model ${model}; these times say nothing about OpenAI's backend`;
}

const columns = [
  'requested tier',
  'connection',
  'transport',
  'service_tier sent (with prewarms)',
  'routing hint sent',
  'tier in response (proves nothing)',
  'turns',
  'failed',
  'median first token (ms)',
  'median total (ms)',
] as const;

function row(summary: TierSummary): string[] {
  return [
    summary.tier,
    summary.connection,
    tallyText(summary.transports),
    tallyText(summary.sentTiers),
    tallyText(summary.sentHints),
    tallyText(summary.echoed),
    String(summary.runs),
    String(summary.failures.length),
    milliseconds(summary.firstTokenMs),
    milliseconds(summary.totalMs),
  ];
}

function ratios(tiers: readonly TierSummary[]): string {
  const ratio = (key: 'firstTokenMs' | 'totalMs') => {
    const [omitted = null, priority = null] = tiers.map((summary) => summary[key]);
    return omitted === null || priority === null ? 'not measured' : (priority / omitted).toFixed(2);
  };
  const [{ connection } = { connection: 'new' }] = tiers;
  return `ratio priority to default, ${connection} connection: first token ${ratio('firstTokenMs')}, total ${ratio('totalMs')}`;
}

function tallyText(values: Tally): string {
  if (values.length === 0) return 'none';
  return values
    .map(({ value, count: number }) => `${value ?? 'absent'} (${number} of ${total(values)})`)
    .join(', ');
}

function milliseconds(value: number | null): string {
  return value === null ? '-' : value.toFixed(0);
}
