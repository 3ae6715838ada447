import type { Report } from './report.ts';

/** For programs: the report as it is, with the verdict. */
export function jsonReport(report: Report): string {
  const parity = report.scenarios.every(({ findings }) => findings.length === 0);
  return `${JSON.stringify({ format: 'codex-parity/report', version: 1, parity, ...report }, null, 2)}\n`;
}
