import type { Options } from 'yargs';
import { ParityError } from '../errors.ts';
import { defaultGoldens, type GoldenFolders, ownGoldens } from '../golden/select.ts';

/** The option `--goldens` of several commands. */
export const goldensOption = () =>
  ({
    requiresArg: true,
    type: 'string',
    array: true,
    default: defaultGoldens(),
    defaultDescription: `./${ownGoldens}, then the bundled goldens`,
    describe: 'Folder of goldens; repeatable: of a golden in several folders, the first is used',
  }) as const satisfies Options;

/** What to compare below HTTP and websockets. */
export const wireOption = {
  requiresArg: true,
  choices: ['tls'] as const,
  describe: 'Compare TLS handshakes too',
} as const satisfies Options;

/** How to name a golden where a file is expected, for the help. */
export const goldenNames =
  'a golden by its file, or by its name, such as latest, 0.169.0/fast or 0.169.0/api-key/fast';

/** The value of `--goldens`. */
export type GoldensOption = { readonly goldens: GoldenFolders };

/**
 * Splits the comma-separated value of an option; undefined if the option is absent. Throws ParityError for an empty
 * list.
 */
export function commaList(option: string, text: string | undefined): string[] | undefined {
  if (text === undefined) return undefined;
  const items = text.split(',').map((item) => item.trim());
  const named = items.filter((item) => item !== '');
  if (named.length > 0) return named;
  throw new ParityError(
    'usage',
    `--${option} is an empty list: give one or more values, separated by commas`,
  );
}

/** Throws ParityError, with the name of the option, unless the value is a whole number from `min` to `max`. */
export function mustBeWhole(option: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new ParityError('usage', `--${option} "${value}" must be a whole number from ${min} to ${max}`);
}

/** Throws ParityError, with the name of the option, unless the value is a port; 0 is any free one. */
export function mustBePort(option: string, value: number): void {
  mustBeWhole(option, value, 0, 65_535);
}

/**
 * Whether a number is in the list of an option: `2`, or `1,3-5`; every number is if the option is absent. Throws
 * ParityError for anything else.
 */
export function inNumbers(option: string, text: string | undefined): (number: number) => boolean {
  if (text === undefined) return () => true;
  const ranges = text.split(',').map((range) => {
    const [, first, last = first] = /^\s*(\d{1,9})(?:-(\d{1,9}))?\s*$/.exec(range) ?? [];
    return [Number(first), Number(last)] as const;
  });
  if (!ranges.every(([first, last]) => first >= 1 && first <= last))
    throw new ParityError('usage', `--${option} "${text}" must be numbers from 1 on, such as 2, or 1,3-5`);
  return (number) => ranges.some(([first, last]) => first <= number && number <= last);
}
