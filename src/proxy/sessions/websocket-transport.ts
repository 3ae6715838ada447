import { setTimeout as delay } from 'node:timers/promises';
import { openUpstream } from '../http/upstream/open-upstream.ts';
import { InsecureBackend } from '../http/upstream/way-out.ts';
import { reasonOf } from '../log.ts';
import type { ProxyContext } from '../proxy-context.ts';
import type { Identity } from '../shape/identity.ts';
import type { RequestShaper } from '../shape/request-shaper.ts';
import type { SignIn } from '../sign-in/sign-in.ts';
import { responseId } from './event-fields.ts';
import { isRetriedUpgrade, reconnectError, retryAfter } from './retry-policy.ts';
import type { TurnAttempt, UpstreamRefusal } from './turn.ts';
import { chainedMembers, continuedMembers, prewarmMembers, withTurnState } from './turn-request.ts';
import { ConnectionPool, type RequestEnding, UpstreamConnection } from './upstream-connection.ts';

export type WebSocketOutcome = RequestEnding | NoConnection;

/** Why there was no connection to send the request on. */
type NoConnection =
  | UpstreamRefusal
  /** `retryAfter`: the pause that the backend asks for, in milliseconds. */
  | { readonly kind: 'unavailable'; readonly retryAfter: number | undefined }
  /** The session must use HTTP from now on. */
  | { readonly kind: 'unsupported'; readonly reason: string };

const unavailable: NoConnection = { kind: 'unavailable', retryAfter: undefined };

/** Events with a response from which the next request can continue. */
const continuableTypes: ReadonlySet<string> = new Set(['response.completed', 'response.incomplete']);

/**
 * Refusals of an upgrade with 401 that are retried: two upgrades have the present sign-in and two the renewed one
 * (measured: codex 0.169.0, scenarios token-refresh and refresh-refused).
 */
const retriedRefusals = 3;

/** Milliseconds for a prewarm (measured: codex 0.169.0). */
const prewarmTimeout = 15_000;

export class WebSocketTransport {
  readonly #context: ProxyContext;
  readonly #identity: Identity;
  readonly #shaper: RequestShaper;
  readonly #connections: ConnectionPool;
  #begun = false;

  constructor(context: ProxyContext, identity: Identity, sessionValues: Map<string, string>) {
    this.#context = context;
    this.#identity = identity;
    this.#shaper = context.shape.shaper('websocket', { identity, sessionValues });
    this.#connections = new ConnectionPool(context.limits.connectionAge);
  }

  end(): void {
    this.#connections.end();
  }

  /** Makes an attempt on a connection of the pool if `reuse` is true and one fits, else on a new connection. */
  async attempt(attempt: TurnAttempt, reuse: boolean): Promise<WebSocketOutcome> {
    const isFirst = !this.#begun;
    const outcome = await this.#attemptOnce(attempt, reuse);
    // A failed prewarm is not counted as an attempt (measured: codex 0.169.0, scenarios upgrade-500 and
    // retries-exhausted: seven upgrades, six of them with a request).
    return isFirst && outcome.kind === 'unavailable' ? this.#attemptOnce(attempt, false) : outcome;
  }

  async #attemptOnce(attempt: TurnAttempt, reuse: boolean): Promise<WebSocketOutcome> {
    const { request, fullInput, turn, signal, onEvent } = attempt;
    const { shape, limits, signIns } = this.#context;
    const signIn = await signIns.current(this.#identity.session);
    if (!signIn.websockets) return { kind: 'unsupported', reason: 'the sign-in forbids websockets' };
    const kept = reuse ? this.#connections.next(accountOf(signIn), request.previousResponseId) : undefined;
    const prewarms =
      kept === undefined && !this.#begun && request.previousResponseId === undefined && shape.prewarms;
    this.#begun = true;
    // The handshake has the turn metadata of the request that follows (measured: codex 0.169.0: of the prewarm in scenario
    // model-not-lite, of the turn in close-1006).
    const firstBody = () =>
      prewarms ? this.#shaper.body(prewarmMembers(request)) : this.#shaper.body(request.members, turn.values);
    const connection = kept ?? (await this.#open(attempt, firstBody().metadata));
    if (!(connection instanceof UpstreamConnection)) return connection;
    if (prewarms && !(await this.#prewarm(connection, attempt))) {
      connection.end();
      this.#context.log.info({}, 'opening a new connection: the prewarm got no response');
      return unavailable;
    }
    const { lastResponseId } = connection;
    const members =
      prewarms && lastResponseId !== undefined && !request.hasOutputFormat
        ? chainedMembers(request, lastResponseId)
        : continuedMembers(request, fullInput, lastResponseId);
    const ending = await connection.send({
      text: this.#shaper.body(withTurnState(members, turn.state), turn.values).text,
      firstByte: limits.firstByte,
      idle: limits.idle,
      signal,
      onEvent,
    });
    if (ending.kind === 'responded' && continuableTypes.has(ending.type)) {
      connection.lastResponseId = responseId(ending.text);
    }
    const isBroken = ending.kind === 'lost' || reconnectError(ending.type, ending.text, true) !== undefined;
    if (isBroken) this.#connections.drop(connection);
    else this.#connections.keep(connection);
    return ending;
  }

  /** Sends a prewarm. Returns whether it succeeded. */
  async #prewarm(connection: UpstreamConnection, { request, signal }: TurnAttempt): Promise<boolean> {
    const ending = await connection.send({
      text: this.#shaper.body(prewarmMembers(request)).text,
      firstByte: prewarmTimeout,
      idle: prewarmTimeout,
      signal,
      onEvent: () => undefined,
    });
    if (ending.kind !== 'responded') return false;
    if (ending.type === 'response.completed') connection.lastResponseId = responseId(ending.text);
    return ending.type !== 'error';
  }

  /** Opens a connection. `metadata` is the turn metadata of the request that follows. */
  async #open(
    attempt: TurnAttempt,
    metadata: string | undefined,
    refusals = 0,
  ): Promise<UpstreamConnection | NoConnection> {
    const { request, signal } = attempt;
    const { limits, log, host, responses, signIns } = this.#context;
    const signIn = await signIns.current(this.#identity.session);
    const facts = { host, signIn, model: request.model, tier: request.tier };
    const upgrade = await openUpstream(this.#context, {
      url: responses,
      signal,
      headers: (key) => this.#shaper.handshakeHeaders({ ...facts, key, metadata }),
    }).catch((error: unknown) => {
      if (error instanceof InsecureBackend) throw error;
      log.warn({}, `the backend cannot be reached: ${reasonOf(error)}`);
      return undefined;
    });
    if (upgrade === undefined) return unavailable;
    if (upgrade.kind === 'accepted') return new UpstreamConnection(upgrade.socket, accountOf(signIn));
    const { response } = upgrade;
    const { status } = response;
    if (status === 401 && refusals < retriedRefusals) {
      signIns.refused(this.#identity.session, signIn);
      await delay(limits.retries[refusals + 1] ?? 0, undefined, { signal });
      return this.#open(attempt, metadata, refusals + 1);
    }
    if (status === 426) return { kind: 'unsupported', reason: 'the backend accepts no websockets' };
    if (status === 401 || !isRetriedUpgrade(response)) return { kind: 'response', response };
    return { kind: 'unavailable', retryAfter: retryAfter(response.headers) };
  }
}

/** Returns what distinguishes the account of a sign-in from others. */
function accountOf(signIn: SignIn): string {
  return signIn.lane === 'chatgpt' ? signIn.accountId : signIn.accessToken;
}
