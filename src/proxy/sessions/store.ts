import type { ProxyContext } from '../context.ts';
import type { Claim } from './claim.ts';
import { Session } from './session.ts';

/** The sessions that are known, by the ids that clients gave them. */
export class SessionStore {
  readonly #context: ProxyContext;
  /** In the order of last use. */
  readonly #sessions = new Map<string, Session>();
  /** Sessions by their last response, for clients that name nothing else. */
  readonly #byResponse = new Map<string, Session>();
  readonly #sweep: NodeJS.Timeout;

  constructor(context: ProxyContext) {
    this.#context = context;
    this.#sweep = setInterval(() => this.#forgetIdle(), 60_000).unref();
  }

  get size(): number {
    return this.#sessions.size;
  }

  /**
   * The session of a request: by the client's ids, by the response it goes on from, else a new one. A session that
   * nobody named is not kept under a name; it is found again by its response alone.
   */
  find({ key, identity }: Claim, previous: string | undefined, caller: string): Session {
    const answered = previous === undefined ? undefined : this.#byResponse.get(`${caller} ${previous}`);
    const known = key === undefined ? undefined : this.#sessions.get(key);
    const session = known ?? answered ?? new Session(this.#context, identity());
    if (key !== undefined && (known !== undefined || answered === undefined)) {
      this.#sessions.delete(key);
      this.#sessions.set(key, session);
      for (const [oldest, one] of this.#sessions) {
        if (this.#sessions.size <= this.#context.limits.sessions) break;
        if (!one.running) this.#forget(oldest, one);
      }
    }
    return session;
  }

  /** Remembers the response that a session gave last, in the place of the one before. */
  answered(session: Session, before: string | undefined, caller: string): void {
    if (before !== undefined) this.#byResponse.delete(`${caller} ${before}`);
    if (session.history.last !== undefined)
      this.#byResponse.set(`${caller} ${session.history.last}`, session);
  }

  /** Forgets everything and ends all upstream connections. */
  close(): void {
    clearInterval(this.#sweep);
    for (const session of [...this.#sessions.values(), ...this.#byResponse.values()]) session.end();
    this.#sessions.clear();
    this.#byResponse.clear();
  }

  #forgetIdle(): void {
    const before = Date.now() - this.#context.limits.sessionIdle;
    const idle = (session: Session) => !session.running && session.usedAt < before;
    for (const [key, session] of this.#sessions) if (idle(session)) this.#forget(key, session);
    for (const [id, session] of this.#byResponse) {
      if (!idle(session)) continue;
      session.end();
      this.#byResponse.delete(id);
    }
  }

  #forget(key: string, session: Session): void {
    session.end();
    this.#sessions.delete(key);
  }
}
