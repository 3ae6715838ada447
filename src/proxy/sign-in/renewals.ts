import type { SignIns } from '../context.ts';
import type { SignIn } from './load.ts';

/** Sessions of which it is remembered that their sign-in was refused; beyond, the oldest is forgotten. */
const remembered = 10_000;

/**
 * Sign-ins that are renewed when the official client renews its own: it tries a refused one a second time, and renews
 * it when that is refused too (measured: codex 0.169.0, scenario token-refresh). Whoever asks meanwhile waits for the
 * new one.
 */
export class Renewals implements SignIns {
  readonly #signIn: (session: string) => SignIn | Promise<SignIn>;
  readonly #renew: SignIns['renew'];
  /** The access token that was refused once, by session. */
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
      if (this.#refusedOnce.size > remembered) this.#refusedOnce.delete(oldest);
      return;
    }
    this.#refusedOnce.delete(session);
    // Where it cannot be renewed, the client hears of the next refusal.
    const renewal = this.#renew(session, signIn)
      .catch(() => {})
      .finally(() => this.#running.delete(session));
    this.#running.set(session, renewal);
  }
}
