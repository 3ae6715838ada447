import { access, readdir, readFile, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ParityError, plainReason } from '../../errors.ts';
import { makeFolder } from '../../files.ts';
import { compareVersions, isVersion } from '../../wire/codex-version.ts';

/** An installed official client, ready to run. */
export type OfficialClient = {
  readonly version: string;
  /** Program and leading arguments; the client's own arguments follow. */
  readonly command: readonly string[];
};

/** The default cache folder: `codex-parity/clients` in `$XDG_CACHE_HOME` or `~/.cache`. */
export function defaultClientCache(env: NodeJS.ProcessEnv): string {
  const base = env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache');
  return join(base, 'codex-parity', 'clients');
}

/** Makes a folder of the cache, if it is missing. Throws ParityError `file-unwritable`. */
export function makeCacheFolder(path: string): void {
  try {
    makeFolder(path);
  } catch (error) {
    throw new ParityError(
      'file-unwritable',
      `cannot make the folder ${path}: ${plainReason(error)}. Set XDG_CACHE_HOME to a writable folder.`,
      { cause: error },
    );
  }
}

/** The clients in a cache folder, oldest version first; none when the folder is missing. Does not run them. */
export async function installedClients(cache: string): Promise<OfficialClient[]> {
  const names = await readdir(cache).catch(() => []);
  const versions = names.filter(isVersion).sort(compareVersions);
  const clients = await Promise.all(versions.map((version) => clientAt(join(cache, version), version)));
  return clients.filter((client) => client !== undefined);
}

/** Removes a client, if it is installed. */
export async function removeClient(cache: string, version: string): Promise<void> {
  await rm(join(cache, version), { recursive: true, force: true, maxRetries: 3 });
}

/**
 * The client that npm installed into a folder; undefined when it is missing or of another version.
 *
 * The command runs the launcher of the npm package, as users do. Only the launcher knows where the platform binary is
 * (`vendor/…/codex/codex` in 0.118.0, `vendor/…/bin/codex` in 0.169.0) and what the binary needs in PATH. The launcher
 * runs in the Node of this process.
 */
export async function clientAt(folder: string, version: string): Promise<OfficialClient | undefined> {
  const home = join(folder, 'node_modules', '@openai', 'codex');
  const launcher = join(home, 'bin', 'codex.js');
  try {
    const manifest: unknown = JSON.parse(await readFile(join(home, 'package.json'), 'utf8'));
    const versioned = typeof manifest === 'object' && manifest !== null && 'version' in manifest;
    if (!versioned || manifest.version !== version) return undefined;
    await access(launcher);
  } catch {
    return undefined;
  }
  return { version, command: [process.execPath, launcher] };
}
