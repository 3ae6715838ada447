import { codeOf } from '../diff/cause-code.ts';
import { type Comparison, comparisons } from '../diff/comparison.ts';
import { type Finding, isOf } from '../diff/finding.ts';
import { severityOf } from '../diff/severity.ts';
import type { Verdict } from '../diff/verdict.ts';
import { count } from './count.ts';
import { terminalLine } from './escape.ts';
import { explain } from './explain.ts';
import { notCounted, strictGate } from './gate.ts';
import { informationText } from './information.ts';
import {
  clientNotes,
  hasParity,
  type Report,
  type ReportedScenario,
  titleOf,
  titlesText,
  unfinishedGroups,
} from './report.ts';
import { type DifferenceText, differenceText, placeText } from './values.ts';

/** For people: a table of scenarios and comparisons, each finding, and what has no verdict. */
export function textReport(report: Report): string {
  const { scenarios } = report;
  const made = comparisons.filter((comparison) =>
    scenarios.some((scenario) => scenario.comparisons[comparison] !== undefined),
  );
  const rows = scenarios.map((result) => [
    `${result.codex} ${result.lane}`,
    result.scenario,
    ...made.map((comparison) => cell(result, comparison)),
  ]);
  const found = scenarios.flatMap(({ findings, ...id }) =>
    findings.map((finding) => findingText(titleOf(id), finding)),
  );
  const unfinished = unfinishedGroups(report).map((group) =>
    terminalLine(`${group.verdict.type}: ${titlesText(group)}: ${group.verdict.reason}`),
  );
  const notes = clientNotes(report).map((note) => terminalLine(`note: ${note}`));
  const information = scenarios.flatMap(({ information: own = [], ...id }) =>
    own.map((one) => informationText(titleOf(id), one)),
  );
  const head = ['codex', 'scenario', ...made];
  const problems = (report.gate?.baseline?.problems ?? []).map(({ text }) => terminalLine(text));
  const traces = scenarios.flatMap(({ traces: kept = [], ...id }) =>
    kept.map(({ client, upstream }) =>
      terminalLine(`traces: ${titleOf(id)}: ${client === undefined ? '' : `${client}, `}${upstream}`),
    ),
  );
  const parts = [
    ...found,
    ...unfinished,
    ...notes,
    ...(information.length === 0 ? [] : [information.join('\n')]),
    ...traces,
    ...problems,
    terminalLine(summary(report)),
  ];
  return `${[table([head, ...rows]), ...parts].join('\n\n')}\n`;
}

function summary(report: Report): string {
  const { subject, driver, scenarios, gate = strictGate } = report;
  const number = (type: Verdict['type']) => scenarios.filter(({ verdict }) => verdict.type === type).length;
  const [failed, unchecked] = [number('failed'), number('not checked')];
  const total = scenarios.reduce((sum, { findings }) => sum + findings.length, 0);
  const how = [
    count(scenarios.length, 'scenario'),
    ...(unchecked === 0 ? [] : [`${unchecked} not checked`]),
    `driver ${driver}`,
  ].join(', ');
  if (hasParity(report)) return `parity: ${subject} sends what the official client sends (${how})`;
  const faults = [
    ...(total > 0 ? [count(total, 'finding')] : []),
    ...(failed > 0 ? [count(failed, 'failed scenario')] : []),
  ].join(' and ');
  const rest = notCounted(scenarios, gate).map((text) => `; ${text}`);
  return `no parity: ${faults} for ${subject} (${how})${rest.join('')}`;
}

/** A finding in words: its places, both sides, and why it matters. */
export type FindingWords = DifferenceText & { readonly places: readonly string[]; readonly why: string };

const words = new WeakMap<Finding, FindingWords>();

/** The words of a finding. Reports of several formats ask for them. */
export function wordsOf(finding: Finding): FindingWords {
  const known = words.get(finding);
  if (known !== undefined) return known;
  const places = finding.places.map(placeText);
  const made = { places, ...differenceText(finding), why: explain(finding) };
  words.set(finding, made);
  return made;
}

/** A finding as text: kind and place first, then both sides, then why it matters. */
export function findingText(where: string, finding: Finding): string {
  const { kind, also = [], accepted } = finding;
  const { places, expected, actual, why } = wordsOf(finding);
  const [place = '', ...further] = places;
  return [
    `${severityOf(finding)}: ${where} › ${place}: ${kind}`,
    ...further.map((other) => `  also at  ${other}`),
    ...(expected === null ? [] : [`  expected ${expected}`]),
    ...(actual === null ? [] : [`  actual   ${actual}`]),
    `  why      ${why}`,
    `  code     ${codeOf(finding)}`,
    ...also.map((comparison) => `  breaks   ${comparison} too`),
    ...(accepted === undefined ? [] : [`  accepted ${accepted}`]),
  ]
    .map(terminalLine)
    .join('\n');
}

/** Columns of text. Cells are escaped. */
export function table(cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map(terminalLine));
  const widths = (rows[0] ?? []).map((_, column) =>
    rows.reduce((width, row) => Math.max(width, row[column]?.length ?? 0), 0),
  );
  return rows
    .map((row) =>
      row
        .map((text, column) => text.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function cell({ comparisons, findings }: ReportedScenario, comparison: Comparison): string {
  const type = comparisons[comparison]?.type ?? '';
  return type === 'findings'
    ? count(findings.filter((finding) => isOf(comparison, finding)).length, 'finding')
    : type;
}
