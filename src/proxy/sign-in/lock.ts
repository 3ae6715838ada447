import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

/** Milliseconds after which a lock is nobody's, whoever took it: longer than a refresh with all its attempts. */
const lockLimit = 60_000;

/** Milliseconds for which a lock may be empty: its owner writes its name at once. */
const emptyLimit = 1_000;

const pollInterval = 25;

/**
 * Does `work` while no other process does work on the same file, by a lock file beside it. The lock of a process
 * that died is taken over, and what it left of its temporary file removed; where that cannot be known (another
 * machine on a shared disk), after a minute. `work` is given the name of a temporary file for it alone.
 *
 * Throws what writing beside the file throws, and what `work` throws.
 */
export async function withLock<T>(path: string, work: (temporary: string) => Promise<T>): Promise<T> {
  const lock = `${path}.lock`;
  const id = randomUUID();
  const owner = `${process.pid} ${id} ${hostname()}`;
  while (!take(lock, owner)) {
    removeStale(path, lock);
    await delay(pollInterval);
  }
  try {
    return await work(temporaryOf(path, id));
  } finally {
    if (contentOf(lock) === owner) rmSync(lock, { force: true });
  }
}

function temporaryOf(path: string, id: string): string {
  return `${path}.${id}.tmp`;
}

function take(lock: string, owner: string): boolean {
  try {
    writeFileSync(lock, owner, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

function removeStale(path: string, lock: string): void {
  const owner = contentOf(lock);
  if (owner === undefined || !isStale(lock, owner)) return;
  // Moved aside rather than removed: of several that find it stale, one succeeds.
  const aside = `${lock}.${randomUUID()}`;
  try {
    renameSync(lock, aside);
  } catch {
    return;
  }
  if (contentOf(aside) === owner) {
    const [, id = ''] = owner.split(' ');
    if (id !== '') rmSync(temporaryOf(path, id), { force: true });
  } else {
    // Another had replaced it already: what was moved is in force, and goes back.
    giveBack(aside, lock);
  }
  rmSync(aside, { force: true });
}

function giveBack(aside: string, lock: string): void {
  try {
    linkSync(aside, lock);
  } catch {
    // Taken again in this very moment: then two refresh at once, as they would without a lock.
  }
}

function isStale(lock: string, owner: string): boolean {
  const [pid = '', , host] = owner.split(' ');
  const age = ageOf(lock);
  if (owner === '') return age > emptyLimit;
  return age > lockLimit || (host === hostname() && !isAlive(Number(pid)));
}

/** Milliseconds; 0 for a file that is gone. */
function ageOf(file: string): number {
  return Math.abs(Date.now() - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // There is one, of another user.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function contentOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
