import { mkdtemp, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ParityError } from '../../errors.ts';
import { isVersion } from '../../wire/codex-version.ts';
import { programSearch, runInGroup } from '../process-group.ts';
import { clientAt, defaultClientCache, makeCacheFolder, type OfficialClient } from './installed.ts';
import { mustBeReleased, type NpmOptions, npmInstall, unknownVersion } from './npm.ts';

export type InstallOptions = NpmOptions & {
  /** Folder that holds one folder per version; absent is `defaultClientCache`. */
  readonly cache?: string;
};

/**
 * Installs a version of the official client with npm, unless it is installed already, and returns how to start it. npm
 * downloads 160 MB (0.118.0) to 440 MB (0.169.0).
 *
 * The install is made in a temporary folder and renamed to the version once the client runs, so a folder with the name
 * of a version is complete. Two installs at the same time both download, and the first to rename wins. A lock would
 * save that download, but leave others waiting when its holder dies.
 *
 * @param version exact, such as `0.169.0`
 * @throws ParityError `unknown-version` (also for text that is not a version), `file-unwritable`, `registry-silent`,
 *   `install-failed`, `interrupted`, or `client-failed` when the installed client does not run as that version.
 */
export async function installOfficialClient(
  version: string,
  options: InstallOptions = {},
): Promise<OfficialClient> {
  if (!isVersion(version)) throw unknownVersion(version, 'is not a version');
  const cache = resolve(options.cache ?? defaultClientCache(process.env));
  const folder = join(cache, version);
  const present = await workingClient(folder, version, options.signal);
  if (present !== undefined) return present;
  makeCacheFolder(cache);
  const staging = await mkdtemp(join(cache, '.installing-'));
  try {
    await mustBeReleased(version, staging, options);
    // The program itself is an optional package: npm reports no error when its download fails.
    if (!(await installInto(staging, version, options)) && !(await installInto(staging, version, options)))
      throw notWorking(version);
    await moveInto(folder, staging, version, options.signal);
  } finally {
    await rm(staging, { recursive: true, force: true, maxRetries: 3 });
  }
  const client = await clientAt(folder, version);
  if (client === undefined) throw notWorking(version);
  return client;
}

/** Resolves to whether the installed client runs. */
async function installInto(folder: string, version: string, options: InstallOptions): Promise<boolean> {
  await npmInstall(version, folder, options);
  options.onProgress?.(`checking that Codex ${version} runs`);
  const client = await workingClient(folder, version, options.signal);
  if (options.signal?.aborted)
    throw new ParityError('interrupted', `Installing Codex ${version} was interrupted`);
  return client !== undefined;
}

/** Renames an install that runs. When another install was faster and runs too, ours stays, and the caller removes it. */
async function moveInto(
  folder: string,
  staging: string,
  version: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await rename(staging, folder);
  } catch (error) {
    if ((await workingClient(folder, version, signal)) !== undefined) return;
    if (!(error instanceof Error && 'code' in error && isOccupied(error.code))) throw error;
    // The existing install is broken, such as by a full disk: replace it.
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    await rename(staging, folder);
  }
}

/** The errors of a rename onto a folder that is not empty: Linux, macOS and Windows in this order. */
function isOccupied(code: unknown): boolean {
  return code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'EPERM';
}

/**
 * The client in a folder, if `codex --version` prints its version: `codex-cli 0.169.0`. The folder is its home, to leave
 * the user's own alone.
 */
async function workingClient(
  folder: string,
  version: string,
  signal: AbortSignal | undefined,
): Promise<OfficialClient | undefined> {
  const client = await clientAt(folder, version);
  if (client === undefined) return undefined;
  const run = await runInGroup([...client.command, '--version'], {
    cwd: folder,
    env: { ...programSearch(), HOME: folder, USERPROFILE: folder, CODEX_HOME: folder },
    timeoutMs: 30_000,
    signal,
  });
  const runs = run.exitCode === 0 && run.stdout.trim().split(/\s+/).at(-1) === version;
  return runs ? client : undefined;
}

function notWorking(version: string): ParityError {
  return new ParityError(
    'client-failed',
    `Codex ${version} was installed but does not run here. Its package for ${process.platform}-${process.arch} may be missing.`,
  );
}
