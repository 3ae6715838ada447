import { lstatSync } from 'node:fs';
import { join } from 'node:path';

/** The possible names of the file in the working folder. */
export const configFiles = ['codex-parity.config.json', 'codex-parity.config.yaml'] as const;

/** A name that is not one of them, but may be meant. */
export const misnamedFile = 'codex-parity.config.yml';

/** The paths of those of the files that a folder has. */
export function filesIn(folder: string, names: readonly string[]): string[] {
  return names
    .map((name) => join(folder, name))
    .filter((path) => lstatSync(path, { throwIfNoEntry: false }) !== undefined);
}

/** Whether a folder has a file that `readConfig` reads or refuses. */
export function hasConfig(folder: string): boolean {
  return filesIn(folder, [...configFiles, misnamedFile]).length > 0;
}
