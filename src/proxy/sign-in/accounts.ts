import { hash } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ParityError } from '../../errors.ts';
import type { SharedState } from '../state/shared-state.ts';
import { Account, restTime } from './account.ts';
import { SharedRenewals } from './shared-renewals.ts';
import type { SignIn } from './sign-in.ts';
import type { TokenEndpoint } from './token-endpoint.ts';

/** Sessions to remember. The least recently used one is forgotten first. */
const maximumSessions = 10_000;

/** Milliseconds after which no further account is tried, however many there are. */
const longestSearch = 5000;

/** Milliseconds for which other processes know the account of a session. */
const assignmentLifetime = 7 * 24 * 60 * 60_000;

/** The account of a session. */
type Assignment = {
  readonly account: Account;
  /** Whether it has served the session: caches, earlier responses and encrypted reasoning belong to it. */
  hasServed: boolean;
};

/** What the backend says about the holder of a sign-in. */
export type ReportedLimit = {
  /** See holderOf. */
  readonly holder: string;
  /** When the backend responds to the holder again, in milliseconds since 1970. */
  readonly until: number;
  /** Whether the session can continue with another account, although this one has served it. */
  readonly canMove: boolean;
};

/**
 * The sign-ins of a proxy: one file, or every `*.json` in a folder that has a sign-in. A session stays with the account that
 * has served it. New sessions get the usable accounts in turn, by file name: those whose limit is not reached, else the one
 * whose limit is reset first. A session whose account is no longer usable, or cannot be renewed now, gets another one.
 */
export class Accounts {
  readonly #path: string;
  readonly #endpoint: TokenEndpoint;
  readonly #state: SharedState | undefined;
  readonly #renewals: SharedRenewals | undefined;
  readonly #byFile = new Map<string, Account>();
  readonly #bySession = new Map<string, Assignment>();
  /** When accounts that failed may be used again, in milliseconds since 1970. */
  readonly #restUntil = new WeakMap<Account, number>();
  /** When holders whose limit is reached get responses again, in milliseconds since 1970. */
  readonly #limitedUntil = new Map<string, number>();
  #nextIndex = 0;

  /**
   * `path` is a file or a folder. It is read at each use and need not exist yet. `state` is shared with processes that have the
   * same files, or copies of them.
   */
  constructor(path: string, endpoint: TokenEndpoint, state?: SharedState) {
    this.#state = state;
    this.#renewals = state && new SharedRenewals(state);
    this.#path = path;
    this.#endpoint = endpoint;
  }

  /** Returns the sign-in for a session's next request: of the first account that has one. Throws as Account#current. */
  async signIn(session: string): Promise<SignIn> {
    await this.#readShared(session);
    return this.#firstSignIn(session, (account, patient) => account.current(patient));
  }

