import { comparisons } from '../diff/comparison.ts';
import { isOf } from '../diff/finding.ts';
import type { Report } from './report.ts';
import { findingText, wordsOf } from './text.ts';

/** JUnit XML, as CI systems read it: a suite for each scenario, a test case for each comparison. */
export function junitReport({ subject, scenarios }: Report): string {
  const suites = scenarios.map(({ codex, lane, scenario, findings }) => {
    const name = `${subject} ${codex} ${lane} ${scenario}`;
    const failures = comparisons.filter((comparison) => findings.some((one) => isOf(comparison, one)));
    const cases = comparisons.map((comparison) => {
      const own = findings.filter((finding) => isOf(comparison, finding));
      const start = `    <testcase classname="${escaped(name)}" name="${comparison}"`;
      if (own.length === 0) return `${start}/>`;
      const message = own.map((finding) => `${wordsOf(finding).places[0]}: ${finding.kind}`).join('; ');
      const text = own.map((finding) => findingText(scenario, finding)).join('\n\n');
      return `${start}>\n      <failure message="${escaped(message)}">${escaped(text)}</failure>\n    </testcase>`;
    });
    const head = `  <testsuite name="${escaped(name)}" tests="${comparisons.length}" failures="${failures.length}">`;
    return [head, ...cases, '  </testsuite>'].join('\n');
  });
  return `${['<?xml version="1.0" encoding="UTF-8"?>', '<testsuites>', ...suites, '</testsuites>'].join('\n')}\n`;
}

function escaped(text: string): string {
  // XML 1.0 has no spelling for most control characters, nor for halves of a character.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to be taken out
  const unprintable = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;
  return text
    .toWellFormed()
    .replaceAll(unprintable, '�')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\t', '&#9;')
    .replaceAll('\r', '&#13;')
    .replaceAll('\n', '&#10;');
}
