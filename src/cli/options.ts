import type { Options } from 'yargs';
import { ParityError } from '../errors.ts';
import { goldenFolder } from './goldens.ts';

/** What several commands ask for. */
export const goldensOption = {
  type: 'string',
  default: goldenFolder,
  defaultDescription: 'those that come along',
  describe: 'Folder of the goldens',
} as const satisfies Options;

/** Throws ParityError, with the name of the option, for what is no whole number of its range. */
export function mustBeWhole(option: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new ParityError('usage', `--${option} must be a whole number from ${least} to ${most}`);
}

/** Throws ParityError, with the name of the option, for what is no port; 0 is any free one. */
export function mustBePort(option: string, value: number): void {
  mustBeWhole(option, value, 0, 65_535);
}
