import { type CauseCode, failedScenario, partsOf } from '../diff/cause-code.ts';
import { type Cause, reportCauses } from '../diff/report-causes.ts';
import type { Severity } from '../diff/severity.ts';
import { compareVersions } from '../wire/codex-version.ts';
import { type CauseWords, causeWriter } from './cause-words.ts';
import { count } from './count.ts';
import { terminalLine } from './escape.ts';
import { counts, notCounted, strictGate } from './gate.ts';
import { ownNotes } from './information.ts';
import {
  clientNotes,
  hasParity,
  type Report,
  titlesText,
  type UnfinishedGroup,
  unfinishedGroups,
} from './report.ts';

/** Where a text is shown. */
export type Screen = {
  /** Characters in a line. */
  readonly width: number;
  /** Adds a colour, if the screen has colours. */
  readonly paint: (colour: Colour, text: string) => string;
};
export type Colour = 'red' | 'yellow' | 'green' | 'dim' | 'bold';

/** A file, or a terminal without colours. */
export const plainScreen: Screen = { width: 140, paint: (_, text) => text };

/** The most lines of a first screen, unless there are more reasons for a failure. */
const mostLines = 40;

/** The most causes, or groups of them, that are shown. */
const mostRows = 26;

const marks: Readonly<Record<Severity, { readonly mark: string; readonly colour: Colour }>> = {
  breaks: { mark: '✗', colour: 'red' },
  identity: { mark: '!', colour: 'yellow' },
  shape: { mark: '~', colour: 'dim' },
};

const acceptedMark = { mark: '·', colour: 'dim' } as const;

/**
 * What is wrong with a subject, at a glance: its causes with the most harmful first, and what to do next. `page` is the file
 * of the HTML report.
 */
export function firstScreen(report: Report, screen: Screen = plainScreen, page?: string): string {
  const { gate = strictGate } = report;
  const [counted, others] = partitionCauses(report);
  const causes = [...counted, ...others];
  const write = causeWriter(report);
  const rows = alikeTogether(causes.map((cause) => ({ causes: [cause], words: write(cause) })));
  const shown = rows.slice(0, mostRows);
  const hidden = rows.slice(mostRows).reduce((sum, row) => sum + row.causes.length, 0);
  const before = [heading(report, counted.length, screen), ...versionLines(report), ...tlsLines(report)];
  const after = [
    ...(hidden === 0 ? [] : [`  … and ${count(hidden, 'further cause')}: --verbose prints them`]),
    ...failedFirst(unfinishedGroups(report)).map((group) => {
      const { type, reason } = group.verdict;
      const isAccepted = type === 'failed' && group.verdict.accepted !== undefined;
      const failed = isAccepted
        ? `· ${failedScenario}  accepted`
        : `${screen.paint('red', '✗')} ${screen.paint('bold', failedScenario)}`;
      const mark = type === 'failed' ? failed : '? not checked';
      return `${mark}  ${terminalLine(`${titlesText(group)}: ${reason}`)}`;
    }),
    ...[...clientNotes(report), ...ownNotes(report)].map((note) => terminalLine(`note: ${note}`)),
    ...(gate.baseline?.problems ?? []).map(
      ({ text }) => `${screen.paint('red', '✗ baseline')}  ${terminalLine(text)}`,
    ),
    ...nextLines(causes, page, screen),
  ];
  const room = mostLines - before.length - after.length - shown.length;
  return `${[...before, ...causeLines(shown, room, screen), ...after].join('\n')}\n`;
}

/** The causes that count for the exit code, and all others. */
function partitionCauses({ scenarios, gate = strictGate }: Report): [Cause[], Cause[]] {
  const causes = reportCauses(scenarios);
  const isCounted = ({ cells }: Cause) =>
    cells.some(({ findings }) => findings.some((finding) => counts(finding, gate)));
  return [causes.filter(isCounted), causes.filter((cause) => !isCounted(cause))];
}

/** The first line, without colours. */
export function firstLine(report: Report): string {
  return heading(report, partitionCauses(report)[0].length, plainScreen);
}

