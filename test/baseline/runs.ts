import type { BaselineRun } from '../../src/baseline/apply-baseline.ts';
import { type Finding, findingOf } from '../../src/diff/finding.ts';
import { allUnfinished, verdictOf } from '../../src/diff/verdict.ts';
import { jsonValue, requestValue } from '../../src/golden/match/mismatch.ts';
import type { ReportedScenario } from '../../src/report/report.ts';
import { jsonString } from '../../src/wire/json.ts';

/** The finding that a request has no header of this name. */
export function missingHeader(name: string): Finding {
  return findingOf('parity', {
    kind: 'missing',
    places: [{ exchange: 1, side: 'client', part: 'handshake', path: [name] }],
    expected: jsonValue(jsonString('a')),
  });
}

/** The finding that no request reached the backend. */
export const nothingUpstream: Finding = {
  ...findingOf('parity', {
    kind: 'missing',
    places: [{ exchange: 1, side: 'client', part: 'exchange', path: [] }],
    expected: requestValue({ method: 'GET', target: jsonString('/') }),
  }),
  cause: { type: 'nothing upstream', subject: 'mine', url: 'http://127.0.0.1:1/' },
};

/** What came out of a scenario: findings, or the reason why it has no verdict. */
type Outcome = readonly Finding[] | 'failed' | 'not checked';

/** A scenario by its version and name, such as `0.169.0 fast`, or by version, lane and name. */
export function scenario(title: string, outcome: Outcome): ReportedScenario {
  const [codex = '', ...rest] = title.split(' ');
  const [name = '', lane = 'chatgpt'] = rest.reverse();
  const verdict =
    typeof outcome === 'string'
      ? verdictOf([], allUnfinished({ type: outcome, reason: 'it died' }))
      : verdictOf(outcome, {});
  return { codex, lane, scenario: name, ...verdict };
}

/** A run of everything, unless the options say otherwise. */
export function runOf(
  outcomes: Readonly<Record<string, Outcome>>,
  options: Partial<Omit<BaselineRun, 'scenarios'>> = {},
): BaselineRun {
  return {
    driver: 'replay',
    selection: { coverage: 'all' },
    today: '2027-01-15',
    ...options,
    scenarios: Object.entries(outcomes).map(([title, outcome]) => scenario(title, outcome)),
  };
}
