import { seals } from '../../trace/seal.ts';
import { narrowestKind } from '../pattern/kinds.ts';
import type { TemplatePart } from '../pattern/template.ts';
import type { HostTextRule } from './declared.ts';

/**
 * Gives the name of the variable for texts that vary, one for each recording; `before` is the literal text before it.
 */
export type AssignVariable = (varying: readonly string[], before: string) => string;

/** A template for strings that differ: literal where they agree, variables where they do not. */
export function learnTemplate(values: readonly string[], claim: AssignVariable): TemplatePart[] {
  if (narrowestKind(values) !== 'host_text') return [{ variable: claim(values, '') }];
  const rows = values.map(tokens);
  const width = rows[0]?.length ?? 0;
  const columns = rows.every((row) => row.length === width)
    ? Array.from({ length: width }, (_, at) => rows.map((row) => row[at] ?? ''))
    : middle(values);
  let before = '';
  return joined(columns).flatMap((column) => {
    const parts = columnParts(column, before, claim);
    const [part] = parts;
    if (part !== undefined && 'literal' in part) before += part.literal;
    return parts;
  });
}

/** A template in which the text that a rule finds is a variable, though it did not vary here. */
export function declareTemplate(
  { text }: HostTextRule,
  values: readonly string[],
  claim: AssignVariable,
): TemplatePart[] {
  const cuts = values.map((value) => {
    const found = text.exec(value);
    const [from, to] = found?.indices?.[1] ?? [value.length, value.length];
    return [value.slice(0, from), value.slice(from, to), value.slice(to)] as const;
  });
  const around = (texts: readonly string[]): TemplatePart[] =>
    texts.every((one) => one === texts[0]) ? [{ literal: texts[0] ?? '' }] : learnTemplate(texts, claim);
  const before = around(cuts.map(([head]) => head));
  const declared = cuts.map(([, middle]) => middle);
  const hole = declared.every((one) => one === '') ? [] : [{ variable: claim(declared, '') }];
  return [...before, ...hole, ...around(cuts.map(([, , tail]) => tail))];
}

/** The parts of a template for texts that stand at one place of a string, behind the literal text `before`. */
function columnParts(column: readonly string[], before: string, claim: AssignVariable): TemplatePart[] {
  const [first = ''] = column;
  if (column.every((token) => token === first) && !seals.test(first)) return [{ literal: first }];
  const start = /^<<sealed (?:[a-zA-Z]\w* )?/.exec(first)?.[0];
  if (start === undefined || !column.every((token) => token.startsWith(start))) {
    return [{ variable: claim(column, before) }];
  }
  const contents = column.map((token) => token.slice(start.length, -'>>'.length));
  if (contents.every((content) => content === contents[0])) return [{ literal: first }];
  return [{ literal: start }, { variable: claim(contents, before + start) }, { literal: '>>' }];
}

/** Cuts a string where identifiers, seals and words begin and end. */
function tokens(text: string): string[] {
  return (
    text.match(/<<[^<>]*>>|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[\p{L}\p{N}]+|[^\p{L}\p{N}]/gu) ?? []
  );
}

/** Three columns: what all strings begin with, what differs, what all end with; cut at the ends of words. */
function middle(values: readonly string[]): string[][] {
  const rows = values.map(tokens);
  const shortest = Math.min(...rows.map((row) => row.length));
  const common = (at: (row: string[], index: number) => string | undefined, limit: number) => {
    let count = 0;
    while (count < limit && rows.every((row) => at(row, count) === at(rows[0] ?? [], count))) count += 1;
    return count;
  };
  const head = common((row, index) => row[index], shortest);
  const tail = common((row, index) => row[row.length - 1 - index], shortest - head);
  return [
    rows.map((row) => row.slice(0, head).join('')),
    rows.map((row) => row.slice(head, row.length - tail).join('')),
    rows.map((row) => row.slice(row.length - tail).join('')),
  ];
}

/** Joins what lies between two plain texts that vary into one column, so that a host's text is one variable. */
function joined(columns: readonly (readonly string[])[]): (readonly string[])[] {
  const vague = columns.map((column) => column.some((token) => token !== column[0]) && isVague(column));
  const from = vague.indexOf(true);
  if (from === -1) return [...columns];
  const to = vague.lastIndexOf(true);
  const merged = (columns[0] ?? []).map((_, run) =>
    columns
      .slice(from, to + 1)
      .map((column) => column[run])
      .join(''),
  );
  return [...columns.slice(0, from), merged, ...columns.slice(to + 1)];
}

function isVague(column: readonly string[]): boolean {
  return narrowestKind(column) === 'host_text' && !column.every((token) => seals.test(token));
}
