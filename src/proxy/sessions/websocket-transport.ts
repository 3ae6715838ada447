import { setTimeout as delay } from 'node:timers/promises';
import { retryAfter } from '../http/account-limit.ts';
import { errorFromEvent } from '../http/errors.ts';
import { giveWay } from '../http/give-way.ts';
import { openUpstream, SilentUpgrade } from '../http/upstream/open-upstream.ts';
import { InsecureBackend } from '../http/upstream/way-out.ts';
import { reasonOf } from '../log.ts';
import type { ProxyContext } from '../proxy-context.ts';
import type { Identity } from '../shape/identity.ts';
import { printParts, type RawMember, valuesLength } from '../shape/raw-json.ts';
import type { RequestShaper } from '../shape/request-shaper.ts';
import { holderOf } from '../sign-in/sign-in.ts';
import { afterRefusedUpgrade, reconnectError } from './retry-policy.ts';
import type { TurnAttempt, UpstreamRefusal } from './turn.ts';
import { chainedMembers, continuedMembers, prewarmMembers, withTurnState } from './turn-request.ts';
import { ConnectionPool, type RequestEnding, UpstreamConnection } from './upstream-connection.ts';

import { watchAccount } from './watch-account.ts';

export type WebSocketOutcome = RequestEnding | NoConnection;

/** Why there was no connection to send the request on. */
type NoConnection =
  | UpstreamRefusal
  /** `retryAfter`: the pause that the backend asks for, in milliseconds. */
  | { readonly kind: 'unavailable'; readonly retryAfter: number | undefined }
  /** The session must use HTTP from now on. `isFinal`: also in its next conversation. */
  | { readonly kind: 'unsupported'; readonly reason: string; readonly isFinal: boolean }
  /** The next attempt has another account. */
  | { readonly kind: 'account changed' };

const unavailable = { kind: 'unavailable', retryAfter: undefined } as const;

const accountChanged = { kind: 'account changed' } as const;

/** Events with a response from which the next request can continue. */
const continuableTypes: ReadonlySet<string> = new Set(['response.completed', 'response.incomplete']);

/**
 * Refusals of an upgrade with 401 that are retried: two upgrades have the present sign-in and two the renewed one
 * (measured: codex 0.169.0, scenarios token-refresh and refresh-refused).
 */
const retriedRefusals = 3;

