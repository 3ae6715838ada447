import { setTimeout as delay } from 'node:timers/promises';
import { type HeaderList, headerValue, pairHeaders } from '../../wire/headers.ts';
import { ApiError, proxyError } from '../http/errors.ts';
import { openUpstream } from '../http/upstream/open-upstream.ts';
import type { BackendResponse } from '../http/upstream/send-upstream.ts';
import { reasonOf } from '../log.ts';
import type { ProxyContext } from '../proxy-context.ts';
import type { Identity } from '../shape/identity.ts';
import { packPost } from '../shape/pack-post.ts';
import type { RawMember } from '../shape/raw-json.ts';
import type { RequestShaper } from '../shape/request-shaper.ts';
import type { SignIn } from '../sign-in/sign-in.ts';
import {
  canBeAskedAgain,
  cutOff,
  isBackendsFault,
  type PostOutcome,
  pauseIn,
  reconnecting,
  repeated,
  repeatedPosts,
  unreachable,
} from './again.ts';
import { Connection, type Ending, type TakeEvent } from './connection.ts';
import { Connections } from './connections.ts';
import { responseId, turnState, turnStateIn } from './event.ts';
import { History } from './history.ts';
import { askByPost, isStream, takeEvents, wholeAnswer } from './post.ts';
import { prewarmOf, type TurnRequest, withState } from './turn-request.ts';

/** What the backend sent for a turn. */
export type TurnResult =
  /** Events, of which this is the last. */
  | { readonly kind: 'events'; readonly last: string }
  /** An HTTP response without events, which is for the client. */
  | { readonly kind: 'response'; readonly response: BackendResponse };

/** The request could not even be sent; `pause` is the one that the backend asks for, in milliseconds. */
type Unavailable = { readonly kind: 'unavailable'; readonly pause: number | undefined };

const unavailable: Unavailable = { kind: 'unavailable', pause: undefined };

/** What holds for all requests of one turn. */
type Turn = {
  /** The values of the golden's variables: the turn's id, when it began. */
  readonly values: Map<string, string>;
  /** What the backend wants to hear again until the turn ends; the first value counts (measured: codex 0.169.0). */
  state: string | undefined;
};

/** One attempt at a turn. */
type Try = {
  readonly request: TurnRequest;
  /** All that was said up to and with the request; undefined where nobody here knows. */
  readonly full: readonly string[] | undefined;
  readonly turn: Turn;
  readonly first: boolean;
  readonly signal: AbortSignal;
  readonly take: TakeEvent;
};

/** Events with a response that the next request may go on from. */
const responds: ReadonlySet<string> = new Set(['response.completed', 'response.incomplete']);

/**
 * Upgrades refused with 401 after which there is another: two with the sign-in there is, then it is renewed, and two
 * more (measured: codex 0.169.0, scenarios token-refresh and refresh-refused).
 */
const refusedUpgrades = 3;

/** Milliseconds a prewarm may take (measured: codex 0.169.0). */
const prewarmTime = 15_000;

/**
 * One conversation of a client that the proxy speaks for: its identity, its upstream connections, and what is known of
 * what was said. It keeps to the rules of the official client: the websocket first, a new connection with the full
 * input where one breaks, HTTP for the rest of the session where the backend takes no websockets. How often it asks
 * again, and after what, is measured (codex 0.169.0): see again.ts.
 */
export class Session {
  readonly #context: ProxyContext;
  readonly #identity: Identity;
  /** Values that hold for the whole session. */
  readonly #lasting: Map<string, string>;
  readonly #websocket: RequestShaper;
  readonly history: History;
  /** Turns side by side have one each. */
  readonly #connections: Connections;
  /** The id of the prewarm's response, until a turn went on from it. */
  #warm: string | undefined;
  /** The turn that began last. */
  #last: Turn = { values: new Map(), state: undefined };
  #http = false;
  #begun = false;
  #running = 0;
  #closing: NodeJS.Timeout | undefined;
  usedAt = Date.now();

  constructor(context: ProxyContext, identity: Identity) {
    this.#context = context;
    this.#identity = identity;
    this.#lasting = new Map(context.hostTexts);
    this.#websocket = context.shape.shaper('websocket', { identity, sessionValues: this.#lasting });
    this.history = new History(context.limits.historyBytes);
    this.#connections = new Connections(context.limits.connectionAge);
  }

