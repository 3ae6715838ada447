import { codeOf } from '../diff/cause-code.ts';
import { type Comparison, comparisons } from '../diff/comparison.ts';
import { type Finding, isOf } from '../diff/finding.ts';
import type { Verdict } from '../diff/verdict.ts';
import { terminalLine, xmlText } from './escape.ts';
import { counts, type Gate, strictGate } from './gate.ts';
import type { Report, ReportedScenario } from './report.ts';
import { findingText, wordsOf } from './text.ts';

/**
 * JUnit XML, as CI systems read it: a suite for each scenario, a test case for each comparison. What failed is an error.
 * What was not checked is skipped, and so is what does not count, as expected failures are elsewhere. A suite for the
 * baseline has what is wrong with it.
 */
export function junitReport({ subject, scenarios, gate = strictGate }: Report): string {
  const suites = scenarios.map((result) => {
    const name = `${subject} ${result.codex} ${result.lane} ${result.scenario}`;
    const cases = comparisons.flatMap((comparison) => {
      const verdict = result.comparisons[comparison];
      if (verdict === undefined) return [];
      const start = `    <testcase classname="${xmlText(name)}" name="${comparison}"`;
      const content = caseContent(result, { comparison, verdict }, gate);
      return content === undefined ? `${start}/>` : `${start}>\n      ${content}\n    </testcase>`;
    });
    const number = (element: string) => cases.filter((text) => text.includes(`<${element} `)).length;
    const attributes = [
      ['tests', cases.length],
      ['failures', number('failure')],
      ['errors', number('error')],
      ['skipped', number('skipped')],
      ...timesOf(result),
    ].map(([key, value]) => `${key}="${value}"`);
    const start = `  <testsuite name="${xmlText(name)}" ${attributes.join(' ')}>`;
    return [start, ...cases, '  </testsuite>'].join('\n');
  });
  const all = [...suites, ...baselineSuites(subject, gate)];
  return `${['<?xml version="1.0" encoding="UTF-8"?>', '<testsuites>', ...all, '</testsuites>'].join('\n')}\n`;
}

function baselineSuites(subject: string, { baseline }: Gate): string[] {
  if (baseline === undefined) return [];
  const { file, problems } = baseline;
  const name = xmlText(`${subject} ${file}`);
  const tests = Math.max(1, problems.length);
  return [
    `  <testsuite name="${name}" tests="${tests}" failures="${problems.length}" errors="0" skipped="0">`,
    ...(problems.length > 0 ? [] : [`    <testcase classname="${name}" name="all entries are used"/>`]),
    ...problems.map(
      ({ line, text }) =>
        `    <testcase classname="${name}" name="line ${line}">\n      <failure message="${xmlText(text)}"/>\n    </testcase>`,
    ),
    '  </testsuite>',
  ];
}

function timesOf({ started, duration }: ReportedScenario): [string, string][] {
  if (started === undefined || duration === undefined) return [];
  return [
    ['time', (duration / 1000).toFixed(3)],
    ['timestamp', new Date(started).toISOString().slice(0, 19)],
  ];
}

/** What a test case contains; undefined if it passed. Its message names the causes. */
function caseContent(
  { findings, scenario }: ReportedScenario,
  { comparison, verdict }: { readonly comparison: Comparison; readonly verdict: Verdict },
  gate: Gate,
): string | undefined {
  switch (verdict.type) {
    case 'ok':
      return undefined;
    case 'findings': {
      const all = findings.filter((finding) => isOf(comparison, finding));
      const own = all.filter((finding) => counts(finding, gate));
      if (own.length === 0) return `<skipped message="${xmlText(skippedText(all, gate))}"/>`;
      const message = own
        .map((finding) => terminalLine(`${codeOf(finding)} at ${wordsOf(finding).places[0]}`))
        .join('; ');
      const text = own.map((finding) => findingText(scenario, finding)).join('\n\n');
      return `<failure message="${xmlText(message)}">${xmlText(text)}</failure>`;
    }
    case 'failed':
      if (verdict.accepted !== undefined)
        return `<skipped message="${xmlText(`accepted: ${verdict.accepted}: ${verdict.reason}`)}"/>`;
      return `<error message="${xmlText(verdict.reason)}"/>`;
    case 'not checked':
      return `<skipped message="${xmlText(verdict.reason)}"/>`;
  }
}

/** Why none of the findings of a comparison counts. */
function skippedText(findings: readonly Finding[], { failOn }: Gate): string {
  const texts = findings.map(({ accepted }) =>
    accepted === undefined ? `below --fail-on ${failOn}` : `accepted: ${accepted}`,
  );
  return [...new Set(texts)].join('; ');
}
