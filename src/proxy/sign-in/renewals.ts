import { limitedUntil } from '../http/account-limit.ts';
import type { ApiError } from '../http/errors.ts';
import type { ReportedLimit } from './accounts.ts';
import type { SignIn } from './sign-in.ts';

export type SignInSource = {
  /** Returns the sign-in for a session's next request. Called for each, so that a renewed sign-in is used. */
  readonly signIn: (session: string) => SignIn | Promise<SignIn>;
  /** Returns a sign-in that replaces one which the backend refused. By default there is none. */
  readonly renew?: (session: string, refused: SignIn) => Promise<SignIn>;
  /** If there are several accounts; see Accounts. */
  readonly accounts?: {
    readonly limited: (session: string, limit: ReportedLimit) => boolean;
    readonly served: (session: string, holder: string) => void;
  };
};

/** An error that the backend sent to the holder of a sign-in. */
export type ReportedError = Omit<ReportedLimit, 'until'> & { readonly error: ApiError };

/** How often a request is sent again for another account. */
export const mostAccountChanges = 16;

/** Refusals to remember. The oldest is forgotten first. */
const maximumRefusals = 10_000;

/**
 * Renews sign-ins when the official client renews its own: after the second refusal of the same token (measured: codex
 * 0.169.0, scenario token-refresh). Requests that start during a renewal wait for the new token.
 */
export class Renewals {
  readonly #source: SignInSource;
  /** Access tokens that were refused once, by session. */
  readonly #refusedOnce = new Map<string, string>();
  readonly #running = new Map<string, Promise<unknown>>();

  constructor(source: SignInSource) {
    this.#source = source;
  }

  /** Returns the sign-in for a session's next upstream request. Call it for each, since tokens are renewed. */
  async current(session: string): Promise<SignIn> {
    await this.#running.get(session);
    return this.#source.signIn(session);
  }

  /** Returns a sign-in that replaces one that the backend refused with 401. Rejects when there is none. */
  async renew(session: string, refused: SignIn): Promise<SignIn> {
    if (this.#source.renew === undefined) throw new Error('it cannot be renewed');
    return this.#source.renew(session, refused);
  }

  /** Whether there are several accounts, so that it matters what the backend says about one. */
  get hasSeveral(): boolean {
    return this.#source.accounts !== undefined;
  }

  /** Reports an error that the backend sent. Returns whether the session's next request gets another account. */
  failed(session: string, { error, ...account }: ReportedError): boolean {
    const until = limitedUntil(error.error, error.headers);
    if (until === undefined || this.#source.accounts === undefined) return false;
    return this.#source.accounts.limited(session, { ...account, until });
  }

  /** Reports that the backend responded to a session's request without an error. */
  served(session: string, holder: string): void {
    this.#source.accounts?.served(session, holder);
  }

  /** Reports a 401 that is passed on to a client, which will retry. */
  refused(session: string, signIn: SignIn): void {
    if (this.#refusedOnce.get(session) !== signIn.accessToken) {
      this.#refusedOnce.delete(session);
      this.#refusedOnce.set(session, signIn.accessToken);
      const [oldest = session] = this.#refusedOnce.keys();
      if (this.#refusedOnce.size > maximumRefusals) this.#refusedOnce.delete(oldest);
      return;
    }
    this.#refusedOnce.delete(session);
    // If the renewal fails, the client receives the backend's next refusal.
    const renewal = this.renew(session, signIn)
      .catch(() => {})
      .finally(() => this.#running.delete(session));
    this.#running.set(session, renewal);
  }
}
