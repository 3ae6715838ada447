import type { Variable } from '../golden.ts';
import { type Extent, longestEnd } from './extent.ts';
import { kinds } from './kinds.ts';
import type { TemplatePart } from './template.ts';

type Values = readonly (readonly [name: string, value: string])[];

/**
 * Returns a function that finds the values of a template's variables in a text, as pairs of name and value; undefined if
 * the text does not match. Values of the variables' kinds come first: each variable in turn takes as much as it can, so
 * of two adjacent texts of any length the first takes all. If the kinds do not match, any text between the literal parts
 * is a value, and each variable takes as little as it can. The time is linear in the text and in the template; a text
 * that is too long for both (`maximumCells`) is divided by its literal parts only.
 */
export function compileTemplate(
  parts: readonly TemplatePart[],
  variables: ReadonlyMap<string, Variable>,
): (text: string) => Values | undefined {
  const names: string[] = [];
  /** The literal text before, between and after the variables. */
  const literals = [''];
  for (const part of parts) {
    if ('literal' in part) literals[names.length] += part.literal;
    else literals[names.push(part.variable)] = '';
  }
  const head = literals[0] ?? '';
  const tail = names.length === 0 ? '' : (literals.at(-1) ?? '');
  const separators = literals.slice(1, -1);
  const extents = names.map((name) => kinds[variables.get(name)?.kind ?? 'host_text'].extent);
  return (text) => {
    if (names.length === 0) return text === head ? [] : undefined;
    const fits = text.length >= head.length + tail.length && text.startsWith(head) && text.endsWith(tail);
    if (!fits) return undefined;
    const inner = text.slice(head.length, text.length - tail.length);
    const values = names.length === 1 ? [inner] : split(inner, separators, extents);
    return values?.map((value, index) => [names[index] ?? '', value]);
  };
}

/** The most variables of a template times characters of a text for which kinds decide. */
const maximumCells = 2 ** 24;

function split(
  text: string,
  separators: readonly string[],
  extents: readonly Extent[],
): string[] | undefined {
  const bounded = extents.length * text.length <= maximumCells;
  return (bounded ? splitByKinds(text, separators, extents) : undefined) ?? splitByLiterals(text, separators);
}

function splitByKinds(
  text: string,
  separators: readonly string[],
  extents: readonly Extent[],
): string[] | undefined {
  // From the last variable to the first: where each can end, so that the variables after it match.
  let ends: Uint8Array = new Uint8Array(text.length + 1);
  ends[text.length] = 1;
  const endsOf = [ends];
  for (const [index, separator] of [...separators.entries()].reverse()) {
    const starts = extents[index + 1]?.starts(text, ends) ?? ends;
    if (!starts.includes(1)) return undefined;
    ends = new Uint8Array(text.length + 1);
    for (const at of occurrences(separator, text)) ends[at] = starts[at + separator.length] ?? 0;
    endsOf.unshift(ends);
  }
  if (extents[0]?.starts(text, ends)[0] !== 1) return undefined;
  let at = 0;
  return extents.map((extent, index) => {
    const end = longestEnd(extent, text, at, endsOf[index] ?? ends);
    const value = text.slice(at, end);
    at = end + (separators[index] ?? '').length;
    return value;
  });
}

function splitByLiterals(text: string, separators: readonly string[]): string[] | undefined {
  const values: string[] = [];
  let at = 0;
  for (const separator of separators) {
    const [end] = occurrences(separator, text, at);
    if (end === undefined) return undefined;
    values.push(text.slice(at, end));
    at = end + separator.length;
  }
  return [...values, text.slice(at)];
}

/**
 * The indices at which a literal occurs in a text, from `from` on (Knuth, Morris and Pratt). `indexOf` would take quadratic
 * time for some: 15 seconds for 50,000 characters in a million (measured: Node 24.21).
 */
function* occurrences(literal: string, text: string, from = 0): Generator<number> {
  const borders = [0];
  const extend = (length: number, character: string | undefined) => {
    let extended = length;
    while (extended > 0 && literal[extended] !== character) extended = borders[extended - 1] ?? 0;
    return literal[extended] === character ? extended + 1 : extended;
  };
  for (let index = 1; index < literal.length; index += 1)
    borders.push(extend(borders[index - 1] ?? 0, literal[index]));
  if (literal === '') yield from;
  for (let index = from, matched = 0; index < text.length; index += 1) {
    if (literal !== '') matched = extend(matched, text[index]);
    if (matched < literal.length) continue;
    yield index + 1 - literal.length;
    matched = borders[matched - 1] ?? 0;
  }
}
