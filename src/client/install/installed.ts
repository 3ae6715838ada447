import { access, readdir, readFile, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ParityError, plainReason } from '../../errors.ts';
import { makeFolder } from '../../files.ts';
import { compareVersions } from '../../wire/compare-versions.ts';
import { isVersion } from './codex-version.ts';

/** An installed official client, ready to run. */
export type OfficialClient = {
  readonly version: string;
  /** Program and leading arguments; the client's own arguments follow. */
  readonly command: readonly string[];
};

/** Where clients are kept unless told otherwise: `$XDG_CACHE_HOME` or `~/.cache`, then `codex-parity/clients`. */
export function defaultClientCache(env: NodeJS.ProcessEnv): string {
  const base = env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache');
  return join(base, 'codex-parity', 'clients');
}

/** Makes a folder of the cache where it is missing. Throws ParityError `file-unwritable`. */
export function makeCacheFolder(path: string): void {
  try {
    makeFolder(path);
  } catch (error) {
    throw new ParityError(
      'file-unwritable',
      `cannot make the folder ${path}: ${plainReason(error)}: set XDG_CACHE_HOME to a folder that can be written`,
      { cause: error },
    );
  }
}

/** The clients a cache folder holds, oldest version first; none when there is no such folder. They are not run. */
export async function installedClients(cache: string): Promise<OfficialClient[]> {
  const names = await readdir(cache).catch(() => []);
  const versions = names.filter(isVersion).sort(compareVersions);
  const clients = await Promise.all(versions.map((version) => clientAt(join(cache, version), version)));
  return clients.filter((client) => client !== undefined);
}

/** Removes an installed client, if it is there. */
export async function removeClient(cache: string, version: string): Promise<void> {
  await rm(join(cache, version), { recursive: true, force: true, maxRetries: 3 });
}

/**
 * The client that was installed with npm into a folder; undefined when there is none.
 *
 * It is started through the npm package's own launcher and not by the platform binary inside: the launcher is what
 * users run, and it alone knows where the binary lies (`vendor/…/codex/codex` in 0.118.0, `vendor/…/bin/codex` in
 * 0.169.0) and what it wants of PATH. The launcher is given to the Node that runs us, so that no other is needed.
 */
export async function clientAt(folder: string, version: string): Promise<OfficialClient | undefined> {
  const home = join(folder, 'node_modules', '@openai', 'codex');
  const launcher = join(home, 'bin', 'codex.js');
  try {
    const manifest: unknown = JSON.parse(await readFile(join(home, 'package.json'), 'utf8'));
    const named = typeof manifest === 'object' && manifest !== null && 'version' in manifest;
    if (!named || manifest.version !== version) return undefined;
    await access(launcher);
  } catch {
    return undefined;
  }
  return { version, command: [process.execPath, launcher] };
}
