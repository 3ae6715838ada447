import { expect, it } from 'vitest';
import { type Finding, findingOf } from '../../src/diff/finding.ts';
import { allUnfinished, verdictOf } from '../../src/diff/verdict.ts';
import { jsonValue } from '../../src/golden/match/mismatch.ts';
import { ctrfReport } from '../../src/report/ctrf.ts';
import { firstScreen } from '../../src/report/first-screen.ts';
import type { Gate } from '../../src/report/gate.ts';
import { githubReport, githubSummary } from '../../src/report/github.ts';
import { junitReport } from '../../src/report/junit.ts';
import { passes, type Report } from '../../src/report/report.ts';
import { textReport } from '../../src/report/text.ts';
import { jsonString } from '../../src/wire/json.ts';

function addedHeader(name: string, accepted?: string): Finding {
  const finding = findingOf('parity', {
    kind: 'added',
    places: [{ exchange: 1, side: 'client', part: 'handshake', path: [name] }],
    actual: jsonValue(jsonString('a')),
  });
  return accepted === undefined ? finding : { ...finding, accepted };
}

const id = { codex: '0.169.0', lane: 'chatgpt' };
const failure = { type: 'failed', reason: 'it died', accepted: 'ticket 8' } as const;
const problem = { line: 7, type: 'unused', text: 'known.yaml, line 7: a/b does not occur any more' } as const;

function reportOf(findings: readonly Finding[], gate: Gate): Report {
  const scenarios = [
    { ...id, scenario: 'fast', ...verdictOf(findings, {}) },
    { ...id, scenario: 'flex', ...verdictOf([], allUnfinished(failure)) },
  ];
  return { subject: 'mine', driver: 'replay', scenarios, gate };
}

const baseline = { file: 'known.yaml', entries: [], problems: [] };
const green = reportOf([addedHeader('x-accepted', 'ticket 7'), addedHeader('x-mild')], {
  failOn: 'breaks',
  baseline,
});
const red = reportOf([addedHeader('x-accepted', 'ticket 7')], {
  failOn: 'shape',
  baseline: { ...baseline, problems: [problem] },
});

it('passes if everything is accepted or milder than what counts, and the baseline has no problem', () => {
  expect([passes(green), passes(red)]).toEqual([true, false]);
  expect(passes({ ...green, gate: { failOn: 'shape', baseline } })).toBe(false);
});

it('says on the first screen what did not count, and what is wrong with the baseline', () => {
  expect(firstScreen(green).split('\n')[0]).toBe(
    'mine vs codex 0.169.0 · nothing that counts in 2 scenarios · 1 failed · 1 finding and 1 failed scenario accepted in known.yaml · 1 finding below --fail-on breaks',
  );
  expect(firstScreen(green)).toContain('· scenario/failed  accepted  0.169.0 flex: it died\n');
  expect(firstScreen(red)).toContain('✗ baseline  known.yaml, line 7: a/b does not occur any more\n');
});

it('says in the verbose text what is accepted, and what is wrong with the baseline', () => {
  expect(textReport(green)).toContain('\n  accepted ticket 7\n');
  expect(textReport(red)).toContain('\n\nknown.yaml, line 7: a/b does not occur any more\n\n');
});

it('names in the verbose text the traces that were kept', () => {
  const scenarios = green.scenarios.map((scenario) => ({
    ...scenario,
    ...(scenario.scenario === 'fast' ? { traces: [{ client: 'a.jsonl', upstream: 'b.jsonl' }] } : {}),
  }));
  expect(textReport(green)).not.toContain('traces: ');
  expect(textReport({ ...green, scenarios })).toContain('\n\ntraces: 0.169.0 fast: a.jsonl, b.jsonl\n\n');
});

it('skips in JUnit what does not count, and fails for problems with the baseline', () => {
  expect(junitReport(green)).not.toMatch(/<(?:failure|error) /);
  expect(junitReport(green)).toContain('<skipped message="accepted: ticket 7; below --fail-on breaks"/>');
  expect(junitReport(green)).toContain('<skipped message="accepted: ticket 8: it died"/>');
  expect(junitReport(green)).toContain('<testcase classname="mine known.yaml" name="all entries are used"/>');
  expect(junitReport(red)).toContain(
    `<testsuite name="mine known.yaml" tests="1" failures="1" errors="0" skipped="0">\n` +
      `    <testcase classname="mine known.yaml" name="line 7">\n      <failure message="${problem.text}"/>`,
  );
});

it('annotates in GitHub only what is not accepted, and problems at their lines, before all else', () => {
  expect(githubReport(green)).not.toMatch(/^::(?:error|warning)/m);
  expect(githubReport(green)).not.toContain('x-accepted');
  const many = Array.from({ length: 12 }, (_, number) => addedHeader(`x-${number}`));
  const { gate } = red;
  expect(githubReport(reportOf(many, gate ?? green.gate ?? { failOn: 'shape' }))).toMatch(
    /^::error title=codex-parity%3A baseline,file=known\.yaml,line=7::known\.yaml, line 7: a\/b does not occur any more\n/,
  );
  expect(githubSummary(red)).toContain('- known.yaml, line 7: a/b does not occur any more\n');
});

it('counts problems with the baseline as failed tests in CTRF', () => {
  expect(JSON.parse(ctrfReport(red)).results).toMatchObject({
    summary: { tests: 3, passed: 1, failed: 1, other: 1 },
    tests: [
      { name: 'fast', status: 'passed' },
      { name: 'flex', status: 'other' },
      { name: 'line 7', suite: ['mine', 'known.yaml'], status: 'failed', message: problem.text },
    ],
  });
});
