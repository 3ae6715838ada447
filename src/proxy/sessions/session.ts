import { setTimeout as delay } from 'node:timers/promises';
import { retryAfter } from '../http/account-limit.ts';
import type { Deltas } from '../http/deltas.ts';
import { type ApiError, proxyError } from '../http/errors.ts';
import type { ProxyContext } from '../proxy-context.ts';
import type { Identity } from '../shape/identity.ts';
import { mostAccountChanges } from '../sign-in/renewals.ts';
import { isPublicEvent, turnMetadataEvent, turnStateIn, withPreviousResponse } from './event-fields.ts';
import { History, type TurnRecorder } from './history.ts';
import { HttpTransport } from './http-transport.ts';
import { backendSilent, errorAttempts, reconnectError, responseCutOff } from './retry-policy.ts';
import { newTurn, type Turn, type TurnAttempt, type TurnOptions, type TurnResult } from './turn.ts';
import { startsConversation } from './turn-request.ts';
import type { RequestEnding } from './upstream-connection.ts';
import { WebSocketTransport } from './websocket-transport.ts';

/**
 * One session with the backend for a client that is not official: its identity, connections and history. It follows the
 * official client's rules: it prefers the websocket, sends the full input on a new connection if one breaks, and uses
 * HTTP for the rest of the session if the backend accepts no websockets. retry-policy.ts has the measured retries.
 */
export class Session {
  readonly identity: Identity;
  readonly history: History;
  usedAt = Date.now();
  /** Lets other processes of the proxy know its last response, if they do not: the shared state was away. */
  shareAgain: (() => Promise<void>) | undefined;
  readonly #context: ProxyContext;
  readonly #websocket: WebSocketTransport;
  readonly #http: HttpTransport;
  /** Why the session uses HTTP. What failed in one conversation is tried again in the next one that begins alike. */
  #usesHttp: 'unsupported' | 'failed' | undefined;
  #lastTurn = newTurn();
  #runningTurns = 0;
  #idleTimer: NodeJS.Timeout | undefined;

  constructor(context: ProxyContext, identity: Identity) {
    const sessionValues = new Map(context.hostTexts);
    this.#context = context;
    this.identity = identity;
    this.#websocket = new WebSocketTransport(context, identity, sessionValues);
    this.#http = new HttpTransport(context, identity, sessionValues);
    this.history = new History(context.limits.historyBytes);
  }

  get running(): boolean {
    return this.#runningTurns > 0;
  }

  /** Runs a turn and passes its events to `onEvent`. Throws ApiError if the backend sends no complete response. */
  async turn(options: TurnOptions): Promise<TurnResult> {
    this.#runningTurns += 1;
    this.usedAt = Date.now();
    try {
      const result = await this.#turn(options);
      if (result.kind === 'response') return result;
      return { ...result, last: withPreviousResponse(result.last, options.request.previousResponseId) };
    } finally {
      this.#runningTurns -= 1;
      this.usedAt = Date.now();
      this.#endWhenIdle();
    }
  }

  get lastTurn(): Turn {
    return this.#lastTurn;
  }

  /** Continues a turn that another process of the proxy has begun. */
  continueTurn(turn: Turn): void {
    this.#lastTurn = turn;
  }

