import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ParityError } from '../../errors.ts';
import { Account } from './account.ts';
import type { TokenEndpoint } from './token-endpoint.ts';

/** Sessions that are remembered; the one that was not used for longest is forgotten first. */
const rememberedSessions = 10_000;

/**
 * The sign-ins that requests are served with: one file, or every `*.json` in a folder that holds one. A session stays
 * with its account, since caches and earlier responses are the account's; new sessions go to the usable accounts in
 * turn, in the order of their file names. A session whose account is usable no more gets another.
 */
export class Accounts {
  readonly #path: string;
  readonly #endpoint: TokenEndpoint;
  readonly #byFile = new Map<string, Account>();
  readonly #bySession = new Map<string, Account>();
  #turn = 0;

  /** `path` is a file or a folder, read at each use; it need not exist yet. */
  constructor(path: string, endpoint: TokenEndpoint) {
    this.#path = path;
    this.#endpoint = endpoint;
  }

  /** The account of a session. Throws ParityError `bad-sign-in` where there is none. */
  forSession(session: string): Account {
    const known = this.#bySession.get(session);
    // Beside that of a single file there is no other.
    const stays = known !== undefined && (known.path === this.#path || known.usable);
    const account = stays ? known : this.#next();
    this.#bySession.delete(session);
    this.#bySession.set(session, account);
    if (this.#bySession.size > rememberedSessions) {
      for (const oldest of this.#bySession.keys()) {
        this.#bySession.delete(oldest);
        break;
      }
    }
    return account;
  }

  /** Throws ParityError `bad-sign-in` where there is no account, for telling so before anyone asks. */
  check(): void {
    this.#next().check();
    this.#turn = 0;
  }

  #next(): Account {
    const files = this.#files();
    // Of a single file, its own error says more than that there is none that can be used.
    if (files === undefined) return this.#account(this.#path);
    const usable = files.map((file) => this.#account(file)).filter((account) => account.usable);
    const account = usable[this.#turn % usable.length];
    if (account === undefined) {
      throw new ParityError(
        'bad-sign-in',
        `no sign-in in ${this.#path} can be used: run "codex login", or name another with --auth`,
      );
    }
    this.#turn += 1;
    return account;
  }

  /** The files of the folder, in order; undefined where the path is no folder. */
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
