import type { ProxyContext } from '../proxy-context.ts';
import type { Claim } from './claim.ts';
import { Session } from './session.ts';

/** The sessions that are known, by the ids that clients gave them. */
export class SessionStore {
  readonly #context: ProxyContext;
  /** In the order of last use. */
  readonly #sessions = new Map<string, Session>();
  /** Sessions by their last response, for clients that name nothing else; in the order of last use. */
  readonly #byResponse = new Map<string, Session>();
  /** Under which response a session stands there. */
  readonly #responses = new WeakMap<Session, string>();
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
      this.#bound(this.#sessions);
    }
    return session;
  }

  /** Remembers the response that a session gave last, in the place of the one before. */
  answered(session: Session, caller: string): void {
    const before = this.#responses.get(session);
    if (before !== undefined) this.#byResponse.delete(before);
    const { last } = session.history;
    if (last === undefined) return;
    const response = `${caller} ${last}`;
    this.#responses.set(session, response);
    this.#byResponse.set(response, session);
    this.#bound(this.#byResponse);
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
    for (const sessions of [this.#sessions, this.#byResponse]) {
      for (const [key, session] of sessions) {
        if (!session.running && session.usedAt < before) forget(sessions, key, session);
      }
    }
  }

  /** Forgets the oldest where there are too many; one that is running stays. */
  #bound(sessions: Map<string, Session>): void {
    for (const [oldest, session] of sessions) {
      if (sessions.size <= this.#context.limits.sessions) break;
      if (!session.running) forget(sessions, oldest, session);
    }
  }
}

function forget(sessions: Map<string, Session>, key: string, session: Session): void {
  session.end();
  sessions.delete(key);
}
