import { seals } from '../../trace/seal.ts';
import { narrowestKind } from '../pattern/kinds.ts';
import type { TemplatePart } from '../pattern/template.ts';
import { allEqual } from './columns.ts';
import type { HostTextRule } from './declared.ts';

/** Returns the variable for values, one for each recording. `before` is the literal text before them. */
export type AssignVariable = (values: readonly string[], before: string) => string;

/** The template of strings that differ: literal where they are equal, variables where they are not. */
export function learnTemplate(values: readonly string[], assign: AssignVariable): TemplatePart[] {
  if (narrowestKind(values) !== 'host_text') return [{ variable: assign(values, '') }];
  const rows = values.map(tokens);
  const width = rows[0]?.length ?? 0;
  const columns = rows.every((row) => row.length === width)
    ? Array.from({ length: width }, (_, index) => rows.map((row) => row[index] ?? ''))
    : splitAtDifference(rows);
  let before = '';
  return mergeHostTexts(columns).flatMap((column) => {
    const parts = columnParts(column, before, assign);
    const [part] = parts;
    if (part !== undefined && 'literal' in part) before += part.literal;
    return parts;
  });
}

/** The template of strings in which the text that the rule matches is a variable, even if it is equal in all of them. */
export function declareTemplate(
  { text }: HostTextRule,
  values: readonly string[],
  assign: AssignVariable,
): TemplatePart[] {
  const cuts = values.map((value) => {
    const [start, end] = text.exec(value)?.indices?.[1] ?? [value.length, value.length];
    return { head: value.slice(0, start), declared: value.slice(start, end), tail: value.slice(end) };
  });
  const around = (texts: readonly string[]): TemplatePart[] =>
    allEqual(texts) ? [{ literal: texts[0] ?? '' }] : learnTemplate(texts, assign);
  const declared = cuts.map((cut) => cut.declared);
  return [
    ...around(cuts.map(({ head }) => head)),
    ...(declared.every((one) => one === '') ? [] : [{ variable: assign(declared, '') }]),
    ...around(cuts.map(({ tail }) => tail)),
  ];
}

/**
 * The template of outputs of a command: what the shell of the host prints before and after them is variable. Undefined if
 * the outputs differ, or none has such a text.
 */
export function outputTemplate(
  values: readonly string[],
  assign: AssignVariable,
): TemplatePart[] | undefined {
  const cuts = values.map((value) => {
    const [, before = '', output = '', after = ''] =
      /^(<<sealed [^<>]*>>\n)?(.*?)(<<sealed [^<>]*>>)?$/s.exec(value) ?? [];
    return { before, output, after };
  });
  const outputs = cuts.map(({ output }) => output);
  const [output = ''] = outputs;
  if (output === '' || !allEqual(outputs) || values.every((value) => value === output)) return undefined;
  const variableOf = (texts: string[]) => ({ variable: assign(texts, '') });
  return [
    variableOf(cuts.map(({ before }) => before)),
    { literal: output },
    variableOf(cuts.map(({ after }) => after)),
  ];
}

/** The parts of a template for the texts of one column. `before` is the literal text before it. */
function columnParts(column: readonly string[], before: string, assign: AssignVariable): TemplatePart[] {
  const [first = ''] = column;
  if (allEqual(column) && !seals.test(first)) return [{ literal: first }];
  const start = /^<<sealed (?:[a-zA-Z]\w* )?/.exec(first)?.[0];
  if (start === undefined || !column.every((token) => token.startsWith(start))) {
    return [{ variable: assign(column, before) }];
  }
  const contents = column.map((token) => token.slice(start.length, -'>>'.length));
  if (allEqual(contents)) return [{ literal: first }];
  return [{ literal: start }, { variable: assign(contents, before + start) }, { literal: '>>' }];
}

/** Cuts a string into identifiers, seals, words and the characters between them. */
function tokens(text: string): string[] {
  return (
    text.match(/<<[^<>]*>>|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[\p{L}\p{N}]+|[^\p{L}\p{N}]/gu) ?? []
  );
}

/** Three columns: the tokens that all rows begin with, those that differ, and those that all rows end with. */
function splitAtDifference(rows: readonly (readonly string[])[]): string[][] {
  const shortest = Math.min(...rows.map((row) => row.length));
  const countEqual = (limit: number, indexIn: (row: readonly string[], count: number) => number) => {
    let count = 0;
    while (count < limit && allEqual(rows.map((row) => row[indexIn(row, count)]))) count += 1;
    return count;
  };
  const head = countEqual(shortest, (_, count) => count);
  const tail = countEqual(shortest - head, (row, count) => row.length - 1 - count);
  return [
    rows.map((row) => row.slice(0, head).join('')),
    rows.map((row) => row.slice(head, row.length - tail).join('')),
    rows.map((row) => row.slice(row.length - tail).join('')),
  ];
}

/** Merges everything from the first to the last host text into one column, so that it becomes one variable. */
function mergeHostTexts(columns: readonly (readonly string[])[]): (readonly string[])[] {
  const isText = columns.map((column) => !allEqual(column) && isHostText(column));
  const from = isText.indexOf(true);
  if (from === -1) return [...columns];
  const to = isText.lastIndexOf(true) + 1;
  const merged = (columns[0] ?? []).map((_, run) =>
    columns
      .slice(from, to)
      .map((column) => column[run])
      .join(''),
  );
  return [...columns.slice(0, from), merged, ...columns.slice(to)];
}

function isHostText(column: readonly string[]): boolean {
  return narrowestKind(column) === 'host_text' && !column.every((token) => seals.test(token));
}
