import { hash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { defaultClientCache, makeCacheFolder } from '../../src/client/install/installed.ts';
import { definedOnly, runInGroup } from '../../src/client/process-group.ts';
import { ParityError } from '../../src/errors.ts';

/** Packages with exact versions, as the registry names them: `openai@7.57.0`, `openai==3.57.0`. */
export type Packages =
  | { readonly registry: 'npm'; readonly packages: readonly string[] }
  | { readonly registry: 'PyPI'; readonly packages: readonly string[] };

/** The programs that may be Python, newest first. The packages need 3.10 or newer. */
const pythons = ['python3.13', 'python3.12', 'python3.11', 'python3.10', 'python3'];

/** Later npm releases are not installed: so the packages that the pinned ones need are always the same. */
const before = '2026-11-27T00:00:00Z';

/** The longest that an installation may take, in milliseconds. */
const installTimeout = 300_000;

/**
 * Installs packages, unless they are in the cache, beside the official clients. Returns the folder: `node_modules` is in it, or
 * `bin/python`. It is made in a temporary folder and renamed when it is complete.
 *
 * @throws ParityError `install-failed`
 */
export async function installPackages(wanted: Packages): Promise<string> {
  const cache = join(defaultClientCache(process.env), '..', 'packages');
  const pins = wanted.registry === 'npm' ? before : readFileSync(constraintsOf(wanted), 'utf8');
  const identity = hash('sha256', [pins, ...wanted.packages].join(' ')).slice(0, 16);
  const name = `${wanted.registry}-${identity}`.toLowerCase();
  const folder = join(cache, name);
  if (existsSync(join(folder, 'complete'))) return folder;
  makeCacheFolder(cache);
  // A Python environment contains its own path, so it cannot be renamed.
  if (wanted.registry === 'PyPI') {
    await rm(folder, { recursive: true, force: true });
    await installFromPyPi(wanted, folder);
    await complete(folder, wanted);
    return folder;
  }
  const staging = await mkdtemp(join(cache, '.installing-'));
  try {
    await run(
      [
        ...['npm', 'install', ...wanted.packages, '--prefix', '.', '--no-global', '--ignore-scripts'],
        ...[`--before=${before}`, '--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error'],
      ],
      staging,
    );
    await complete(staging, wanted);
    await rm(folder, { recursive: true, force: true });
    // Another installation may have been faster.
    await rename(staging, folder).catch((error: unknown) => {
      if (!existsSync(join(folder, 'complete'))) throw error;
    });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
  return folder;
}

function complete(folder: string, { packages }: Packages): Promise<void> {
  return writeFile(join(folder, 'complete'), `${packages.join('\n')}\n`);
}

/**
 * The file with the versions of all packages that the first one needs: pip has no option for a date. `pip freeze` in a new
 * environment writes it.
 */
function constraintsOf({ packages: [first = ''] }: Packages): string {
  return join(import.meta.dirname, 'constraints', `${first.replace(/[[=].*/, '')}.txt`);
}

async function installFromPyPi(wanted: Packages, folder: string): Promise<void> {
  await run([await findPython(), '-m', 'venv', folder], process.cwd());
  const pip = [join(folder, 'bin', 'python'), '-m', 'pip', 'install'];
  const pins = ['--constraint', constraintsOf(wanted)];
  await run([...pip, '--quiet', '--disable-pip-version-check', ...pins, ...wanted.packages], folder);
}

export async function findPython(): Promise<string> {
  for (const python of pythons) {
    const check = 'import sys, venv; sys.exit(sys.version_info < (3, 10))';
    const found = await start([python, '-c', check], process.cwd()).catch(() => undefined);
    if (found?.exitCode === 0) return python;
  }
  throw new ParityError('install-failed', 'Python 3.10 or newer with venv was not found on PATH');
}

async function run(command: readonly string[], cwd: string): Promise<void> {
  const { exitCode, stderr, stdout } = await start(command, cwd);
  if (exitCode === 0) return;
  const lines = (stderr.trim() || stdout.trim()).split('\n').slice(-5).join('\n');
  throw new ParityError('install-failed', `${command.slice(0, 3).join(' ')} failed: ${lines}`);
}

/** Installers inherit our environment, which may contain their configuration. */
function start(command: readonly string[], cwd: string) {
  return runInGroup(command, { cwd, env: definedOnly(process.env), timeoutMs: installTimeout });
}
