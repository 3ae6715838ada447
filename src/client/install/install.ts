import { mkdtemp, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ParityError } from '../../errors.ts';
import { runInGroup } from '../process-group.ts';
import { isVersion, unknownVersion } from './codex-version.ts';
import { clientAt, defaultClientCache, makeCacheFolder, type OfficialClient } from './installed.ts';
import { mustBeReleased, type NpmOptions, npmInstall } from './npm.ts';
import { programSearch } from './program-search.ts';

export type InstallOptions = NpmOptions & {
  /** Folder that holds one folder per version; absent is `defaultClientCache`. */
  readonly cache?: string;
};

/**
 * Makes sure that the official client of one version is installed, and says how to start it. One that is there
 * already is only asked for its version; otherwise npm downloads 160 MB (0.118.0) to 440 MB (0.169.0).
 *
 * A new install is made in a folder of its own and renamed into place when it has proved itself, so what bears a
 * version's name is whole. Two installs at once both do the work, and the first to rename wins: that costs a download
 * at worst, where a lock would cost a wait for whoever died holding it.
 *
 * @param version exact, such as `0.169.0`
 * @throws ParityError `unknown-version` (also for text that is no version, before npm is asked), `file-unwritable`,
 *   `registry-silent`, `interrupted`, or `client-failed` when what was installed does not run as that version.
 */
export async function installOfficialClient(
  version: string,
  options: InstallOptions = {},
): Promise<OfficialClient> {
  if (!isVersion(version)) throw unknownVersion(version, 'is not a version');
  const cache = resolve(options.cache ?? defaultClientCache(process.env));
  const place = join(cache, version);
  const present = await clientAt(place, version);
  if (present !== undefined && (await saysItsVersion(present, place, options.signal))) return present;
  makeCacheFolder(cache);
  const staging = await mkdtemp(join(cache, '.installing-'));
  try {
    await mustBeReleased(version, staging, options);
    await npmInstall(version, staging, options);
    // The program itself is an optional package, and npm says nothing when the download of such a one breaks off.
    if (!(await runs(version, staging, options))) await npmInstall(version, staging, options);
    if (!(await runs(version, staging, options))) throw notWorking(version);
    await moveInto(place, staging, version, options.signal);
  } finally {
    await rm(staging, { recursive: true, force: true, maxRetries: 3 });
  }
  const client = await clientAt(place, version);
  if (client === undefined) throw notWorking(version);
  return client;
}

async function runs(
  version: string,
  folder: string,
  { signal, onProgress }: InstallOptions,
): Promise<boolean> {
  onProgress?.(`checking that Codex ${version} runs`);
  const client = await clientAt(folder, version);
  const ran = client !== undefined && (await saysItsVersion(client, folder, signal));
  if (signal?.aborted === true)
    throw new ParityError('interrupted', `Installing Codex ${version} was interrupted`);
  return ran;
}

/** Renames a proved install into place; when another was faster and its result is good, ours is left to be removed. */
async function moveInto(
  place: string,
  staging: string,
  version: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await rename(staging, place);
  } catch (error) {
    const winner = await clientAt(place, version);
    if (winner !== undefined && (await saysItsVersion(winner, place, signal))) return;
    if (!(error instanceof Error && 'code' in error && isOccupied(error.code))) throw error;
    // What is there is broken (a disk that ran full, a folder someone emptied): it makes room.
    await rm(place, { recursive: true, force: true, maxRetries: 3 });
    await rename(staging, place);
  }
}

/** What a rename onto a folder that is not empty fails with: Linux, macOS and Windows in this order. */
function isOccupied(code: unknown): boolean {
  return code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'EPERM';
}

/**
 * Runs `codex --version`, which prints `codex-cli 0.169.0`. The folder is its home, so that the user's own is not
 * touched.
 */
async function saysItsVersion(
  client: OfficialClient,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const run = await runInGroup([...client.command, '--version'], {
    cwd: folder,
    env: { ...programSearch(), HOME: folder, USERPROFILE: folder, CODEX_HOME: folder },
    timeoutMs: 30_000,
    ...(signal === undefined ? {} : { signal }),
  });
  return run.exitCode === 0 && run.stdout.trim().split(/\s+/).at(-1) === client.version;
}

function notWorking(version: string): ParityError {
  return new ParityError(
    'client-failed',
    `Codex ${version} was installed but does not run here: its package for ${process.platform}-${process.arch} may be missing`,
  );
}
