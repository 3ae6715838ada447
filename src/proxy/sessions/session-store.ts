import type { ProxyContext } from '../proxy-context.ts';
import { Session } from './session.ts';
import type { SessionKey } from './session-key.ts';

/** The known sessions, by key and by last response. Both maps are in order of last use. */
export class SessionStore {
  readonly #context: ProxyContext;
  readonly #byKey = new Map<string, Session>();
  /** For clients that only send `previous_response_id`. */
  readonly #byResponse = new Map<string, Session>();
  /** The key of a session in #byResponse. */
  readonly #responseKeys = new WeakMap<Session, string>();
  readonly #sweep: NodeJS.Timeout;

  constructor(context: ProxyContext) {
    this.#context = context;
    const period = Math.min(60_000, context.limits.sessionIdle);
    this.#sweep = setInterval(() => this.#forgetIdle(), period).unref();
  }

  get size(): number {
    return this.#byKey.size;
  }

  /**
   * Returns the session of a request: by its key, by the response that it continues from, or a new session. A session
   * without a key can only be found by its last response. A name that the client gives wins: the session then continues
   * from the response of another one.
   */
  find(
    { key, namedByClient, identity }: SessionKey,
    previousResponseId: string | undefined,
    caller: string,
  ): Session {
    const continued =
      previousResponseId === undefined ? undefined : this.#byResponse.get(`${caller} ${previousResponseId}`);
    const known = key === undefined ? undefined : this.#byKey.get(key);
    const adopted = namedByClient ? undefined : continued;
    const session = known ?? adopted ?? new Session(this.#context, identity());
    if (continued !== undefined) session.history.continueFrom(continued.history);
    if (key !== undefined && (known !== undefined || adopted === undefined)) {
      this.#byKey.delete(key);
      this.#byKey.set(key, session);
      this.#forgetOldest(this.#byKey);
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
    // All short ones together are not too long.
    if (session.history.length > this.#context.limits.historyBytes / this.#context.limits.sessions) {
      this.#forgetLongHistories();
    }
  }

  close(): void {
    clearInterval(this.#sweep);
    for (const session of [...this.#byKey.values(), ...this.#byResponse.values()]) session.end();
    this.#byKey.clear();
    this.#byResponse.clear();
  }

  /** Keeps the histories of all sessions within their limit. Those of the sessions used last stay. */
  #forgetLongHistories(): void {
    let length = 0;
    for (const { history } of [...this.#byResponse.values()].reverse()) {
      length += history.length;
      if (length > this.#context.limits.historyBytes) history.forgetItems();
    }
  }

  #forgetIdle(): void {
    const before = Date.now() - this.#context.limits.sessionIdle;
    for (const sessions of [this.#byKey, this.#byResponse]) {
      for (const [key, session] of sessions) {
        if (!session.running && session.usedAt < before) this.#forget(sessions, key, session);
      }
    }
  }

  /** Keeps a map within its limit. Running sessions stay. */
  #forgetOldest(sessions: Map<string, Session>): void {
    for (const [oldest, session] of sessions) {
      if (sessions.size <= this.#context.limits.sessions) break;
      if (!session.running) this.#forget(sessions, oldest, session);
    }
  }

  #forget(sessions: Map<string, Session>, key: string, session: Session): void {
    session.end();
    sessions.delete(key);
    // Only what can be found by its last response is counted as history.
    if (sessions === this.#byResponse) session.history.forgetItems();
  }
}
