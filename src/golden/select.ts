import { join } from 'node:path';
import { ParityError } from '../errors.ts';
import { listGoldens } from './file.ts';

/** The folder of the goldens bundled with the package. */
export const bundledGoldens = join(import.meta.dirname, '..', '..', 'traces');

export type GoldenFile = ReturnType<typeof listGoldens>[number];

/**
 * Lists the goldens in a folder, sorted by version; only those of the given versions and scenarios, if given. Throws
 * ParityError, listing what exists, if the folder is empty or a named version or scenario has no golden.
 */
export function selectGoldens(
  folder: string,
  versions?: readonly string[],
  scenarios?: readonly string[],
): GoldenFile[] {
  const all = listGoldens(folder);
  if (all.length === 0) {
    throw new ParityError('no-golden', `no goldens in ${folder}: record some, or correct --goldens`);
  }
  const known = [...new Set(all.map(({ codex }) => codex))];
  for (const version of versions ?? []) {
    if (known.includes(version)) continue;
    throw new ParityError(
      'unknown-version',
      `no golden for codex ${version}: choose from ${known.join(', ')}, or record it with "codex-parity record --codex ${version}"`,
    );
  }
  const ofVersions = all.filter(({ codex }) => versions?.includes(codex) ?? true);
  const names = [...new Set(ofVersions.map(({ scenario }) => scenario))];
  for (const name of scenarios ?? []) {
    if (names.includes(name)) continue;
    throw new ParityError(
      'unknown-scenario',
      `no golden for scenario "${name}": choose from ${names.join(', ')}`,
    );
  }
  return ofVersions.filter(({ scenario }) => scenarios?.includes(scenario) ?? true);
}

/** The version that a user named: "latest" is the newest that has a golden in a folder. Throws ParityError if it has none. */
export function versionNamed(folder: string, name: string): string {
  return name === 'latest' ? newestVersion(folder) : name;
}

/** The newest version that has a golden in a folder. Throws ParityError if the folder has none. */
export function newestVersion(folder: string): string {
  const newest = selectGoldens(folder).at(-1);
  if (newest === undefined) throw new RangeError('selectGoldens never returns an empty list here');
  return newest.codex;
}
