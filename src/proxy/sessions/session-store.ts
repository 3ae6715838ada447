import type { ProxyContext } from '../proxy-context.ts';
import type { Claim } from './claim.ts';
import { Session } from './session.ts';

/** The known sessions, by claim and by last response. Both maps are in order of last use. */
export class SessionStore {
  readonly #context: ProxyContext;
  readonly #byClaim = new Map<string, Session>();
  /** For clients that only send `previous_response_id`. */
  readonly #byResponse = new Map<string, Session>();
  /** The key of a session in #byResponse. */
  readonly #responseKeys = new WeakMap<Session, string>();
  readonly #sweep: NodeJS.Timeout;

  constructor(context: ProxyContext) {
    this.#context = context;
    this.#sweep = setInterval(() => this.#forgetIdle(), 60_000).unref();
  }

  get size(): number {
    return this.#byClaim.size;
  }

  /**
   * Returns the session of a request: by its claim, by the response that it continues from, or a new session. A session
   * without a claim key can only be found by its last response.
   */
  find({ key, identity }: Claim, previousResponseId: string | undefined, caller: string): Session {
    const continued =
      previousResponseId === undefined ? undefined : this.#byResponse.get(`${caller} ${previousResponseId}`);
    const known = key === undefined ? undefined : this.#byClaim.get(key);
    const session = known ?? continued ?? new Session(this.#context, identity());
    if (key !== undefined && (known !== undefined || continued === undefined)) {
      this.#byClaim.delete(key);
      this.#byClaim.set(key, session);
      this.#forgetOldest(this.#byClaim);
    }
    return session;
  }

  rememberResponse(session: Session, caller: string): void {
    const before = this.#responseKeys.get(session);
    if (before !== undefined) this.#byResponse.delete(before);
    const { lastResponseId } = session.history;
    if (lastResponseId === undefined) return;
    const key = `${caller} ${lastResponseId}`;
    this.#responseKeys.set(session, key);
    this.#byResponse.set(key, session);
    this.#forgetOldest(this.#byResponse);
  }

  close(): void {
    clearInterval(this.#sweep);
    for (const session of [...this.#byClaim.values(), ...this.#byResponse.values()]) session.end();
    this.#byClaim.clear();
    this.#byResponse.clear();
  }

  #forgetIdle(): void {
    const before = Date.now() - this.#context.limits.sessionIdle;
    for (const sessions of [this.#byClaim, this.#byResponse]) {
      for (const [key, session] of sessions) {
        if (!session.running && session.usedAt < before) forget(sessions, key, session);
      }
    }
  }

  /** Keeps a map within its limit. Running sessions stay. */
  #forgetOldest(sessions: Map<string, Session>): void {
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
