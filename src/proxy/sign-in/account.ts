import { readFileSync, realpathSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { ParityError } from '../../errors.ts';
import { withLock } from './lock.ts';
import { replaceFile } from './replace-file.ts';
import type { SignIn } from './sign-in.ts';
import {
  decodeStored,
  parseFile,
  type RefreshReason,
  reasonToRefresh,
  type Stored,
  withTokens,
} from './stored.ts';
import { type Refreshed, refreshTokens, type TokenEndpoint } from './token-endpoint.ts';

/** Milliseconds before each further attempt, as the official client waits between its own (measured: codex 0.169.0). */
const pauses = [200, 400, 800];

/** The last text of the file that was whole, and what it says; `state` is the file's when it was read. */
type Good = { readonly text: string; readonly stored: Stored; readonly state: string | undefined };

/** Milliseconds within which a file may be written twice and show one time: 2 s on FAT, 1 s on others of old. */
const clockTick = 2000;

/**
 * One sign-in, in one file. The file is looked at in every use, which needs no watching and misses no change, and read
 * where it is not as it was. Text that is no JSON is a file that is being written: the last good one counts until it is
 * whole.
 */
export class Account {
  readonly path: string;
  readonly #endpoint: TokenEndpoint;
  #last: Good | undefined;
  #refreshing: Promise<SignIn> | undefined;
  /** The refresh token that was refused: not asked for again. */
  #refused: string | undefined;
  /** The access token that nothing can be done with any more. */
  #dead: string | undefined;

  constructor(path: string, endpoint: TokenEndpoint) {
    this.path = path;
    this.#endpoint = endpoint;
  }

  /** Whether there is a sign-in that is worth trying. */
  get usable(): boolean {
    try {
      return this.#read().stored.signIn.accessToken !== this.#dead;
    } catch (error) {
      if (error instanceof ParityError) return false;
      throw error;
    }
  }

  /**
   * The sign-in for a request. Its token is renewed first where it has run out or is about to; while it has not quite
   * run out, one that cannot be renewed is used all the same, as by the official client (measured: codex 0.169.0).
   *
   * Throws ParityError: `bad-sign-in` where the file holds none, `sign-in-refused` where it is renewed no more,
   * `sign-in-unreachable` where that cannot be known now.
   */
  async current(): Promise<SignIn> {
    const { stored } = this.#read();
    const reason = reasonToRefresh(stored, Date.now());
    if (reason === undefined) return stored.signIn;
    if (hasRunOut(stored)) return this.#renewed(stored.signIn, reason);
    try {
      return await this.#renewed(stored.signIn, reason);
    } catch (error) {
      if (error instanceof ParityError) return stored.signIn;
      throw error;
    }
  }

  /**
   * The sign-in after the backend refused one with status 401: another that the file holds by now, or a renewed one.
   * Throws as `current`.
   */
  async afterRefusal(refused: SignIn): Promise<SignIn> {
    const { signIn } = this.#read().stored;
    if (signIn.accessToken !== refused.accessToken) return this.current();
    return this.#renewed(refused, 'unauthorized_recovery');
  }

  /** Renews a sign-in once, however many ask for it. */
  #renewed(stale: SignIn, reason: RefreshReason): Promise<SignIn> {
    this.#refreshing ??= this.#refresh(stale, reason).finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #refresh(stale: SignIn, reason: RefreshReason): Promise<SignIn> {
    this.#refreshToken(reason);
    return this.#locked(async (file, temporary) => {
      const before = this.#read().stored;
      // Another process was first.
      if (before.signIn.accessToken !== stale.accessToken) return before.signIn;
      const refreshToken = this.#refreshToken(reason);
      const answer = await this.#ask(before, refreshToken, reason);
      const { text, stored: now } = await this.#readWhole();
      // Who takes no lock (the official client) was faster: what it wrote counts.
      if (now.refreshToken !== refreshToken) return now.signIn;
      if (answer.outcome === 'renewed') {
        replaceFile(file, withTokens(text, answer.tokens, Date.now()), temporary);
        return this.#read().stored.signIn;
      }
      if (answer.outcome === 'failed') {
        throw new ParityError(
          'sign-in-unreachable',
          `the sign-in ${this.path} cannot be renewed now (${this.#endpoint.url.host}: ${answer.reason}): try again later`,
        );
      }
      this.#refused = refreshToken;
      throw this.#refusal(reason);
    });
  }

  /** The refresh token; throws where there is none, or it is known to be refused. */
  #refreshToken(reason: RefreshReason): string {
    const { refreshToken } = this.#read().stored;
    if (refreshToken === undefined || refreshToken === this.#refused) throw this.#refusal(reason);
    return refreshToken;
  }

  /** Asks until it is granted or refused. While the token is still good, once is enough: the next use asks again. */
  async #ask(stored: Stored, refreshToken: string, reason: RefreshReason): Promise<Refreshed> {
    const urgent = reason === 'unauthorized_recovery' || hasRunOut(stored);
    let answer = await refreshTokens(this.#endpoint, refreshToken, reason);
    for (const pause of urgent ? pauses : []) {
      if (answer.outcome !== 'failed') break;
      await delay(pause);
      answer = await refreshTokens(this.#endpoint, refreshToken, reason);
    }
    return answer;
  }

  async #locked<T>(work: (file: string, temporary: string) => Promise<T>): Promise<T> {
    try {
      // A link stays one: what it leads to is replaced.
      const file = realpathSync(this.path);
      return await withLock(file, (temporary) => work(file, temporary));
    } catch (error) {
      if (error instanceof ParityError) throw error;
      const code = error instanceof Error && 'code' in error ? `: ${error.code}` : '';
      // Tokens that cannot be kept must not be asked for: the old ones would be void.
      throw new ParityError(
        'bad-sign-in',
        `the sign-in ${this.path} cannot be renewed in place${code}: make its folder writable`,
      );
    }
  }

  #refusal(reason: RefreshReason): ParityError {
    const { signIn, refreshToken, ...times } = this.#read().stored;
    if (reason === 'unauthorized_recovery' || hasRunOut(times)) this.#dead = signIn.accessToken;
    const why =
      signIn.lane === 'api-key'
        ? 'the backend refuses the API key'
        : refreshToken === undefined
          ? 'it holds no refresh token'
          : 'it is not renewed any more';
    return new ParityError(
      'sign-in-refused',
      `the sign-in ${this.path} is refused (${why}): run "codex login"`,
    );
  }

  /** Throws ParityError `bad-sign-in` where the file holds no sign-in. */
  check(): void {
    this.#read();
  }

  /** As #read, but waits for a file that is being written, for a second at most: it must not be replaced meanwhile. */
  async #readWhole(): Promise<Good> {
    for (let polls = 0; polls < 40; polls += 1) {
      const good = this.#read();
      if (readFileSync(this.path, 'utf8') === good.text) return good;
      await delay(25);
    }
    return this.#read();
  }

  #read(): Good {
    let state: string | undefined;
    let text: string;
    try {
      state = stateOf(this.path);
      if (state !== undefined && state === this.#last?.state) return this.#last;
      text = readFileSync(this.path, 'utf8');
    } catch {
      this.#last = undefined;
      throw new ParityError(
        'bad-sign-in',
        `cannot read the sign-in ${this.path}: run "codex login", or name another with --auth`,
      );
    }
    if (this.#last?.text === text) {
      this.#last = { ...this.#last, state };
      return this.#last;
    }
    const file = parseFile(text);
    if (file === undefined && this.#last !== undefined) return this.#last;
    const stored = file === undefined ? undefined : decodeStored(file.node);
    if (stored === undefined) {
      this.#last = undefined;
      throw new ParityError(
        'bad-sign-in',
        `${this.path} holds no sign-in (tokens.access_token with tokens.account_id, or OPENAI_API_KEY): run "codex login"`,
      );
    }
    this.#last = { text, stored, state };
    return this.#last;
  }
}

/** What tells that a file is still as it was; undefined where only its text can, as it was written just now. */
function stateOf(path: string): string | undefined {
  const { ino, size, mtimeMs, ctimeMs } = statSync(path);
  return Date.now() - ctimeMs < clockTick ? undefined : `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
}

function hasRunOut({ expiresAt }: Pick<Stored, 'expiresAt'>): boolean {
  return expiresAt !== undefined && expiresAt <= Date.now();
}
