import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ParityError } from '../../errors.ts';
import { Account } from './account.ts';
import type { TokenEndpoint } from './token-endpoint.ts';

/** Sessions to remember. The least recently used one is forgotten first. */
const maximumSessions = 10_000;

/**
 * The sign-ins of a proxy: one file, or every `*.json` in a folder that has a sign-in. A session stays with its account,
 * because caches and earlier responses belong to the account. New sessions get the usable accounts in turn, by file
 * name. A session whose account is no longer usable gets another one.
 */
export class Accounts {
  readonly #path: string;
  readonly #endpoint: TokenEndpoint;
  readonly #byFile = new Map<string, Account>();
  readonly #bySession = new Map<string, Account>();
  #nextIndex = 0;

  /** `path` is a file or a folder. It is read at each use and need not exist yet. */
  constructor(path: string, endpoint: TokenEndpoint) {
    this.#path = path;
    this.#endpoint = endpoint;
  }

  /** Returns the account of a session. Throws ParityError `bad-sign-in` if no account is usable. */
  forSession(session: string): Account {
    const known = this.#bySession.get(session);
    // There is no alternative to a single file.
    const stays = known !== undefined && (known.path === this.#path || known.usable);
    const account = stays ? known : this.#next();
    this.#bySession.delete(session);
    this.#bySession.set(session, account);
    const [oldest = session] = this.#bySession.keys();
    if (this.#bySession.size > maximumSessions) this.#bySession.delete(oldest);
    return account;
  }

  /** Throws ParityError `bad-sign-in` if no account is usable. */
  check(): void {
    this.#next().check();
    this.#nextIndex = 0;
  }

  #next(): Account {
    const files = this.#files();
    // A single file gives a more specific error when it is used.
    if (files === undefined) return this.#account(this.#path);
    const usable = files.map((file) => this.#account(file)).filter((account) => account.usable);
    const account = usable[this.#nextIndex % usable.length];
    if (account === undefined) {
      throw new ParityError(
        'bad-sign-in',
        `no sign-in in ${this.#path} can be used: run "codex login", or name another file or folder with --auth`,
      );
    }
    this.#nextIndex += 1;
    return account;
  }

  /** Returns the folder's files in order, or undefined if the path is not a folder. */
  #files(): string[] | undefined {
    if (!statSync(this.#path, { throwIfNoEntry: false })?.isDirectory()) return undefined;
    const names = readdirSync(this.#path).filter((name) => name.endsWith('.json'));
    return names.sort().map((name) => join(this.#path, name));
  }

  #account(file: string): Account {
    const account = this.#byFile.get(file) ?? new Account(file, this.#endpoint);
    this.#byFile.set(file, account);
    return account;
  }
}
