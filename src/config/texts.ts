import { z } from 'zod';
import { didYouMean } from '../suggestion.ts';

/** A text with placeholders. Others than the known ones are an error, which a template of `files` may have. */
export function textWith(known: Readonly<Record<string, string>>) {
  return z.string().refine((text) => unknownPlaceholder(text, known) === undefined, {
    error: ({ input }) => `has the ${unknownText(unknownPlaceholder(String(input), known) ?? '', known)}`,
  });
}

/** What is wrong with a placeholder that does not exist, and which ones do. */
export function unknownText(unknown: string, known: Readonly<Record<string, string>>): string {
  const names = Object.keys(known);
  return `unknown placeholder {${unknown}}: ${didYouMean(unknown, names)}choose from {${names.join('}, {')}}`;
}

/** A placeholder that does not exist. A text with white space may be a script with braces of its own. */
export function unknownPlaceholder(
  text: string,
  known: Readonly<Record<string, string>>,
): string | undefined {
  if (/\s/.test(text)) return undefined;
  const used = [...text.matchAll(/(?<!\$)\{([A-Za-z_]+)\}/g)].map(([, name = '']) => name);
  return used.find((name) => !Object.hasOwn(known, name));
}

/** The name of an environment variable. */
export const variableName = z.string().regex(/^[^=\0]+$/, 'is not a valid name of a variable');

/** The path of a file to write below a folder. */
export function fileBelow(folder: string) {
  return z.string().refine(isBelow, `must be a relative path that stays below ${folder}`);
}

function isBelow(path: string): boolean {
  return path !== '' && !/^[/\\]|^[A-Za-z]:/.test(path) && !path.split(/[/\\]/).includes('..');
}
