import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ParityError } from '../../errors.ts';
import { Account } from './account.ts';
import type { SignIn } from './sign-in.ts';
import type { TokenEndpoint } from './token-endpoint.ts';

/** Sessions to remember. The least recently used one is forgotten first. */
const maximumSessions = 10_000;

/** Milliseconds for which an account that could not be renewed is not used while another one is usable. */
const restTime = 60_000;

/** Milliseconds to wait for the renewal of one account when another one is usable. The renewal goes on. */
const patience = 2000;

/**
 * The sign-ins of a proxy: one file, or every `*.json` in a folder that has a sign-in. A session stays with its account,
 * because caches and earlier responses belong to the account. New sessions get the usable accounts in turn, by file
 * name. A session whose account is no longer usable, or cannot be renewed now, gets another one.
 */
export class Accounts {
  readonly #path: string;
  readonly #endpoint: TokenEndpoint;
  readonly #byFile = new Map<string, Account>();
  readonly #bySession = new Map<string, Account>();
  /** When accounts that failed may be used again, in milliseconds since 1970. */
  readonly #restUntil = new WeakMap<Account, number>();
  #nextIndex = 0;

  /** `path` is a file or a folder. It is read at each use and need not exist yet. */
  constructor(path: string, endpoint: TokenEndpoint) {
    this.#path = path;
    this.#endpoint = endpoint;
  }

  /** Returns the sign-in for a session's next request: of the first account that has one. Throws as Account#current. */
  signIn(session: string): Promise<SignIn> {
    return this.#firstSignIn(session, (account, patient) => account.current(patient));
  }

  /** Returns a sign-in that replaces one which the backend refused. Throws as Account#afterRefusal. */
  renew(session: string, refused: SignIn): Promise<SignIn> {
    const owner = this.forSession(session);
    return this.#firstSignIn(session, (account, patient) =>
      account === owner ? account.afterRefusal(refused, patient) : account.current(patient),
    );
  }

  /** A patient request for a sign-in retries. With another account at hand, there is no need to. */
  async #firstSignIn(
    session: string,
    request: (account: Account, patient: boolean) => Promise<SignIn>,
  ): Promise<SignIn> {
    const tried = new Set<Account>();
    for (;;) {
      const account = this.forSession(session);
      const isLast = tried.has(account) || this.#awake(account).length === 0;
      tried.add(account);
      try {
        return await (isLast ? request(account, true) : withinPatience(request(account, false), account));
      } catch (error) {
        if (isLast || !(error instanceof ParityError)) throw error;
        this.#restUntil.set(account, Date.now() + restTime);
      }
    }
  }

  /** Returns the account of a session. Throws ParityError `bad-sign-in` if no account is usable. */
  forSession(session: string): Account {
    const known = this.#bySession.get(session);
    // There is no alternative to a single file.
    const stays = known !== undefined && (known.path === this.#path || (known.usable && !this.#rests(known)));
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
    const usable = this.#usable(files);
    const awake = usable.filter((account) => !this.#rests(account));
    const choice = awake.length > 0 ? awake : usable;
    const account = choice[this.#nextIndex % choice.length];
    if (account === undefined) {
      throw new ParityError(
        'bad-sign-in',
        `no sign-in in ${this.#path} can be used: run "codex login", or name another file or folder with --auth`,
      );
    }
    this.#nextIndex += 1;
    return account;
  }

  #usable(files: readonly string[]): Account[] {
    return files.map((file) => this.#account(file)).filter((account) => account.usable);
  }

  /** Returns the other accounts that can be used now. */
  #awake(except: Account): Account[] {
    return this.#usable(this.#files() ?? []).filter((account) => account !== except && !this.#rests(account));
  }

  #rests(account: Account): boolean {
    return (this.#restUntil.get(account) ?? 0) > Date.now();
  }

  /** Returns the folder's files in order, or undefined if the path is not a folder. */
  #files(): string[] | undefined {
    if (!statSync(this.#path, { throwIfNoEntry: false })?.isDirectory()) return undefined;
    const names = readdirSync(this.#path).filter((name) => name.endsWith('.json'));
    const files = names.sort().map((name) => join(this.#path, name));
    for (const file of this.#byFile.keys()) if (!files.includes(file)) this.#byFile.delete(file);
    return files;
  }

  #account(file: string): Account {
    const account = this.#byFile.get(file) ?? new Account(file, this.#endpoint);
    this.#byFile.set(file, account);
    return account;
  }
}

/** Rejects with ParityError when the request takes too long. */
async function withinPatience(request: Promise<SignIn>, { path }: Account): Promise<SignIn> {
  const done = new AbortController();
  const late = delay(patience, undefined, { signal: done.signal }).then(() => {
    throw new ParityError('sign-in-unreachable', `the sign-in ${path} takes long to renew`);
  });
  try {
    return await Promise.race([request, late]);
  } finally {
    // Whichever comes second has nobody to report to.
    void Promise.allSettled([request, late]);
    done.abort();
  }
}