  get running(): boolean {
    return this.#running > 0;
  }

  /**
   * Takes one turn to the backend and hands out the events that answer it, to `take`. Where an answer fails after it
   * began, `forget` is asked: true where nothing of it has reached the client, and all is forgotten that was handed
   * out, so that the turn can be asked for again. Throws ApiError where there is no answer.
   */
  async turn(
    request: TurnRequest,
    signal: AbortSignal,
    take: TakeEvent,
    forget: () => boolean,
  ): Promise<TurnResult> {
    this.#running += 1;
    this.usedAt = Date.now();
    clearTimeout(this.#closing);
    try {
      return await this.#turn(request, signal, take, forget);
    } finally {
      this.#running -= 1;
      this.usedAt = Date.now();
      if (!this.running) {
        this.#closing = setTimeout(() => this.end(), this.#context.limits.connectionIdle).unref();
      }
    }
  }

  /** Ends the upstream connections; the next turn opens another. */
  end(): void {
    clearTimeout(this.#closing);
    this.#connections.end();
  }

  async #turn(
    request: TurnRequest,
    signal: AbortSignal,
    take: TakeEvent,
    forget: () => boolean,
  ): Promise<TurnResult> {
    const { limits, metrics, log } = this.#context;
    const notes = this.history.begin(request);
    // What a tool gave back goes on with the turn that asked for it.
    if (!request.continues) this.#last = { values: new Map(), state: undefined };
    const turn = this.#last;
    let delivered = false;
    const deliver: TakeEvent = (type, text) => {
      delivered = true;
      if (type === 'response.metadata') turn.state ??= turnStateIn(text);
      notes.hear(type, text);
      return take(type, text);
    };
    /** Whether nothing of the answer stands, so that another may take its place. */
    const cleared = () => {
      if (!delivered) return true;
      if (!forget()) return false;
      notes.forget();
      delivered = false;
      return true;
    };
    const plain = { request, full: notes.full, turn, first: false, signal };
    const overWebSocket = {
      ...plain,
      take: (type: string, text: string) =>
        reconnecting(type, text, notes.full !== undefined) !== undefined && cleared()
          ? undefined
          : deliver(type, text),
    };
    /** The pause that the backend asked for last. */
    let told: number | undefined;
    for (const [at, pause] of limits.retries.entries()) {
      if (this.#http) break;
      const wait = told ?? pause;
      if (wait > 0) await delay(wait, undefined, { signal });
      const begins = !this.#begun;
      let attempt = await this.#attempt({ ...overWebSocket, first: at === 0 });
      // What goes wrong with the prewarm is not counted (measured: codex 0.169.0, scenarios upgrade-500 and
      // retries-exhausted: seven upgrades, six of them with a request).
      if (begins && attempt.kind === 'unavailable' && !this.#http)
        attempt = await this.#attempt(overWebSocket);
      told = attempt.kind === 'unavailable' ? attempt.pause : undefined;
      if (attempt.kind === 'unavailable') continue;
      if (attempt.kind === 'response') return attempt;
      if (attempt.kind === 'answered' && delivered) return { kind: 'events', last: attempt.text };
      const reason = attempt.kind === 'lost' ? attempt.reason : 'the backend asks for a new connection';
      if (signal.aborted || !cleared()) throw proxyError(502, cutOff, `the answer was cut off: ${reason}`);
      if (attempt.kind === 'answered')
        told = pauseIn(reconnecting(attempt.type, attempt.text, true)?.headers ?? []);
      metrics.add('reconnects_total');
      log.info({}, `a new connection is made: ${reason}`);
    }
    if (!this.#http) this.#fallBack('the websocket failed again and again');
    if (told !== undefined) await delay(told, undefined, { signal });
    return this.#overHttp({ ...plain, take: deliver }, cleared);
  }

  /** One attempt over the websocket: on the connection that is there, else on a new one. */
  async #attempt(attempt: Try): Promise<Ending | Unavailable | Extract<TurnResult, { kind: 'response' }>> {
    const { request, full, turn, first, signal, take } = attempt;
    const { limits } = this.#context;
    const signIn = await this.#signIn();
    if (!signIn.websockets) {
      this.#fallBack('the sign-in is not for websockets');
      return unavailable;
    }
    const kept = first ? this.#connections.next(accountOf(signIn), request.previous) : undefined;
    const prewarmed = kept === undefined && !this.#begun;
    this.#begun = true;
    const warms = prewarmed && request.previous === undefined && this.#context.shape.prewarms;
    // The handshake tells of the request that it is made for (measured: codex 0.169.0: the prewarm in scenario
    // model-not-lite, the turn in close-1006).
    const opening = () =>
      warms ? this.#websocket.body(prewarmOf(request)) : this.#websocket.body(request.members, turn.values);
    const connection = kept ?? (await this.#open(request, signal, opening().metadata));
    if (!(connection instanceof Connection)) return connection;
    if (warms) {
      const warm = await this.#prewarm(connection, request, signal);
      if (!warm) {
        connection.end();
        this.#context.log.info({}, 'a new connection is made: the prewarm was not answered');
        return unavailable;
      }
    }
    const members = this.#members(request, full, connection.last);
    const patience = { firstByte: limits.firstByte, idle: limits.idle };
    const ending = await connection.ask(
      this.#websocket.body(withState(members, turn.state), turn.values).text,
      patience,
      signal,
      take,
    );
    if (ending.kind === 'answered' && responds.has(ending.type)) connection.last = responseId(ending.text);
    if (ending.kind === 'lost' || reconnecting(ending.type, ending.text, true))
      this.#connections.drop(connection);
    else this.#connections.keep(connection);
    return ending;
  }

  /**
   * What goes on the wire: the client's previous response where the connection has it, or nobody here knows what was
   * said before it; else the full input. The first turn goes on from the prewarm.
   */
  #members(
    request: TurnRequest,
    full: readonly string[] | undefined,
    last: string | undefined,
  ): readonly RawMember[] {
    const { members, previous, formatted } = request;
    const chained = (id: string): RawMember[] => [...members, ['previous_response_id', JSON.stringify(id)]];
    if (previous === undefined) {
      const warm = last !== undefined && last === this.#warm && !formatted;
      this.#warm = undefined;
      return warm ? chained(last) : members;
    }
    if (previous === last || full === undefined) return chained(previous);
    return members.map(([key, value]) => (key === 'input' ? [key, `[${full.join(',')}]`] : [key, value]));
  }

  /** Prepares the model as the golden shows. */
  async #prewarm(connection: Connection, request: TurnRequest, signal: AbortSignal): Promise<boolean> {
    const body = this.#websocket.body(prewarmOf(request)).text;
    const ending = await connection.ask(
      body,
      { firstByte: prewarmTime, idle: prewarmTime },
      signal,
      () => undefined,
    );
    if (ending.kind !== 'answered') return false;
    if (ending.type === 'response.completed') connection.last = this.#warm = responseId(ending.text);
    return ending.type !== 'error';
  }

  /** A new upstream websocket, where the backend takes one now; else its response, where it is not asked again. */
  async #open(
    request: TurnRequest,
    signal: AbortSignal,
    metadata: string | undefined,
    refusals = 0,
  ): Promise<Connection | Unavailable | Extract<TurnResult, { kind: 'response' }>> {
    const context = this.#context;
    const { limits, metrics, log, host, shape } = context;
    const signIn = await this.#signIn();
    const facts = { host, signIn, model: request.model, tier: request.tier };
    const upgrade = await openUpstream({
      url: context.responses,
      compresses: shape.compresses,
      signal,
      connectTime: limits.connectTime,
      maximumBytes: limits.bodyBytes,
      headers: (key) => this.#websocket.handshakeHeaders({ ...facts, key, metadata }),
    }).catch((error: unknown) => {
      log.warn({}, `the backend cannot be reached: ${reasonOf(error)}`);
      return undefined;
    });
    if (upgrade === undefined) return unavailable;
    metrics.add('upstream_connections_total', 1, 'transport=websocket');
    if (upgrade.kind === 'accepted') return new Connection(upgrade.socket, accountOf(signIn));
    const { response } = upgrade;
    const { status } = response;
    metrics.add('upstream_refusals_total', 1, `status=${status}`);
    log.info({ status }, `the backend refused the upgrade with ${status}`);
    if (status === 401 && refusals < refusedUpgrades) {
      context.signIns.refused(this.#identity.session, signIn);
      await delay(limits.retries[refusals + 1] ?? 0, undefined, { signal });
      return this.#open(request, signal, metadata, refusals + 1);
    }
    if (status === 426) {
      this.#fallBack('the backend takes no websockets');
      return unavailable;
    }
    const again = status !== 401 && canBeAskedAgain({ kind: 'response', response, isFinal: false });
    return again ? { kind: 'unavailable', pause: pauseIn(response.headers) } : { kind: 'response', response };
  }

  async #signIn(): Promise<SignIn> {
    return this.#context.signIns.current(this.#identity.session);
  }

  /** Whether there is another sign-in in the place of one that was refused. */
  async #renews(signIn: SignIn): Promise<boolean> {
    try {
      await this.#context.signIns.renew(this.#identity.session, signIn);
      return true;
    } catch (error) {
      this.#context.log.warn({}, `the sign-in is refused: ${reasonOf(error)}`);
      return false;
    }
  }

