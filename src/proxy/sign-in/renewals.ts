import type { SignIns } from '../proxy-context.ts';
import type { SignIn } from './sign-in.ts';

/** Refusals to remember. The oldest is forgotten first. */
const maximumRefusals = 10_000;

/**
 * Renews sign-ins when the official client renews its own: after the second refusal of the same token (measured: codex
 * 0.169.0, scenario token-refresh). Requests that start during a renewal wait for the new token.
 */
export class Renewals implements SignIns {
  readonly #signIn: (session: string) => SignIn | Promise<SignIn>;
  readonly #renew: SignIns['renew'];
  /** Access tokens that were refused once, by session. */
  readonly #refusedOnce = new Map<string, string>();
  readonly #running = new Map<string, Promise<unknown>>();

  constructor(signIn: (session: string) => SignIn | Promise<SignIn>, renew: SignIns['renew']) {
    this.#signIn = signIn;
    this.#renew = renew;
  }

  async current(session: string): Promise<SignIn> {
    await this.#running.get(session);
    return this.#signIn(session);
  }

  renew(session: string, refused: SignIn): Promise<SignIn> {
    return this.#renew(session, refused);
  }

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
    const renewal = this.#renew(session, signIn)
      .catch(() => {})
      .finally(() => this.#running.delete(session));
    this.#running.set(session, renewal);
  }
}
