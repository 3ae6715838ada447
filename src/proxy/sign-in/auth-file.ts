import { chmodSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { ParityError, plainReason } from '../../errors.ts';
import type { SignIn } from './sign-in.ts';
import { decodeSignIn, parseAuthFile, type StoredSignIn } from './stored-sign-in.ts';

/** A file system may give two writes within this many milliseconds the same time: 2 s on FAT, 1 s on other old ones. */
const clockTick = 2000;

export type AuthFileContent = {
  readonly text: string;
  readonly stored: StoredSignIn;
  /** Identifies this state of the file; undefined if it is too recent to be told apart from the next write. */
  readonly version: string | undefined;
};

/** Reads the sign-in in a file without renewing it. Throws ParityError `bad-sign-in` if there is none. */
export function readSignIn(path: string): SignIn {
  return new AuthFile(path).read().stored.signIn;
}

/**
 * A file with a sign-in. Each use compares the file's version, so no change is missed and nothing watches the file.
 * Invalid JSON means that the file is being written: until it is complete, the last valid content counts.
 */
export class AuthFile {
  readonly path: string;
  #last: AuthFileContent | undefined;

  constructor(path: string) {
    this.path = path;
  }

  /** Returns the current content. Throws ParityError `bad-sign-in` if the file has no sign-in. */
  read(): AuthFileContent {
    let version: string | undefined;
    let text: string;
    try {
      version = versionOf(this.path);
      if (version !== undefined && version === this.#last?.version) return this.#last;
      text = readFileSync(this.path, 'utf8');
    } catch (error) {
      this.#last = undefined;
      throw new ParityError(
        'bad-sign-in',
        `cannot read the sign-in ${this.path} (${plainReason(error)}): run "codex login", or name another file with --auth`,
      );
    }
    if (this.#last?.text === text) {
      this.#last = { ...this.#last, version };
      return this.#last;
    }
    const file = parseAuthFile(text);
    if (file === undefined && this.#last !== undefined) return this.#last;
    const stored = file === undefined ? undefined : decodeSignIn(file.node);
    if (stored === undefined) {
      this.#last = undefined;
      throw new ParityError(
        'bad-sign-in',
        `${this.path} contains no sign-in (tokens.access_token with tokens.account_id, or OPENAI_API_KEY, in ASCII without spaces): run "codex login"`,
      );
    }
    this.#last = { text, stored, version };
    return this.#last;
  }

  /** As read, but waits up to a second for another program to finish writing, so that its text can be replaced. */
  async readComplete(): Promise<AuthFileContent> {
    for (let polls = 0; polls < 40; polls += 1) {
      const content = this.read();
      if (readFileSync(this.path, 'utf8') === content.text) return content;
      await delay(25);
    }
    return this.read();
  }
}

/** The largest sign-in file in bytes. Real ones have a few thousand. */
const largestFile = 1024 * 1024;

/** Throws if the path is not a file that can be read at once: reading a pipe would block the process. */
function versionOf(path: string): string | undefined {
  const stats = statSync(path);
  const { ino, size, mtimeMs, ctimeMs } = stats;
  if (!stats.isFile() || size > largestFile) throw new RangeError('it is not a regular file of up to 1 MiB');
  return Date.now() - ctimeMs < clockTick ? undefined : `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
}

/**
 * Replaces a file atomically and keeps its mode: a reader sees either the old or the new text, even if this process
 * dies. `temporary` is the path of a file in the same folder that does not exist yet.
 */
export function replaceFile(path: string, text: string, temporary: string): void {
  const { mode } = statSync(path);
  try {
    writeFileSync(temporary, text, { flag: 'wx', mode: 0o600, flush: true });
    chmodSync(temporary, mode & 0o7777);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
