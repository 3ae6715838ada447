import { existsSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ParityError } from '../errors.ts';
import { isFolder } from '../files.ts';
import { chooseFrom, didYouMean, nearest } from '../suggestion.ts';
import { compare, compareVersions, isVersion } from '../wire/codex-version.ts';
import { goldenPath, listGoldens } from './file.ts';
import type { GoldenId } from './golden.ts';

/** The folder of the goldens bundled with the package. */
export const bundledGoldens = join(import.meta.dirname, '..', '..', 'traces');

/** Where `record` writes goldens unless told otherwise, below the working folder. */
export const ownGoldens = 'traces';

/** Folders of goldens in the order of precedence: of a golden that several of them have, the first is used. */
export type GoldenFolders = readonly string[];

/** A golden, its file, and the one of the folders that it is in. */
export type GoldenFile = GoldenId & { readonly path: string; readonly folder: string };

/** The goldens of a project, in its folder `traces`, over the bundled ones. */
export function defaultGoldens(project = process.cwd()): GoldenFolders {
  const own = resolve(project, ownGoldens);
  const isOther = existsSync(own) && realpathSync(own) !== realpathSync(bundledGoldens);
  return isOther && listGoldens(own).length > 0 ? [own, bundledGoldens] : [bundledGoldens];
}

/** The goldens in folders, sorted by version, lane and scenario. */
export function layeredGoldens(folders: GoldenFolders): GoldenFile[] {
  const files = new Map<string, GoldenFile>();
  for (const folder of folders.toReversed())
    for (const file of listGoldens(folder)) files.set(goldenPath('', file), { ...file, folder });
  return [...files]
    .sort(([a, { codex }], [b, other]) => compareVersions(codex, other.codex) || compare(a, b))
    .map(([, file]) => file);
}

/**
 * Lists the goldens in folders, sorted by version; only those of the given versions and scenarios, if given. Throws
 * ParityError, listing what exists, if a folder is empty or a named version or scenario has no golden.
 */
export function selectGoldens(
  folders: GoldenFolders,
  versions?: readonly string[],
  scenarios?: readonly string[],
): GoldenFile[] {
  const all = layeredGoldens(folders);
  // All goldens of a folder may also be in one before it.
  const unused = folders.filter((folder) => all.every((file) => file.folder !== folder));
  const empty = unused.find((folder) => listGoldens(folder).length === 0);
  if (empty !== undefined) {
    throw new ParityError('no-golden', `no goldens in ${empty}: record some, or correct --goldens`);
  }
  const known = [...new Set(all.map(({ codex }) => codex))];
  for (const version of versions ?? []) {
    if (known.includes(version)) continue;
    const advice = isVersion(version)
      ? `choose from ${known.join(', ')}, or record it with "codex-parity record --codex ${version}"`
      : chooseFrom(version, ['latest', ...known]);
    throw new ParityError('unknown-version', `no golden for codex ${version}: ${advice}`);
  }
  const ofVersions = all.filter(({ codex }) => versions?.includes(codex) ?? true);
  const names = [...new Set(ofVersions.map(({ scenario }) => scenario))];
  for (const name of scenarios ?? []) {
    if (names.includes(name)) continue;
    throw new ParityError('unknown-scenario', `no golden for scenario "${name}": ${chooseFrom(name, names)}`);
  }
  return ofVersions.filter(({ scenario }) => scenarios?.includes(scenario) ?? true);
}

/** The version that a user named: "latest" is the newest that has a golden in the folders. Throws ParityError if they have none. */
export function versionNamed(folders: GoldenFolders, name: string): string {
  return name === 'latest' ? newestVersion(folders) : name;
}

/** The newest version that has a golden in the folders. Throws ParityError if they have none. */
export function newestVersion(folders: GoldenFolders): string {
  const newest = selectGoldens(folders).at(-1);
  if (newest === undefined) throw new RangeError('selectGoldens never returns an empty list here');
  return newest.codex;
}

/** Finds the file of a golden. Throws ParityError `no-golden` if no folder has it. */
export type GoldenFinder = (id: GoldenId) => GoldenFile;

/** Finds goldens in folders, which are listed once: that takes some milliseconds. */
export function goldenFinder(folders: GoldenFolders): GoldenFinder {
  let listed: ReadonlyMap<string, GoldenFile> | undefined;
  return (id) => {
    listed ??= new Map(layeredGoldens(folders).map((file) => [goldenPath('', file), file]));
    return listed.get(goldenPath('', id)) ?? findGolden(folders, id);
  };
}

/** The file of a golden. Throws ParityError `no-golden` if no folder has it. */
export function findGolden(folders: GoldenFolders, { codex, lane, scenario }: GoldenId): GoldenFile {
  const ofVersion = selectGoldens(folders, [codex], [scenario]);
  const found = ofVersion.find((file) => file.lane === lane);
  if (found !== undefined) return found;
  const known = [...new Set(ofVersion.map((file) => file.lane))];
  throw new ParityError(
    'no-golden',
    `no golden for codex ${codex}, scenario "${scenario}" in lane ${lane}: ${didYouMean(lane, known)}choose from lane ${known.join(', ')}`,
  );
}

/** The name of a golden: VERSION, VERSION/SCENARIO or VERSION/LANE/SCENARIO, where the version may be "latest". */
const goldenName = /^(latest|\d+\.\d+\.\d+[\w.-]*)(?:\/([\w-]+))??(?:\/([\w-]+))?$/;

/**
 * The path of the file that a user named: a path, or the name of a golden in the folders, such as `latest` (scenario
 * `default`), `0.171.0/fast` or `0.171.0/api-key/fast`. Throws ParityError if no golden has that name, or if there is no such file
 * and a golden has a similar name. Any other text is returned as it is.
 */
export function fileNamed(folders: GoldenFolders, text: string): string {
  const [, version, lane = 'chatgpt', scenario = 'default'] = goldenName.exec(text) ?? [];
  const isFile = existsSync(text) && !isFolder(text);
  if (version === undefined && !isFile) {
    const meant = similarName(folders, text);
    if (meant !== undefined)
      throw new ParityError('no-golden', `no file or golden "${text}": did you mean "${meant}"?`);
  }
  if (version === undefined || isFile) return text;
  return findGolden(folders, { codex: versionNamed(folders, version), lane, scenario }).path;
}

/** The name of a golden that a user may have meant by a text; undefined if none is like it. */
function similarName(folders: GoldenFolders, text: string): string | undefined {
  const files = layeredGoldens(folders);
  const scenarios = [...new Set(files.map(({ scenario }) => scenario))];
  const names = ['latest', ...scenarios.map((scenario) => `latest/${scenario}`)];
  const scenario = nearest(text, scenarios);
  return nearest(text, names) ?? (scenario === undefined ? undefined : `latest/${scenario}`);
}
