import { closeSync, mkdirSync, openSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ParityError, plainReason } from './errors.ts';

/**
 * Makes a folder and those that it lies in, where they are missing, and tells those that it made, outermost first. In
 * the place of `mkdir` with `recursive`, which never returns below /proc (Node 24.21). Throws what making one throws.
 */
export function makeFolder(path: string, mode = 0o777): string[] {
  if (isFolder(path)) return [];
  const parent = dirname(path);
  const made = parent === path ? [] : makeFolder(parent, mode);
  try {
    mkdirSync(path, mode);
    return [...made, path];
  } catch (error) {
    // Another process may have been faster.
    if (isFolder(path)) return made;
    throw error;
  }
}

/** Writes a file anew, with its folders. Throws ParityError `file-unwritable`. */
export function writeWhole(path: string, text: string): void {
  try {
    makeFolder(dirname(path));
    writeFileSync(path, text);
  } catch (error) {
    throw unwritable(path, error);
  }
}

/**
 * Throws ParityError `file-unwritable` where a file cannot be written, so that this is known before the work whose
 * result it is to hold. What it holds stays, and nothing new is left behind.
 */
export function mustBeWritable(path: string): void {
  try {
    const there = statSync(path, { throwIfNoEntry: false });
    // To open a pipe would be to wait for its reader.
    if (there !== undefined && !there.isFile() && !there.isDirectory()) return;
    const made = makeFolder(dirname(path));
    closeSync(openSync(path, 'a'));
    if (there === undefined) rmSync(path);
    for (const folder of made.reverse()) rmdirSync(folder);
  } catch (error) {
    throw unwritable(path, error);
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** What a file that cannot be written is told with. */
export function unwritable(path: string, error: unknown): ParityError {
  return new ParityError('file-unwritable', `cannot write ${path}: ${plainReason(error)}`, { cause: error });
}
