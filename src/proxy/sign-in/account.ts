import { realpathSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { ParityError } from '../../errors.ts';
import { AuthFile, replaceFile } from './auth-file.ts';
import { withLock } from './lock.ts';
import type { SharedRenewals } from './shared-renewals.ts';
import { holderOf, type SignIn } from './sign-in.ts';
import { type RefreshReason, reasonToRefresh, type StoredSignIn, withTokens } from './stored-sign-in.ts';
import { type RefreshResult, refreshTokens, type TokenEndpoint } from './token-endpoint.ts';

/** Milliseconds before each retry of a refresh, as in the official client (measured: codex 0.169.0). */
const retryPauses = [200, 400, 800];

/** Milliseconds after which a failed refresh is not retried: a client waits for it, and the endpoint may never respond. */
const retryTime = 5000;

/** Milliseconds to wait for a refresh when the request has an alternative. The refresh goes on. */
const patience = 2000;

/** Milliseconds for which a sign-in that could not be renewed is not tried again while there is an alternative. */
export const restTime = 60_000;

/** One sign-in in one file, which is renewed in place. */
export class Account {
  readonly #file: AuthFile;
  readonly #endpoint: TokenEndpoint;
  readonly #shared: SharedRenewals | undefined;
  #refresh: Promise<SignIn> | undefined;
  /** The refresh token that the endpoint refused. It is not sent again. */
  #refusedRefreshToken: string | undefined;
  /** The access token that is refused and cannot be renewed. */
  #deadAccessToken: string | undefined;
  /** Until when a token that has not expired is used as it is, on the clock of performance.now. */
  #restUntil = 0;

  /** @param shared if other machines have copies of the file */
  constructor(path: string, endpoint: TokenEndpoint, shared?: SharedRenewals) {
    this.#shared = shared;
    this.#file = new AuthFile(path);
    this.#endpoint = endpoint;
  }

  get path(): string {
    return this.#file.path;
  }

  /** Whether the file has a ChatGPT sign-in, which is all that a folder may have, and it is not known to be dead. */
  get usable(): boolean {
    try {
      const { lane, accessToken } = this.#stored().signIn;
      return lane === 'chatgpt' && accessToken !== this.#deadAccessToken;
    } catch (error) {
      if (error instanceof ParityError) return false;
      throw error;
    }
  }

  /** See holderOf. Undefined if the file has no sign-in. */
  get holder(): string | undefined {
    return this.usable ? holderOf({ ...this.#stored().signIn, file: this.path }) : undefined;
  }

  /** Throws ParityError `bad-sign-in` if the file has no sign-in. */
  check(): void {
    this.#file.read();
  }

  /**
   * Returns the sign-in for a request. Renews its token first if it has expired or is about to. A token that has not
   * expired and cannot be renewed soon is used anyway, as by the official client (measured: codex 0.169.0), and not renewed
   * again for a minute. `patient`: whether to wait long for a new token, and to retry. Without one, the request fails.
   *
   * Throws ParityError `bad-sign-in` if the file has no sign-in, `sign-in-refused` if it can no longer be renewed,
   * `sign-in-unreachable` if the token endpoint does not respond.
   */
  async current(patient = true): Promise<SignIn> {
    const stored = this.#stored();
    const reason = reasonToRefresh(stored, Date.now());
    if (reason === undefined) return stored.signIn;
    if (hasExpired(stored)) return this.#renew(stored.signIn, reason, patient);
    if (performance.now() < this.#restUntil) return stored.signIn;
    try {
      return await this.#renew(stored.signIn, reason, false);
    } catch (error) {
      if (!(error instanceof ParityError)) throw error;
      this.#restUntil = performance.now() + restTime;
      return stored.signIn;
    }
  }

  /**
   * Returns the sign-in to use after the backend refused one with status 401: a newer one from the file, or a renewed
   * one. Throws as `current`.
   */
  async afterRefusal(refused: SignIn, patient = true): Promise<SignIn> {
    const { signIn } = this.#stored();
    if (signIn.accessToken !== refused.accessToken) return this.current(patient);
    return this.#renew(refused, 'unauthorized_recovery', patient);
  }

  /** Concurrent calls share one refresh. */
  #renew(stale: SignIn, reason: RefreshReason, patient: boolean): Promise<SignIn> {
    this.#refresh ??= this.#refreshFile(stale, reason, patient).finally(() => {
      this.#refresh = undefined;
    });
    return patient ? this.#refresh : this.#withinPatience(this.#refresh);
  }

  /** Rejects with ParityError when a refresh takes too long. */
  async #withinPatience(refresh: Promise<SignIn>): Promise<SignIn> {
    const done = new AbortController();
    const late = delay(patience, undefined, { signal: done.signal }).then(() => {
      throw new ParityError('sign-in-unreachable', `the sign-in ${this.path} takes long to renew`);
    });
    try {
      return await Promise.race([refresh, late]);
    } finally {
      // Whichever comes second has nobody to report to.
      void Promise.allSettled([refresh, late]);
      done.abort();
    }
  }

  async #refreshFile(stale: SignIn, reason: RefreshReason, patient: boolean): Promise<SignIn> {
    this.#requireRefreshToken(reason);
    return this.#locked(async (path, temporary) => {
      const before = this.#stored();
      // Another process has already renewed the tokens.
      if (before.signIn.accessToken !== stale.accessToken) return before.signIn;
      const refreshToken = this.#requireRefreshToken(reason);
      const request = (newest: string) => this.#requestTokens(newest, reason, patient);
      const canWait = reason !== 'unauthorized_recovery' && !hasExpired(before);
      const result = await (this.#shared?.renew(refreshToken, canWait, request) ?? request(refreshToken));
      const { text, stored: now } = await this.#file.readComplete();
      // The official client takes no lock. If it renewed the tokens meanwhile, its tokens count.
      if (now.refreshToken !== refreshToken) return now.signIn;
      if (result.outcome === 'renewed') {
        replaceFile(path, withTokens(text, result.tokens, Date.now()), temporary);
        return this.#stored().signIn;
      }
      if (result.outcome === 'failed') {
        throw new ParityError(
          'sign-in-unreachable',
          `the sign-in ${this.path} cannot be renewed now (${this.#endpoint.url.host}: ${result.reason}): try again later`,
        );
      }
      this.#refusedRefreshToken = refreshToken;
      throw this.#refusal(reason);
    });
  }

  #stored(): StoredSignIn {
    return this.#file.read().stored;
  }

  /** Returns the refresh token. Throws if there is none, or if the endpoint has refused it before. */
  #requireRefreshToken(reason: RefreshReason): string {
    const { refreshToken } = this.#stored();
    if (refreshToken === undefined || refreshToken === this.#refusedRefreshToken) throw this.#refusal(reason);
    return refreshToken;
  }

  /** Retries failures if a request waits for the new token; otherwise a later one tries again. */
  async #requestTokens(
    refreshToken: string,
    reason: RefreshReason,
    retries: boolean,
  ): Promise<RefreshResult> {
    const started = performance.now();
    let result = await refreshTokens(this.#endpoint, refreshToken, reason);
    for (const pause of retries ? retryPauses : []) {
      if (result.outcome !== 'failed' || performance.now() - started > retryTime) break;
      await delay(pause);
      result = await refreshTokens(this.#endpoint, refreshToken, reason);
    }
    return result;
  }

  async #locked<T>(work: (path: string, temporary: string) => Promise<T>): Promise<T> {
    try {
      // Replace the target of a symbolic link, not the link.
      const path = realpathSync(this.path);
      return await withLock(path, (temporary) => work(path, temporary));
    } catch (error) {
      if (error instanceof ParityError) throw error;
      const code = error instanceof Error && 'code' in error ? `: ${error.code}` : '';
      // A refresh invalidates the old tokens, so new ones that cannot be stored must not be requested.
      throw new ParityError(
        'bad-sign-in',
        `the sign-in ${this.path} cannot be renewed in place${code}: make its folder writable`,
      );
    }
  }

  #refusal(reason: RefreshReason): ParityError {
    const { signIn, refreshToken, expiresAt } = this.#stored();
    if (reason === 'unauthorized_recovery' || hasExpired({ expiresAt })) {
      this.#deadAccessToken = signIn.accessToken;
    }
    const why =
      signIn.lane === 'api-key'
        ? 'the backend refuses the API key'
        : refreshToken === undefined
          ? 'it has no refresh token'
          : 'it can no longer be renewed';
    return new ParityError(
      'sign-in-refused',
      `the sign-in ${this.path} is refused (${why}): run "codex login"`,
    );
  }
}

function hasExpired({ expiresAt }: Pick<StoredSignIn, 'expiresAt'>): boolean {
  return expiresAt !== undefined && expiresAt <= Date.now();
}