/** Bytes by which the envelope may lengthen a request. */
const longestEnvelope = 8 * 1024;

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

  /**
   * Makes an attempt on a connection of the pool if `reuse` is true and one fits, else on a new connection. A request that
   * is too large for the backend's websocket is not sent.
   */
  async attempt(attempt: TurnAttempt, reuse: boolean): Promise<WebSocketOutcome> {
    const { request, fullInput, turn, signal } = attempt;
    const { shape, limits, signIns } = this.#context;
    const { session } = this.#identity;
    await giveWay(valuesLength(request.members));
    const signIn = await signIns.current(session);
    if (!signIn.websockets) {
      return { kind: 'unsupported', reason: 'the sign-in forbids websockets', isFinal: true };
    }
    const kept = reuse ? this.#connections.next(holderOf(signIn), request.previousResponseId) : undefined;
    let members = continuedMembers(request, fullInput, kept?.lastResponseId);
    if (isTooLarge(members, limits.messageBytes)) return { kind: 'oversized' };
    const prewarms =
      kept === undefined && !this.#begun && request.previousResponseId === undefined && shape.prewarms;
    this.#begun = true;
    // The handshake has the turn metadata of the request that follows (measured: codex 0.169.0: of the prewarm in scenario
    // model-not-lite, of the turn in close-1006).
    const firstBody = () =>
      prewarms ? this.#shaper.body(prewarmMembers(request)) : this.#shaper.body(request.members, turn.values);
    const connection = kept ?? (await this.#open(attempt, firstBody().metadata()));
    if (!(connection instanceof UpstreamConnection)) return connection;
    if (prewarms) {
      const failure = await this.#prewarm(connection, attempt);
      if (failure !== undefined) {
        connection.end();
        // A failed prewarm is not counted as an attempt (measured: codex 0.169.0, scenario retries-exhausted).
        return failure.kind === 'unavailable' ? this.attempt(attempt, false) : failure;
      }
      const { lastResponseId } = connection;
      const isChained = lastResponseId !== undefined && !request.hasOutputFormat;
      if (isChained) members = chainedMembers(request, lastResponseId);
    }
    const { onEvent, amended, hasChanged } = watchAccount(attempt, connection.holder, signIns.hasSeveral);
    const shaped = this.#shaper.body(withTurnState(members, turn.state), turn.values);
    const { firstByte, idle } = limits;
    const ending = await connection.send({
      parts: printParts(shaped.members),
      firstByte,
      idle,
      signal,
      onEvent,
      onDeltas: attempt.onDeltas,
    });
    if (ending.kind === 'responded' && continuableTypes.has(ending.type)) {
      connection.lastResponseId = ending.id;
      signIns.served(session, connection.holder);
    }
    const isBroken =
      ending.kind !== 'responded' || reconnectError(ending.type, ending.text, true) !== undefined;
    if (isBroken) this.#connections.drop(connection);
    else this.#connections.keep(connection);
    if (hasChanged()) return accountChanged;
    return ending.kind === 'responded' ? { ...ending, text: amended(ending.type, ending.text) } : ending;
  }

  /** Sends a prewarm. Returns undefined if it succeeded. */
  async #prewarm(
    connection: UpstreamConnection,
    { request, signal, changesAccount }: TurnAttempt,
  ): Promise<WebSocketOutcome | undefined> {
    const ending = await connection.send({
      parts: printParts(this.#shaper.body(prewarmMembers(request)).members),
      firstByte: prewarmTimeout,
      idle: prewarmTimeout,
      signal,
      onEvent: () => undefined,
    });
    if (ending.kind === 'oversized') return ending;
    if (ending.kind === 'responded' && ending.type !== 'error') {
      if (ending.type === 'response.completed') connection.lastResponseId = ending.id;
      return undefined;
    }
    const error = ending.kind === 'responded' ? errorFromEvent(ending.type, ending.text) : undefined;
    if (error !== undefined && changesAccount(error, connection.holder)) return accountChanged;
    this.#context.log.info({}, 'opening a new connection: the prewarm got no response');
    return unavailable;
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
      return error instanceof SilentUpgrade ? useHttp(error.message) : unavailable;
    });
    if (upgrade.kind === 'unavailable' || upgrade.kind === 'unsupported') return upgrade;
    if (upgrade.kind === 'accepted') return new UpstreamConnection(upgrade, holderOf(signIn));
    const { response } = upgrade;
    const { status } = response;
    if (status === 401 && refusals < retriedRefusals) {
      signIns.refused(this.#identity.session, signIn);
      await delay(limits.retries[refusals + 1] ?? 0, undefined, { signal });
      return this.#open(attempt, metadata, refusals + 1);
    }
    if (status === 426) {
      return { kind: 'unsupported', reason: 'the backend accepts no websockets', isFinal: true };
    }
    const refusal = watchAccount(attempt, holderOf(signIn), signIns.hasSeveral).refusal(response);
    if (refusal === undefined) return accountChanged;
    const next = status === 401 ? 'report' : afterRefusedUpgrade(response);
    if (next === 'use http') return useHttp(`the backend refuses upgrades with ${status}`);
    if (next === 'retry') return { kind: 'unavailable', retryAfter: retryAfter(response.headers) };
    return { kind: 'response', response: refusal };
  }
}

function useHttp(reason: string) {
  return { kind: 'unsupported', reason, isFinal: false } as const;
}

function isTooLarge(members: readonly RawMember[], limit: number): boolean {
  // A UTF-16 code unit has up to three bytes in UTF-8. Counting them takes time, and few requests are large.
  if (3 * valuesLength(members) + longestEnvelope < limit) return false;
  return members.reduce((sum, [, value]) => sum + Buffer.byteLength(value), longestEnvelope) >= limit;
}
