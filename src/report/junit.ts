import { type Comparison, comparisons } from '../diff/comparison.ts';
import { isOf } from '../diff/finding.ts';
import type { Verdict } from '../diff/verdict.ts';
import { terminalLine, xmlText } from './escape.ts';
import type { Report, ReportedScenario } from './report.ts';
import { findingText, wordsOf } from './text.ts';

/**
 * JUnit XML, as CI systems read it: a suite for each scenario, a test case for each comparison. What failed is an error,
 * and what was not checked is skipped.
 */
export function junitReport({ subject, scenarios }: Report): string {
  const suites = scenarios.map((result) => {
    const name = `${subject} ${result.codex} ${result.lane} ${result.scenario}`;
    const cases = comparisons.map((comparison) => {
      const start = `    <testcase classname="${xmlText(name)}" name="${comparison}"`;
      const content = caseContent(result, comparison);
      return content === undefined ? `${start}/>` : `${start}>\n      ${content}\n    </testcase>`;
    });
    const number = (type: Verdict['type']) =>
      comparisons.filter((comparison) => result.comparisons[comparison].type === type).length;
    const numbers = [
      ['tests', comparisons.length],
      ['failures', number('findings')],
      ['errors', number('failed')],
      ['skipped', number('not checked')],
    ].map(([key, value]) => `${key}="${value}"`);
    return [`  <testsuite name="${xmlText(name)}" ${numbers.join(' ')}>`, ...cases, '  </testsuite>'].join(
      '\n',
    );
  });
  return `${['<?xml version="1.0" encoding="UTF-8"?>', '<testsuites>', ...suites, '</testsuites>'].join('\n')}\n`;
}

/** What a test case contains; undefined if it passed. */
function caseContent({ comparisons, findings, scenario }: ReportedScenario, comparison: Comparison) {
  const verdict = comparisons[comparison];
  switch (verdict.type) {
    case 'ok':
      return undefined;
    case 'findings': {
      const own = findings.filter((finding) => isOf(comparison, finding));
      const message = own
        .map((finding) => terminalLine(`${wordsOf(finding).places[0]}: ${finding.kind}`))
        .join('; ');
      const text = own.map((finding) => findingText(scenario, finding)).join('\n\n');
      return `<failure message="${xmlText(message)}">${xmlText(text)}</failure>`;
    }
    case 'failed':
      return `<error message="${xmlText(verdict.reason)}"/>`;
    case 'not checked':
      return `<skipped message="${xmlText(verdict.reason)}"/>`;
  }
}