  #endWhenIdle(): void {
    if (this.#idleTimer !== undefined) {
      this.#idleTimer.refresh();
      return;
    }
    const end = () => {
      if (!this.running) this.end();
    };
    this.#idleTimer = setTimeout(end, this.#context.limits.connectionIdle).unref();
  }

  /** Ends the connections. The next turn opens a new one. */
  end(): void {
    clearTimeout(this.#idleTimer);
    this.#idleTimer = undefined;
    this.#websocket.end();
  }

  async #turn(options: TurnOptions): Promise<TurnResult> {
    const { limits, metrics, log, signIns } = this.#context;
    const { signal } = options;
    const request = this.history.continued(options.request);
    if (!request.continuesTurn) this.#lastTurn = newTurn();
    const turn = this.#lastTurn;
    const recorder = this.history.startTurn(request);
    const { fullInput } = recorder;
    const delivery = startDelivery(turn, recorder, options);
    let accountChanges = 0;
    const changesAccount = (error: ApiError, holder: string): boolean => {
      const canMove = fullInput?.some((item) => encryptedContent.test(item)) === false;
      const isOther = signIns.failed(this.identity.session, { error, holder, canMove });
      if (!isOther || accountChanges >= mostAccountChanges || !delivery.discard()) return false;
      accountChanges += 1;
      log.info({}, 'the session changes to another account: the limit of its account is reached');
      return true;
    };
    const { deliver: onEvent } = delivery;
    const overHttp: TurnAttempt = { turn, request, fullInput, signal, onEvent, changesAccount };
    // An error frame comes over a websocket that works. So the last one is the response, and HTTP is not tried.
    const overWebSocket = (isLast: boolean): TurnAttempt => ({
      ...overHttp,
      onDeltas: delivery.deliverDeltas,
      onEvent: (type, text) => {
        const retries = !isLast && reconnectError(type, text, fullInput !== undefined) !== undefined;
        return retries && delivery.discard() ? undefined : delivery.deliver(type, text);
      },
    });
    if (this.#usesHttp === 'failed' && startsConversation(request)) this.#usesHttp = undefined;
    /** The pause that the backend asked for last, in milliseconds. */
    let requestedPause: number | undefined;
    let attempts = 0;
    let silences = 0;
    while (this.#usesHttp === undefined && attempts < limits.retries.length) {
      const pause = requestedPause ?? limits.retries[attempts] ?? 0;
      if (pause > 0) await delay(pause, undefined, { signal });
      requestedPause = undefined;
      const isLast = attempts >= Math.min(errorAttempts, limits.retries.length) - 1;
      const outcome = await this.#websocket.attempt(overWebSocket(isLast), attempts === 0);
      if (outcome.kind === 'response') return outcome;
      if (outcome.kind === 'account changed') continue;
      attempts += 1;
      if (outcome.kind === 'unsupported') {
        this.#fallBack(outcome.isFinal ? 'unsupported' : 'failed', outcome.reason);
        break;
      }
      if (outcome.kind === 'unavailable') {
        requestedPause = outcome.retryAfter;
        if (isLast) break;
        continue;
      }
      if (outcome.kind === 'responded' && delivery.hasBegun()) {
        await delivery.completed();
        return { kind: 'events', last: outcome.text };
      }
      const reason = reasonFor(outcome);
      if (outcome.kind === 'lost' && outcome.isSilent) silences += 1;
      // The connection may have been dead. A backend that is silent again would cost the client minutes each time.
      if (silences > 1) throw proxyError(502, backendSilent, `${reason}, twice`);
      if (signal.aborted || !delivery.discard()) {
        throw proxyError(502, responseCutOff, `the response was cut off: ${reason}`);
      }
      if (outcome.kind === 'oversized') {
        log.info({}, `using HTTP for this request: ${reason}`);
        return this.#http.run(overHttp, delivery.discard);
      }
      if (outcome.kind === 'responded') {
        requestedPause = retryAfter(reconnectError(outcome.type, outcome.text, true)?.headers ?? []);
      }
      metrics.add('reconnects_total');
      log.info({}, `opening a new connection: ${reason}`);
    }
    if (this.#usesHttp === undefined) this.#fallBack('failed', 'all attempts over the websocket failed');
    if (requestedPause !== undefined) await delay(requestedPause, undefined, { signal });
    return this.#http.run(overHttp, delivery.discard);
  }

  #fallBack(cause: 'unsupported' | 'failed', reason: string): void {
    this.#usesHttp = cause;
    this.#context.metrics.add('http_fallbacks_total');
    this.#context.log.info({}, `the session changes to HTTP: ${reason}`);
  }
}

/** Items that only the account can read that they were made for. */
const encryptedContent = /"encrypted_content":\s*"/;

function reasonFor(ending: RequestEnding): string {
  if (ending.kind === 'lost') return ending.reason;
  return ending.kind === 'oversized' ? 'it is too large' : 'the backend asks for a new connection';
}

/** Passes the events of a turn to the client and the history, and takes them back before a retry. */
function startDelivery(turn: Turn, recorder: TurnRecorder, options: TurnOptions) {
  const { request, onEvent, onDeltas, discardEvents, beforeCompleted } = options;
  let begun = false;
  let completed: Promise<void> | undefined;
  return {
    hasBegun: () => begun,
    deliver: (type: string, text: string): Promise<void> | undefined => {
      if (type === turnMetadataEvent) turn.state ??= turnStateIn(text);
      if (!isPublicEvent(type)) return undefined;
      begun = true;
      // Most events are deltas, which name no response.
      if (type.endsWith('.delta')) return onEvent(type, text);
      recorder.record(type, text);
      const send = () =>
        onEvent(type, withPreviousResponse(recorder.withOutput(type, text), request.previousResponseId));
      if (type !== 'response.completed' || beforeCompleted === undefined) return send();
      completed = beforeCompleted(turn).then(send);
      // The turn waits for it, and then throws what it throws.
      completed.catch(() => {});
      return completed;
    },
    deliverDeltas:
      onDeltas &&
      ((deltas: Deltas) => {
        begun = true;
        return onDeltas(deltas);
      }),
    /** Resolves when the client was sent that the response is complete. */
    completed: () => completed,
    /** Takes back all events. Returns false if some have already reached the client, so that a retry is impossible. */
    discard: (): boolean => {
      if (!begun) return true;
      if (discardEvents?.() !== true) return false;
      recorder.discard();
      begun = false;
      return true;
    },
  };
}
