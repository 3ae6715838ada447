import { codeOf } from '../diff/cause-code.ts';
import { jsonText } from './escape.ts';
import { fails, strictGate } from './gate.ts';
import type { Report, ReportedScenario } from './report.ts';
import { findingText } from './text.ts';

type CtrfStatus = 'passed' | 'failed' | 'skipped' | 'pending' | 'other';

/** Common Test Report Format (ctrf.io, version 1.0.0): a test for each scenario, and for each problem with the baseline. */
export function ctrfReport(report: Report): string {
  const { subject, driver, scenarios, gate = strictGate } = report;
  const statusOf = (scenario: ReportedScenario): CtrfStatus => {
    if (scenario.verdict.type === 'not checked') return 'skipped';
    if (fails(scenario, gate)) return 'failed';
    return scenario.verdict.type === 'failed' ? 'other' : 'passed';
  };
  const problems = gate.baseline?.problems ?? [];
  const statuses = [...scenarios.map(statusOf), ...problems.map((): CtrfStatus => 'failed')];
  const number = (status: CtrfStatus) => statuses.filter((one) => one === status).length;
  const starts = scenarios.flatMap(({ started }) => started ?? []);
  const ends = scenarios.flatMap(({ started, duration }) =>
    started === undefined || duration === undefined ? [] : [started + duration],
  );
  return jsonText({
    reportFormat: 'CTRF',
    specVersion: '1.0.0',
    generatedBy: 'codex-parity',
    results: {
      tool: { name: 'codex-parity' },
      summary: {
        tests: statuses.length,
        passed: number('passed'),
        failed: number('failed'),
        pending: 0,
        skipped: number('skipped'),
        other: number('other'),
        start: Math.min(...starts, ...(starts.length === 0 ? [0] : [])),
        stop: Math.max(0, ...ends),
      },
      tests: [
        ...scenarios.map((scenario, at) => ({
          ...testOf(subject, scenario),
          status: statuses[at],
          parameters: { driver },
        })),
        ...problems.map(({ line, text }) => ({
          name: `line ${line}`,
          suite: [subject, gate.baseline?.file ?? ''],
          ...{ status: 'failed', duration: 0, message: text },
        })),
      ],
    },
  });
}

function testOf(
  subject: string,
  { codex, lane, scenario, verdict, findings, duration = 0 }: ReportedScenario,
) {
  const codes = [...new Set(findings.map(codeOf))];
  const reason = 'reason' in verdict ? [verdict.reason] : [];
  const message = [...reason, ...(codes.length === 0 ? [] : [codes.join(', ')])].join('; ');
  return {
    name: scenario,
    suite: [subject, codex, lane],
    duration,
    ...(message === '' ? {} : { message }),
    ...(findings.length === 0
      ? {}
      : { trace: findings.map((finding) => findingText(scenario, finding)).join('\n\n'), tags: codes }),
  };
}
