import { count, onOneLine, table } from '../report/text.ts';
import { findingsIn, type Tally, type TierSummary, total } from './summary.ts';

/** What was measured, and where. */
export type TierReport = {
  readonly codex: string;
  readonly lane: string;
  readonly backend: 'live' | 'simulated';
  readonly upstream: string;
  readonly model: string;
  readonly prompt: string;
  readonly tiers: readonly TierSummary[];
};

/** For a person. */
export function tierText(report: TierReport): string {
  const { codex, lane, backend, upstream, model, tiers } = report;
  const rows = tiers.map((tier) => [
    tier.asked,
    tallyText(tier.sentTiers),
    tallyText(tier.sentHints),
    tallyText(tier.echoed),
    String(tier.runs),
    String(tier.failures.length),
    milliseconds(tier.firstTokenMs),
    milliseconds(tier.totalMs),
  ]);
  const failures = tiers.flatMap(({ asked, failures: reasons }) =>
    reasons.map((reason) => `failed: ${asked}: ${reason}`),
  );
  const findings = findingsIn(tiers);
  const where =
    backend === 'live'
      ? `${upstream}, codex ${codex}, ${lane}, model ${model}`
      : `the simulated backend, codex ${codex}, model ${model}: its times say nothing about OpenAI's`;
  const parts = [
    [where],
    [table([columns, ...rows])],
    failures,
    [ratios(tiers)],
    findings.map((finding) => `finding: ${finding}`),
    [
      findings.length === 0
        ? 'what was sent is what was asked'
        : `what was sent is not what was asked: ${count(findings.length, 'finding')}`,
    ],
  ];
  return `${parts
    .filter((lines) => lines.length > 0)
    .map((lines) =>
      lines
        .flatMap((line) => line.split('\n'))
        .map(onOneLine)
        .join('\n'),
    )
    .join('\n\n')}\n`;
}

const columns = [
  'tier asked',
  'service_tier sent',
  'routing hint sent',
  'echoed by backend (proves nothing)',
  'runs',
  'failed',
  'first token median (ms)',
  'total median (ms)',
] as const;

/** For programs. */
export function tierJson(report: TierReport): string {
  const findings = findingsIn(report.tiers);
  const document = { format: 'codex-parity/bench-tier', version: 1, ...report, findings };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function ratios(tiers: readonly TierSummary[]): string {
  const ratio = (key: 'firstTokenMs' | 'totalMs') => {
    const [omitted = null, priority = null] = tiers.map((tier) => tier[key]);
    return omitted === null || priority === null ? 'not measured' : (priority / omitted).toFixed(2);
  };
  return `priority to omitted: first token ${ratio('firstTokenMs')}, total ${ratio('totalMs')}`;
}

function tallyText(of: Tally): string {
  if (of.length === 0) return 'none';
  return of.map(({ value, count: number }) => `${value ?? 'absent'} (${number} of ${total(of)})`).join(', ');
}

function milliseconds(value: number | null): string {
  return value === null ? '-' : value.toFixed(0);
}
