import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { ParityError, plainReason } from './errors.ts';

/**
 * Creates a folder and its missing parents. Returns the folders that it created, outermost first. Replaces `mkdir` with
 * `recursive`, which never returns below /proc (Node 24.21). Throws system errors.
 */
export function makeFolder(path: string, mode = 0o777): string[] {
  if (isFolder(path)) return [];
  const parent = dirname(path);
  const made = parent === path ? [] : makeFolder(parent, mode);
  try {
    mkdirSync(path, mode);
    return [...made, path];
  } catch (error) {
    // Another process may have created it in the meantime.
    if (isFolder(path)) return made;
    throw error;
  }
}

/**
 * Reads a whole file of at most `maximum` bytes. Never opens anything but a regular file: a pipe would wait for its writer,
 * and a device may have no end. Throws ParityError `file-unreadable`.
 */
export function readWhole(path: string, maximum: number): Buffer {
  const unreadable = (problem: string, cause?: unknown) =>
    new ParityError('file-unreadable', `cannot read ${path}: ${problem}`, { cause });
  try {
    const status = statSync(path);
    if (!status.isFile() && !status.isDirectory()) throw unreadable('it is not a regular file');
    if (status.size > maximum && status.isFile())
      throw unreadable(`it has ${status.size} bytes, and at most ${maximum} are read`);
    return readFileSync(path);
  } catch (error) {
    if (error instanceof ParityError || !(error instanceof Error && 'code' in error)) throw error;
    throw unreadable(plainReason(error), error);
  }
}

/** Writes a whole file, and creates its folders. Throws ParityError `file-unwritable`. */
export function writeWhole(path: string, text: string): void {
  try {
    makeFolder(dirname(path));
    writeFileSync(path, text);
  } catch (error) {
    throw unwritable(path, error);
  }
}

/**
 * Throws ParityError `file-unwritable` if a file cannot be written: call it before the work whose result goes there.
 * Does not change the file, and leaves no new files or folders. The error is about `named`, if the file is a temporary one.
 */
export function mustBeWritable(path: string, named = path): void {
  try {
    const existing = statSync(path, { throwIfNoEntry: false });
    // Opening a pipe would wait for its reader.
    if (existing !== undefined && !existing.isFile() && !existing.isDirectory()) return;
    const made = makeFolder(dirname(path));
    closeSync(openSync(path, 'a'));
    if (existing === undefined) rmSync(path);
    for (const folder of made.reverse()) rmdirSync(folder);
  } catch (error) {
    throw unwritable(named, error);
  }
}

export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** The error for a file that cannot be written. */
export function unwritable(path: string, error: unknown): ParityError {
  return new ParityError('file-unwritable', `cannot write ${path}: ${plainReason(error)}`, { cause: error });
}
