import { comparisons } from '../diff/comparison.ts';
import { type Finding, isOf } from '../diff/finding.ts';
import { explain } from './explain.ts';
import type { Report } from './report.ts';
import { type DifferenceText, differenceText, placeText } from './values.ts';

/** For people: a table of scenarios and comparisons, then each finding. */
export function textReport({ subject, driver, scenarios }: Report): string {
  const rows = scenarios.map(({ codex, lane, scenario, findings }) => [
    `${codex} ${lane}`,
    scenario,
    ...comparisons.map((comparison) => cell(findings.filter((finding) => isOf(comparison, finding)))),
  ]);
  const found = scenarios.flatMap(({ findings, ...id }) =>
    findings.map((finding) => findingText(titleOf(id), finding)),
  );
  const total = scenarios.reduce((sum, { findings }) => sum + findings.length, 0);
  const verdict =
    total === 0
      ? `parity: ${subject} sends what the official client sends (${count(scenarios.length, 'scenario')}, driver ${driver})`
      : `no parity: ${count(total, 'finding')} for ${subject} (${count(scenarios.length, 'scenario')}, driver ${driver})`;
  return `${[table([['codex', 'scenario', ...comparisons], ...rows]), ...found, verdict].join('\n\n')}\n`;
}

/** The title of a scenario: version, lane unless it is `chatgpt`, name. */
export function titleOf({ codex, lane, scenario }: Omit<Report['scenarios'][number], 'findings'>): string {
  return [codex, ...(lane === 'chatgpt' ? [] : [lane]), scenario].join(' ');
}

/** A finding in words: its places, both sides, and why it matters. */
export type FindingWords = DifferenceText & { readonly places: readonly string[]; readonly why: string };

export function wordsOf(finding: Finding): FindingWords {
  const places = finding.places.map(placeText);
  return { places, ...differenceText(finding), why: explain(finding) };
}

/** A finding as text: kind and place first, then both sides, then why it matters. */
export function findingText(where: string, finding: Finding): string {
  const { severity, kind, also = [] } = finding;
  const { places, expected, actual, why } = wordsOf(finding);
  const [place = '', ...further] = places;
  return [
    `${severity}: ${where} › ${place}: ${kind}`,
    ...further.map((other) => `  also at  ${other}`),
    ...(expected === null ? [] : [`  expected ${expected}`]),
    ...(actual === null ? [] : [`  actual   ${actual}`]),
    `  why      ${why}`,
    ...also.map((comparison) => `  breaks   ${comparison} too`),
  ]
    .map(onOneLine)
    .join('\n');
}

/** Escapes what a subject sent, so that it can neither break a line nor control the terminal. */
export function onOneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to be shown
  const control = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;
  return text.replaceAll(control, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((text, column) => text.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

function cell(findings: readonly Finding[]): string {
  return findings.length === 0 ? 'ok' : count(findings.length, 'finding');
}
