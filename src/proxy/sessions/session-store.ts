import type { ProxyContext } from '../proxy-context.ts';
import type { Identity } from '../shape/identity.ts';
import { Session } from './session.ts';
import type { SessionKey } from './session-key.ts';
import { type SharedSession, SharedSessions } from './shared-sessions.ts';
import type { Turn } from './turn.ts';
import type { TurnRequest } from './turn-request.ts';

/** The session of all requests of a client's websocket that name none. */
export type WebSocketSession = { session: Session | undefined };

/** Who made a request. */
export type SessionCaller = {
  /** Clients with different values share no session. */
  readonly caller: string;
  /** If the request came over a websocket. */
  readonly webSocket?: WebSocketSession | undefined;
};

type SharedRequest = SessionCaller & { readonly sessionKey: SessionKey; readonly request: TurnRequest };

/** The known sessions, by key and by last response. Both maps are in order of last use. */
export class SessionStore {
  readonly #context: ProxyContext;
  readonly #byKey = new Map<string, Session>();
  /** For clients that only send `previous_response_id`. */
  readonly #byResponse = new Map<string, Session>();
  /** What other processes of the proxy know. Undefined if there are none. */
  readonly #shared: SharedSessions | undefined;
  readonly #stopListening: (() => void) | undefined;
  /** The key of a session in #byResponse. */
  readonly #responseKeys = new WeakMap<Session, string>();
  readonly #sweep: NodeJS.Timeout;

  constructor(context: ProxyContext) {
    this.#context = context;
    const { state, limits } = context;
    this.#shared = state && new SharedSessions(state, limits.sessionIdle);
    this.#stopListening = this.#shared?.onReturn(() => this.#shareAgain());
    const period = Math.min(60_000, context.limits.sessionIdle);
    this.#sweep = setInterval(() => this.#forgetIdle(), period).unref();
  }

  get size(): number {
    return this.#byKey.size;
  }

  /**
   * Returns the session of a request: by its key, by the response that it continues from, or a new session. A session
   * without a key can only be found by its last response. A name that the client gives wins: the session then continues
   * from the response of another one. So does the session of a websocket.
   */
  async find(sessionKey: SessionKey, request: TurnRequest, by: SessionCaller): Promise<Session> {
    const { namedByClient } = sessionKey;
    const { known: own, adopted: other } = this.#local(sessionKey, request, by);
    const before = own ?? other;
    const [responseBefore, turnBefore] = [before?.history.lastResponseId, before?.lastTurn];
    const shared = await this.#readShared(sessionKey, request, by);
    const { webSocket, key, known, continued, adopted } = this.#local(sessionKey, request, by);
    const newIdentity = (): Identity => {
      if (shared !== undefined) return { session: shared.id, thread: shared.id };
      return (namedByClient ? undefined : continued?.identity) ?? sessionKey.identity();
    };
    const found = known ?? adopted;
    const session = found ?? new Session(this.#context, newIdentity());
    if (webSocket !== undefined) webSocket.session = session;
    // What has happened here since the read began is newer, unless the client names the response that it continues from.
    const isNamed = shared?.last !== undefined && request.previousResponseId !== undefined;
    const applies = (isAsBefore: boolean) => isNamed || found === undefined || isAsBefore;
    const sharedLast = applies(session.history.lastResponseId === responseBefore) ? shared?.last : undefined;
    const last = sharedLast ?? continued?.history.last;
    if (last !== undefined) session.history.continueFrom(last);
    const canContinue =
      session.shareAgain === undefined && applies(!session.running && session.lastTurn === turnBefore);
    if (canContinue && shared?.turn !== undefined) session.continueTurn(shared.turn);
    if (key !== undefined && (known !== undefined || adopted === undefined)) {
      this.#byKey.delete(key);
      this.#byKey.set(key, session);
      this.#forgetOldest(this.#byKey);
    }
    return session;
  }

  /** What this process knows of the session of a request. */
  #local({ namedByClient, key }: SessionKey, request: TurnRequest, { caller, webSocket }: SessionCaller) {
    const ownSocket = namedByClient ? undefined : webSocket;
    const ownKey = ownSocket === undefined ? key : undefined;
    const { previousResponseId } = request;
    const continued =
      previousResponseId === undefined ? undefined : this.#byResponse.get(`${caller} ${previousResponseId}`);
    return {
      webSocket: ownSocket,
      key: ownKey,
      known: ownKey === undefined ? ownSocket?.session : this.#byKey.get(ownKey),
      /** The session whose last response the request continues. */
      continued,
      adopted: namedByClient || ownSocket !== undefined ? undefined : continued,
    };
  }

  async #readShared(
    { namedByClient, key, identity }: SessionKey,
    request: TurnRequest,
    { caller, webSocket }: SessionCaller,
  ): Promise<SharedSession | undefined> {
    if (this.#shared === undefined) return undefined;
    const isOfWebSocket = webSocket !== undefined && !namedByClient;
    const own = isOfWebSocket ? webSocket.session : this.#byKey.get(key ?? '');
    const knows = (id: string) =>
      [own?.history.last, this.#byResponse.get(`${caller} ${id}`)?.history.last].some(
        (last) => last?.id === id && last.items !== undefined,
      );
    const place = { key: isOfWebSocket ? undefined : key, caller };
    const shared = await this.#shared.read(place, request, { knows, newId: () => identity().session });
    // What this process could not store is newer.
    return own?.shareAgain !== undefined && request.previousResponseId === undefined ? undefined : shared;
  }

  /** Lets other processes know a session before the client receives its response. Undefined if there are none. */
  sharing(
    session: Session,
    { sessionKey, request, caller, webSocket }: SharedRequest,
  ): ((turn: Turn) => Promise<void>) | undefined {
    const shared = this.#shared;
    if (shared === undefined) return undefined;
    const { namedByClient, key } = sessionKey;
    const place = { key: webSocket !== undefined && !namedByClient ? undefined : key, caller };
    // OpenAI's API lets a request without it continue on its own websocket only. Most clients send it, and the whole conversation.
    const continues = request.previousResponseId !== undefined || request.hasConversation;
    const isContinuable = request.isStored || continues || webSocket !== undefined;
    const before = session.history.lastResponseId;
    return async (turn) => {
      const share = async () => {
        const { last } = session.history;
        if (last === undefined) return;
        const isStored = await shared.write(
          place,
          { id: session.identity.session, turn, last, isContinuable },
          before,
        );
        session.shareAgain = isStored ? undefined : share;
      };
      await share();
    };
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
    // The shared state may have been back before the session could be found here.
    if (this.#context.state?.isAway === false) void session.shareAgain?.();
    // All short ones together are not too long.
    if (session.history.length > this.#context.limits.historyBytes / this.#context.limits.sessions) {
      this.#forgetLongHistories();
    }
  }

  close(): void {
    clearInterval(this.#sweep);
    this.#stopListening?.();
    for (const session of [...this.#byKey.values(), ...this.#byResponse.values()]) session.end();
    this.#byKey.clear();
    this.#byResponse.clear();
  }

  #shareAgain(): void {
    for (const session of this.#byResponse.values()) void session.shareAgain?.();
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
