import { type Change, driftGroups } from '../diff/drift.ts';
import { type Fold, fold, type ScenarioTransport } from '../diff/fold.ts';
import type { PathKey } from '../golden/match/mismatch.ts';
import { jsonText, markdownCode, markdownText, terminalLine } from './escape.ts';
import { differenceText } from './values.ts';

/** The changes between two versions. */
export type Drift = {
  readonly from: string;
  readonly to: string;
  /** The scenarios that both versions have a golden of, and how the client speaks in each. */
  readonly scenarios: ReadonlyMap<string, ScenarioTransport>;
  readonly changes: readonly Change[];
};

export const driftFormats: Readonly<
  Record<'text' | 'markdown' | 'json', (drifts: readonly Drift[]) => string>
> = {
  text: (drifts) => drifts.map((one) => sections(one, plainStyle)).join('\n'),
  markdown: (drifts) => drifts.map((one) => sections(one, markdownStyle)).join('\n'),
  json: (drifts) => {
    const document = { format: 'codex-parity/drift', version: 2, drifts: drifts.map(inWords) };
    return jsonText(document);
  },
};

function inWords({ changes, scenarios, ...drift }: Drift) {
  return { ...drift, scenarios: [...scenarios.keys()], changes: changes.map(changeWords) };
}

/** A change in words: its place, and what the older and the newer version have there. */
export function changeWords({ group, kind, path, item, difference, scenarios, also }: Change) {
  const { expected: before, actual: after } = differenceText(difference);
  const verb = kind === 'missing' ? 'removed' : kind;
  return {
    ...{ group, kind: verb, place: drifted(path, item), before, after, scenarios },
    ...(also === undefined ? {} : { also: also.map((other) => drifted(other)) }),
  };
}

type Style = {
  readonly heading: (title: string, level: 2 | 3) => string;
  readonly bullet: string;
  readonly text: (text: string) => string;
  /** How many scenarios a line names. */
  readonly longestList: number;
};

const plainStyle: Style = { heading: (title) => title, bullet: '', text: terminalLine, longestList: 8 };
const markdownStyle: Style = {
  heading: (title, level) => `${'#'.repeat(level)} ${title}\n`,
  bullet: '- ',
  text: markdownText,
  longestList: Number.POSITIVE_INFINITY,
};

function sections({ from, to, scenarios, changes }: Drift, style: Style): string {
  const { heading, bullet, text } = style;
  const title = heading(`${text(from)} → ${text(to)}`, 2);
  const compared = `Compared in ${list([...scenarios.keys()], style)}; a change without a list occurs in all of them.\n`;
  if (changes.length === 0) return `${title}\n${compared}\n${bullet}no change\n`;
  const parts = driftGroups.flatMap((group) => {
    const own = changes.filter((change) => change.group === group);
    const lines = own.map((change) => `${bullet || '  '}${changeText(change, scenarios, style)}`);
    return own.length === 0 ? [] : [[heading(group, 3), ...lines].join('\n')];
  });
  return `${title}\n${compared}\n${parts.join('\n\n')}\n`;
}

/** One change in a line. Scenarios are named unless all show it. */
function changeText(change: Change, all: Drift['scenarios'], style: Style): string {
  const { group, kind, place, before, after, scenarios, also = [] } = changeWords(change);
  const folded = foldedText(fold(new Set(scenarios), all), style);
  const others = also.length === 0 ? '' : `, and in ${also.map(markdownCode).join(' and ')}`;
  const shown = `${others}${folded}`;
  if (group === 'prompts') return `${kind} ${markdownCode(place)}${shown}`;
  switch (kind) {
    case 'added':
      return `added ${markdownCode(place)}: ${code(after)}${shown}`;
    case 'removed':
      return `removed ${markdownCode(place)}: ${code(before)}${shown}`;
    case 'renamed':
    case 'recased':
      return `renamed ${code(before)} to ${code(after)}${shown}`;
    default:
      return `${kind} ${markdownCode(place)}: ${code(before)} → ${code(after)}${shown}`;
  }
}

/** Scenarios in a line. The JSON has them all. */
function list(names: readonly string[], { text, longestList }: Style): string {
  if (names.length <= longestList) return text(names.join(', '));
  return `${text(names.slice(0, longestList).join(', '))} and ${names.length - longestList} more`;
}

function foldedText(folded: Fold, style: Style): string {
  switch (folded.type) {
    case 'all':
      return '';
    case 'all over':
      return ` (all over ${folded.transport === 'http' ? 'HTTP' : 'a websocket'})`;
    case 'all but':
      return ` (all but ${list(folded.others, style)})`;
    case 'some':
      return ` (${list(folded.shown, style)})`;
  }
}

/** A path as in `client_metadata.turn_id`. An item of a list is `[name]`, or `[]` if it has no name. */
function drifted(path: readonly PathKey[], item = ''): string {
  return path
    .map((key, depth) => {
      if (typeof key !== 'number') return `.${key}`;
      return depth === path.length - 1 ? `[${item}]` : '[]';
    })
    .join('')
    .replace(/^\./, '');
}

function code(text: string | null): string {
  if (text === null) return 'nothing';
  const short = text.length > 100 ? `${text.slice(0, 100)}…` : text;
  return markdownCode(short);
}
