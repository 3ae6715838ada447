import type { Variable } from '../golden.ts';
import { kinds } from './kinds.ts';
import type { TemplatePart } from './template.ts';

/**
 * Returns a function that finds the values of a template's variables in a text, as pairs of name and value. It tries the
 * patterns of the variables' kinds first. If they do not match, any text between the literal parts is a value. It returns
 * undefined if the literal parts do not match.
 */
export function compileTemplate(
  parts: readonly TemplatePart[],
  variables: ReadonlyMap<string, Variable>,
): (text: string) => readonly (readonly [string, string])[] | undefined {
  const [only, ...rest] = parts;
  if (only === undefined || (rest.length === 0 && 'literal' in only)) {
    return (text) => ((only === undefined ? '' : only.literal) === text ? [] : undefined);
  }
  if (rest.length === 0 && 'variable' in only) return (text) => [[only.variable, text]];
  const names = parts.flatMap((part) => ('variable' in part ? [part.variable] : []));
  const compile = (patternOf: (name: string) => string) => {
    const source = parts
      .map((part) => ('variable' in part ? `(${patternOf(part.variable)})` : escapeRegExp(part.literal)))
      .join('');
    return new RegExp(`^${source}$`, 's');
  };
  const byKind = compile((name) => kinds[variables.get(name)?.kind ?? 'host_text'].pattern);
  let byLiterals: RegExp | undefined;
  return (text) => {
    let match = byKind.exec(text);
    if (match === null) {
      byLiterals ??= compile(() => '.*?');
      match = byLiterals.exec(text);
    }
    return match?.slice(1).map((value, index) => [names[index] ?? '', value]);
  };
}

/** `RegExp.escape` is missing in the oldest Node version that the package supports. */
function escapeRegExp(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
