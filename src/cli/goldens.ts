import { join } from 'node:path';
import { ParityError } from '../errors.ts';
import { listGoldens } from '../golden/file.ts';

/** The goldens that come with the program. */
export const goldenFolder = join(import.meta.dirname, '..', '..', 'traces');

export type GoldenFile = ReturnType<typeof listGoldens>[number];

/**
 * The comma-separated list that an option is given; undefined where the option is absent. Throws ParityError for a list
 * with nothing in it: to check nothing is never what was meant.
 */
export function list(option: string, text: string | undefined): string[] | undefined {
  const items = text?.split(',').map((item) => item.trim());
  const named = items?.filter((item) => item !== '');
  if (named?.length === 0)
    throw new ParityError(
      'usage',
      `--${option} is an empty list: name what it is to hold, separated by commas`,
    );
  return named;
}

/**
 * The goldens of the versions and scenarios asked for, all where nothing is asked. Throws ParityError, with what
 * there is, for a version or scenario that has none.
 */
export function selectGoldens(
  folder: string,
  versions: readonly string[] | undefined,
  scenarios: readonly string[] | undefined,
): GoldenFile[] {
  const all = listGoldens(folder);
  if (all.length === 0)
    throw new ParityError(
      'no-golden',
      `there are no goldens in ${folder}: record some, or correct --goldens`,
    );
  const known = [...new Set(all.map(({ codex }) => codex))];
  for (const version of versions ?? []) {
    if (known.includes(version)) continue;
    throw new ParityError(
      'unknown-version',
      `there is no golden for codex ${version}: there are ${known.join(', ')}; record it with "codex-parity record --codex ${version}"`,
    );
  }
  const ofVersions = all.filter(({ codex }) => versions === undefined || versions.includes(codex));
  const names = [...new Set(ofVersions.map(({ scenario }) => scenario))];
  for (const name of scenarios ?? []) {
    if (names.includes(name)) continue;
    throw new ParityError(
      'unknown-scenario',
      `there is no golden for scenario "${name}": there are ${names.join(', ')}`,
    );
  }
  return ofVersions.filter(({ scenario }) => scenarios === undefined || scenarios.includes(scenario));
}

/** The newest version that has goldens. */
export function newestVersion(folder: string): string {
  const newest = selectGoldens(folder, undefined, undefined).at(-1);
  if (newest === undefined) throw new ParityError('no-golden', `there are no goldens in ${folder}`);
  return newest.codex;
}