function heading(report: Report, causes: number, { paint }: Screen): string {
  const { subject, driver, scenarios, gate = strictGate } = report;
  const number = (type: string) => scenarios.filter(({ verdict }) => verdict.type === type).length;
  const [unchecked, failed] = [number('not checked'), number('failed')];
  const checked = count(scenarios.length - unchecked, 'scenario');
  const allFailed = failed > 0 && failed === scenarios.length - unchecked;
  const result =
    causes > 0
      ? paint('red', `${count(causes, 'cause')} in ${checked}`)
      : allFailed
        ? paint('red', failed === 1 ? 'the scenario failed' : `all ${failed} scenarios failed`)
        : hasParity(report)
          ? paint('green', `parity in ${checked}`)
          : `nothing that counts in ${checked}`;
  const lanes = [...new Set(scenarios.map(({ lane }) => lane))].filter((lane) => lane !== 'chatgpt');
  return [
    terminalLine(`${subject} vs codex ${versionsText(scenarios.map(({ codex }) => codex))}`),
    ...(lanes.length === 0 ? [] : [terminalLine(`lane ${lanes.join(', ')}`)]),
    result,
    ...(failed === 0 || (allFailed && causes === 0) ? [] : [paint('red', `${failed} failed`)]),
    ...(unchecked === 0 ? [] : [`${unchecked} not checked`]),
    ...notCounted(scenarios, gate).map(terminalLine),
    ...(driver === 'replay' ? [] : [terminalLine(`driver ${driver}`)]),
  ].join(' · ');
}

/** Versions as one, or as a range. */
export function versionsText(versions: readonly string[]): string {
  const sorted = [...new Set(versions)].sort(compareVersions);
  const [first = '', last = first] = [sorted[0], sorted.at(-1)];
  return first === last ? first : `${first}–${last}`;
}

/** Which version the subject looks like and which one it announces, unless it is the one that is checked. */
function versionLines(report: Report): string[] {
  const skew = versionSkew(report);
  return skew === undefined ? [] : [terminalLine(`Version   ${skew}`)];
}

/** The TLS library that the subject looks like, beside that of the official client. */
function tlsLines({ scenarios }: Report): string[] {
  const libraries = new Set(scenarios.flatMap(({ tls = [] }) => tls));
  return libraries.size === 0 ? [] : [terminalLine(`TLS       looks like ${[...libraries].join(', ')}`)];
}

/** Which version a subject looks like, and which it announces; undefined where both are the version that is checked. */
export function versionSkew({ scenarios }: Report): string | undefined {
  const skewed = scenarios.flatMap(({ codex, sender }) => {
    if (sender === undefined) return [];
    const { announces = codex, fits } = sender;
    return announces === codex && fits.includes(codex) ? [] : [sender];
  });
  const groups = [...Map.groupBy(skewed, (sender) => JSON.stringify(sender)).values()];
  const [most] = groups.sort((a, b) => b.length - a.length);
  const [sender] = most ?? [];
  if (sender === undefined) return undefined;
  const { announces, fits, shownBy } = sender;
  const by = shownBy.length === 0 ? '' : ` (${shownBy.slice(0, 3).join(', ')})`;
  const others = groups.length > 1 ? '; other scenarios differ' : '';
  return `looks like ${versionsText(fits)}${by}, announces ${announces ?? 'none'}${others}`;
}

function failedFirst(groups: readonly UnfinishedGroup[]): UnfinishedGroup[] {
  const isFailed = ({ verdict }: UnfinishedGroup) => verdict.type === 'failed';
  return [...groups.filter(isFailed), ...groups.filter((group) => !isFailed(group))];
}

/** A cause, or several with one code. */
type ShownCauses = { readonly causes: readonly [Cause, ...Cause[]]; readonly words: CauseWords };

/** So many names that are missing, or added, in the same scenarios are one row. */
const fewestAlike = 3;

/** Rows of names with one code, such as the headers that an HTTP library adds, become one row at the first of them. */
function alikeTogether(rows: readonly ShownCauses[]): ShownCauses[] {
  const keyOf = ({ causes: [cause], words }: ShownCauses) => {
    const verb = partsOf(cause.code)?.verb;
    const isFoldable = cause.name !== '' && (verb === 'missing' || verb === 'added');
    return isFoldable ? JSON.stringify([cause.code, words.where, cause.accepted]) : cause;
  };
  return [...Map.groupBy(rows, keyOf).values()].flatMap((group): readonly ShownCauses[] => {
    const [first, ...others] = group;
    if (first === undefined || group.length < fewestAlike) return group;
    const names = group.map(({ causes: [cause] }) => cause.name);
    const more = names.length > 3 ? `, ${names.length - 3} more` : '';
    const title = `${names.slice(0, 3).join(', ')}${more}: ${partsOf(first.causes[0].code)?.verb}`;
    return [
      {
        causes: [first.causes[0], ...others.map(({ causes: [cause] }) => cause)],
        words: { ...first.words, title, expected: null, actual: null },
      },
    ];
  });
}

