import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { ParityError } from '../../errors.ts';

/** Milliseconds after which any lock is stale: longer than a refresh with all its retries. */
const lockLimit = 60_000;

/** Milliseconds after which an empty lock is stale: a process writes its name into its lock at once. */
const emptyLimit = 1_000;

/** Milliseconds to wait for a lock of a living process: about as long as a refresh with all its retries. */
const longestWait = 15_000;

const pollInterval = 25;

/**
 * Runs `work` while holding a lock file beside `path`. `work` gets the path of a temporary file for its own use. Takes
 * over the lock of a dead process and removes its temporary file. On a shared disk, where the state of another machine's
 * process is unknown, takes over the lock after a minute.
 *
 * Throws ParityError `sign-in-unreachable` if another process keeps the lock for long, what writing beside the file throws,
 * and what `work` throws.
 */
export async function withLock<T>(path: string, work: (temporary: string) => Promise<T>): Promise<T> {
  const lock = `${path}.lock`;
  const id = randomUUID();
  const owner = `${process.pid} ${id} ${hostname()}`;
  const started = performance.now();
  while (!take(lock, owner)) {
    removeStale(path, lock);
    if (performance.now() - started > longestWait) throw heldByAnother(path, lock);
    await delay(pollInterval);
  }
  try {
    return await work(temporaryOf(path, id));
  } finally {
    if (contentOf(lock) === owner) rmSync(lock, { force: true });
  }
}

function heldByAnother(path: string, lock: string): ParityError {
  return new ParityError(
    'sign-in-unreachable',
    `the sign-in ${path} cannot be renewed now (another process holds ${lock}): try again later`,
  );
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
  // Rename the lock instead of removing it: if several processes find it stale, only one of them succeeds.
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
    // Another process had already replaced the stale lock, so this one is valid: put it back.
    try {
      linkSync(aside, lock);
    } catch {
      // A third process took the lock at this moment. Two refreshes run at once, as they would without a lock.
    }
  }
  rmSync(aside, { force: true });
}

function isStale(lock: string, owner: string): boolean {
  const [pid = '', , host] = owner.split(' ');
  const age = ageOf(lock);
  if (owner === '') return age > emptyLimit;
  return age > lockLimit || (host === hostname() && !isAlive(Number(pid)));
}

/** Returns the age in milliseconds, or 0 if the file does not exist. */
function ageOf(file: string): number {
  return Math.abs(Date.now() - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: the process exists and belongs to another user.
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
