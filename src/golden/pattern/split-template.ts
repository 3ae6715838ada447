import type { Variable } from '../golden.ts';
import { kinds } from './kinds.ts';
import type { TemplatePart } from './template.ts';

/** The values of a template's variables in a text: see splitter. */
export function splitTemplate(
  parts: readonly TemplatePart[],
  text: string,
  variables: ReadonlyMap<string, Variable>,
): readonly (readonly [string, string])[] | undefined {
  return splitter(parts, variables)(text);
}

/**
 * Finds the values of a template's variables in texts: first by their kinds, then by the literal parts alone.
 * Undefined where the literal parts do not fit.
 */
export function splitter(
  parts: readonly TemplatePart[],
  variables: ReadonlyMap<string, Variable>,
): (text: string) => readonly (readonly [string, string])[] | undefined {
  const [only, ...further] = parts;
  if (only === undefined || (further.length === 0 && 'literal' in only)) {
    return (text) => ((only === undefined ? '' : only.literal) === text ? [] : undefined);
  }
  if (further.length === 0 && 'variable' in only) return (text) => [[only.variable, text]];
  const names = parts.flatMap((part) => ('variable' in part ? [part.variable] : []));
  const compiled = (patternOf: (name: string) => string) => {
    const source = parts
      .map((part) => ('variable' in part ? `(${patternOf(part.variable)})` : escaped(part.literal)))
      .join('');
    return new RegExp(`^${source}$`, 's');
  };
  const byKind = compiled((name) => kinds[variables.get(name)?.kind ?? 'host_text'].pattern);
  let byLiterals: RegExp | undefined;
  return (text) => {
    let found = byKind.exec(text);
    if (found === null) {
      byLiterals ??= compiled(() => '.*?');
      found = byLiterals.exec(text);
    }
    return found?.slice(1).map((value, index) => [names[index] ?? '', value]);
  };
}

/** A text as a regular expression that finds just it. (`RegExp.escape` is too new for the oldest node supported.) */
function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