  #fallBack(reason: string): void {
    this.#http = true;
    this.#context.metrics.add('http_fallbacks_total');
    this.#context.log.info({}, `the session goes over to HTTP: ${reason}`);
  }

  /**
   * Asks over HTTP, again where the official client would: six attempts, of five POSTs each where the backend fails at
   * them. What comes of it last is the client's.
   */
  async #overHttp(attempt: Try, cleared: () => boolean): Promise<TurnResult> {
    const { limits, metrics, log, shape } = this.#context;
    if (!shape.speaksHttp) {
      throw proxyError(
        502,
        unreachable,
        `the backend takes no websocket, and codex ${shape.codex} has no golden of scenario http-fallback`,
      );
    }
    const noted = (again: boolean, outcome: PostOutcome) => {
      if (!again) return false;
      metrics.add('http_retries_total');
      log.info({}, `retrying over HTTP: ${reasonFor(outcome)}`);
      return true;
    };
    const { signal } = attempt;
    const pauses = limits.retries.slice(1);
    const posts = () =>
      repeated(
        () => this.#post(attempt),
        pauses.slice(0, repeatedPosts),
        (outcome) => noted(isBackendsFault(outcome), outcome),
        signal,
      );
    const again = (outcome: PostOutcome) => noted(canBeAskedAgain(outcome) && cleared(), outcome);
    const outcome = await repeated(posts, pauses, again, signal);
    if (outcome.kind === 'failed') throw outcome.error;
    return outcome;
  }

  /**
   * One POST; another at once where the sign-in is refused, and a third with a renewed one. An API key is not renewed
   * (measured: codex 0.169.0, POSTs that are all answered with 401).
   */
  async #post(attempt: Try): Promise<PostOutcome> {
    try {
      return await this.#postOnce(attempt, 0);
    } catch (error) {
      if (error instanceof ApiError) return { kind: 'failed', error };
      throw error;
    }
  }

  async #postOnce(attempt: Try, refusals: number): Promise<PostOutcome> {
    const { request, full, turn, signal, take } = attempt;
    const context = this.#context;
    const state: HeaderList = turn.state === undefined ? [] : [[turnState, turn.state]];
    const shaper = context.shape.shaper('http', {
      identity: this.#identity,
      clientHeaders: state,
      sessionValues: this.#lasting,
    });
    const members = this.#members(request, full, undefined);
    const signIn = await this.#signIn();
    const packed = await packPost(shaper, { members, host: context.host, signIn, turnValues: turn.values });
    const answer = await askByPost(context, packed, signal);
    if (isStream(answer)) {
      turn.state ??= headerValue(pairHeaders(answer.rawHeaders), turnState);
      return { kind: 'events', last: await takeEvents(answer, take) };
    }
    const isOfSignIn = answer.statusCode === 401 && signIn.lane === 'chatgpt' && refusals < 2;
    const goesOn = isOfSignIn && (refusals === 0 || (await this.#renews(signIn)));
    if (!goesOn) {
      return {
        kind: 'response',
        response: await wholeAnswer(answer, context.limits),
        isFinal: isOfSignIn,
      };
    }
    answer.destroy();
    return this.#postOnce(attempt, refusals + 1);
  }
}

/** Why a POST is sent again, for the log. */
function reasonFor(outcome: PostOutcome): string {
  if (outcome.kind === 'failed') return outcome.error.message;
  return outcome.kind === 'response' ? `the backend responded with ${outcome.response.status}` : outcome.kind;
}

/** What tells accounts apart. */
function accountOf(signIn: SignIn): string {
  return signIn.lane === 'chatgpt' ? signIn.accountId : signIn.accessToken;
}