  /**
   * Remembers that the limit of a session's account is reached. Returns whether the session's next request gets another
   * account: one that can serve it, or, if none can, one whose limit is reset earlier.
   */
  limited(session: string, { holder, until, canMove }: ReportedLimit): boolean {
    if (this.#files() === undefined) return false;
    this.#limitedUntil.set(holder, until);
    void this.#state?.set(this.#limitKey(holder), String(until), until - Date.now());
    const [oldest = holder] = this.#limitedUntil.keys();
    if (this.#limitedUntil.size > maximumSessions) this.#limitedUntil.delete(oldest);
    const assignment = this.#bySession.get(session);
    if (assignment !== undefined && canMove) assignment.hasServed = false;
    return this.forSession(session).holder !== holder;
  }

  /** Remembers that an account has served a session. */
  served(session: string, holder: string): void {
    if (this.#limitedUntil.delete(holder)) void this.#state?.expire(this.#limitKey(holder), 0);
    const assignment = this.#bySession.get(session);
    if (assignment?.hasServed !== false || assignment.account.holder !== holder) return;
    assignment.hasServed = true;
    this.#share(session, assignment);
  }

  /** Returns a sign-in that replaces one which the backend refused. Throws as Account#afterRefusal. */
  renew(session: string, refused: SignIn): Promise<SignIn> {
    const owner = this.forSession(session);
    return this.#firstSignIn(session, (account, patient) =>
      account === owner ? account.afterRefusal(refused, patient) : account.current(patient),
    );
  }

  /** A patient request for a sign-in waits long, and retries. With another account at hand, it does not have to. */
  async #firstSignIn(
    session: string,
    request: (account: Account, patient: boolean) => Promise<SignIn>,
  ): Promise<SignIn> {
    const tried = new Set<Account>();
    const started = performance.now();
    for (;;) {
      const account = this.forSession(session);
      const isLate = performance.now() - started > longestSearch;
      const isLast =
        isLate || tried.has(account) || !this.#isInFolder(account) || this.#awake(account).length === 0;
      tried.add(account);
      try {
        const signIn = await request(account, isLast);
        return this.#isInFolder(account) ? { ...signIn, file: account.path } : signIn;
      } catch (error) {
        if (isLast || !(error instanceof ParityError)) throw error;
        this.#restUntil.set(account, Date.now() + restTime);
      }
    }
  }

  /** Returns the account of a session. Throws ParityError `bad-sign-in` if no account is usable. */
  forSession(session: string): Account {
    const known = this.#bySession.get(session);
    const assignment =
      known !== undefined && this.#stays(known) ? known : { account: this.#next(), hasServed: false };
    this.#assign(session, assignment);
    if (assignment !== known) this.#share(session, assignment);
    return assignment.account;
  }

  #assign(session: string, assignment: Assignment): void {
    this.#bySession.delete(session);
    this.#bySession.set(session, assignment);
    const [oldest = session] = this.#bySession.keys();
    if (this.#bySession.size > maximumSessions) this.#bySession.delete(oldest);
  }

  /** Takes over what other processes know: the account of a session, and whose limit is reached. */
  async #readShared(session: string): Promise<void> {
    if (this.#state === undefined) return;
    const files = this.#files();
    if (files === undefined) return;
    const holders = this.#usable(files).flatMap(({ holder = [] }) => holder);
    const keys = [sessionKey(session), ...holders.map((holder) => this.#limitKey(holder))];
    const before = new Map(this.#limitedUntil);
    const [assigned, ...limits] = await this.#state.get(keys);
    for (const [index, holder] of holders.entries()) {
      const until = Number(limits[index] ?? 0);
      // What was learned here meanwhile is newer.
      const isAsBefore = this.#limitedUntil.get(holder) === before.get(holder);
      if (until > Date.now() && isAsBefore) this.#limitedUntil.set(holder, until);
    }
    if (assigned === undefined || this.#bySession.has(session)) return;
    const [kind, name = ''] = assigned.split(/ (.*)/s);
    const file = files.find((path) => basename(path) === name);
    if (file !== undefined) {
      this.#assign(session, { account: this.#account(file), hasServed: kind === 'served' });
    }
  }

  #share(session: string, { account, hasServed }: Assignment): void {
    if (!this.#isInFolder(account)) return;
    const text = `${hasServed ? 'served' : 'assigned'} ${basename(account.path)}`;
    void this.#state?.set(sessionKey(session), text, assignmentLifetime);
  }

  /** The folder may have another path in another process. */
  #limitKey(holder: string): string {
    const folder = join(this.#path, '/');
    return `limit:${hash('sha256', holder.startsWith(folder) ? holder.slice(folder.length) : holder)}`;
  }

  #stays({ account, hasServed }: Assignment): boolean {
    // There is no alternative to a single file.
    if (!this.#isInFolder(account)) return true;
    return account.usable && !this.#rests(account) && (hasServed || this.#resetOf(account) === 0);
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
    const candidates = awake.length > 0 ? awake : usable;
    const resets = candidates.map((account) => this.#resetOf(account));
    const first = Math.min(...resets);
    const choice = candidates.filter((_, index) => resets[index] === first);
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

  #isInFolder({ path }: Account): boolean {
    return path !== this.#path;
  }

  /** When the limit of an account is reset, in milliseconds since 1970. 0 if it is not reached. */
  #resetOf(account: Account): number {
    if (this.#limitedUntil.size === 0) return 0;
    const until = this.#limitedUntil.get(account.holder ?? '') ?? 0;
    return until > Date.now() ? until : 0;
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
    const account = this.#byFile.get(file) ?? new Account(file, this.#endpoint, this.#renewals);
    this.#byFile.set(file, account);
    return account;
  }
}

function sessionKey(session: string): string {
  return `account:${hash('sha256', session)}`;
}