/** A line for each cause; more about the first ones, while there is room. */
function causeLines(shown: readonly ShownCauses[], room: number, screen: Screen): string[] {
  const longest = (texts: readonly string[]) => Math.max(0, ...texts.map(({ length }) => length));
  const codeWidth = longest(shown.map(({ causes: [cause] }) => cause.code));
  const whereWidth = longest(shown.map(({ words }) => words.where));
  const effectWidth = longest(shown.map(({ words }) => words.effect ?? ''));
  const left = screen.width - codeWidth - whereWidth - 6;
  const hasEffects = left - effectWidth - 2 >= 32;
  const titleWidth = Math.min(
    longest(shown.map(({ words }) => terminalLine(words.title))),
    Math.max(20, hasEffects ? left - effectWidth - 2 : left),
  );
  let free = room;
  return shown.flatMap(({ causes, words }) => {
    const [cause] = causes;
    const { mark, colour } = cause.accepted === undefined ? marks[cause.severity] : acceptedMark;
    const title = terminalLine(words.title);
    const line = [
      `${screen.paint(colour, mark)} ${screen.paint('bold', cause.code.padEnd(codeWidth))}`,
      cut(title, titleWidth).padEnd(titleWidth),
      words.where.padEnd(whereWidth),
      ...(hasEffects
        ? [screen.paint('dim', cause.accepted === undefined ? (words.effect ?? '') : 'accepted')]
        : []),
    ]
      .join('  ')
      .trimEnd();
    const details =
      causes.length > 3
        ? [cut(`    ${terminalLine(causes.map(({ name }) => name).join(', '))}`, screen.width)]
        : detailLines(cause, words, screen.width, title.length > titleWidth);
    const fitting = details.length <= free ? details : [];
    free -= fitting.length;
    return [line, ...fitting.map((detail) => screen.paint('dim', detail))];
  });
}

/** Codes whose reason depends on the subject, and says what to correct. */
const withReason: ReadonlySet<CauseCode> = new Set(['setup/refused', 'setup/nothing-upstream']);

/** What the line of a cause has no room for: a reason, both orders of names as columns, or both values. */
function detailLines({ code, example }: Cause, words: CauseWords, width: number, isCut: boolean): string[] {
  const indent = '    ';
  // Its end says what to do, so it is not cut.
  if (withReason.has(code)) return [`${indent}${terminalLine(words.why)}`];
  const inLine = (text: string) => cut(`${indent}${terminalLine(text)}`, width);
  if ('order' in example) return columns(example.order.expected, example.order.actual).map(inLine);
  if (!isCut) return [];
  return [
    ...(words.expected === null ? [] : [inLine(`expected  ${words.expected}`)]),
    ...(words.actual === null ? [] : [inLine(`actual    ${words.actual}`)]),
  ];
}

/** Two lists side by side. */
export function columns(expected: readonly string[], actual: readonly string[]): string[] {
  const rows = Array.from({ length: Math.max(expected.length, actual.length) }, (_, at) => [
    expected[at] ?? '',
    actual[at] ?? '',
  ]);
  const all = [['official client', 'subject'], ...rows];
  const width = Math.max(...all.map(([left = '']) => left.length));
  return all.map(([left = '', right = '']) => `${left.padEnd(width)}  ${right}`.trimEnd());
}

function nextLines([worst]: readonly Cause[], page: string | undefined, { paint }: Screen): string[] {
  if (worst === undefined) return [];
  const open = page === undefined ? '--verbose prints every place' : terminalLine(`open ${page}`);
  return [`${paint('bold', 'Next:')} codex-parity explain ${worst.code} · ${open}`];
}

function cut(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, Math.max(1, width - 1))}…` : text;
}
