import {
  closeSync,
  fchmodSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';

/**
 * Replaces a file by new text at once: whoever reads it, at whatever moment, and whenever this process dies, finds
 * the old text or the new. The mode stays. `temporary` is a name in the same folder that is not taken.
 */
export function replaceFile(path: string, text: string, temporary: string): void {
  const { mode } = statSync(path);
  try {
    const file = openSync(temporary, 'wx', 0o600);
    try {
      writeFileSync(file, text);
      fchmodSync(file, mode & 0o7777);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
