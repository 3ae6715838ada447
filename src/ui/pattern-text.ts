import { parseTemplate } from '../golden/pattern/template.ts';
import type { VariableData } from './model.ts';

/** A piece of a text: literal, or the value or name of a variable. */
export type TextPiece = { readonly text: string; readonly variable?: string };

/** The variables of a conversation, to find them in texts. */
export class Variables {
  readonly list: readonly VariableData[];
  readonly #values: ReadonlyMap<string, string>;
  readonly #owners: ReadonlyMap<string, string>;
  readonly #search: RegExp | undefined;

  constructor(list: readonly VariableData[]) {
    this.list = list;
    const bound = list.flatMap(({ name, value }): [string, string][] => (value ? [[name, value]] : []));
    this.#values = new Map(bound);
    // A short value, such as a number, is found anywhere by chance.
    const long = bound.filter(([, value]) => value.length >= shortestValue);
    this.#owners = new Map(long.map(([name, value]): [string, string] => [value, name]).reverse());
    const longestFirst = [...this.#owners.keys()].sort((a, b) => b.length - a.length);
    this.#search =
      longestFirst.length === 0 ? undefined : new RegExp(longestFirst.map(escaped).join('|'), 'g');
  }

  /** The pieces of a recorded text. */
  inText(text: string): TextPiece[] {
    if (this.#search === undefined) return [{ text }];
    const pieces: TextPiece[] = [];
    let end = 0;
    for (const match of text.matchAll(this.#search)) {
      const [value] = match;
      const variable = this.#owners.get(value);
      if (match.index > end) pieces.push({ text: text.slice(end, match.index) });
      pieces.push(variable === undefined ? { text: value } : { text: value, variable });
      end = match.index + value.length;
    }
    if (end < text.length) pieces.push({ text: text.slice(end) });
    return pieces;
  }

  /** The pieces of a pattern. */
  inPattern(pattern: string): TextPiece[] {
    return parseTemplate(pattern).map((part) =>
      'literal' in part ? { text: part.literal } : { text: part.variable, variable: part.variable },
    );
  }

  /** Whether a text matches a pattern with the values that the variables have. One without a value matches any text. */
  matches(pattern: string, text: string): boolean {
    if (!pattern.includes('{{')) return pattern === text;
    const parts = parseTemplate(pattern).map((part) =>
      'literal' in part ? part.literal : this.#values.get(part.variable),
    );
    if (parts.every((part) => part !== undefined)) return parts.join('') === text;
    const source = parts.map((part) => (part === undefined ? '.*' : escaped(part))).join('');
    return new RegExp(`^${source}$`, 's').test(text);
  }
}

const shortestValue = 6;

/** The source of a regular expression that matches the text. */
function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
