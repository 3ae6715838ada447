import { headerValue, pairHeaders } from '../../wire/headers.ts';
import { SseDecoder } from '../../wire/sse.ts';
import { ApiError, errorFromEvent, proxyError } from '../http/errors.ts';
import { giveWay } from '../http/give-way.ts';
import { Timeout } from '../http/timeout.ts';
import type { BackendMessage } from '../http/upstream/backend-message.ts';
import {
  decodedBody,
  longestRefusal,
  readResponse,
  SilentBackend,
  sendUpstream,
} from '../http/upstream/send-upstream.ts';
import { InsecureBackend } from '../http/upstream/way-out.ts';
import { isLastEvent } from '../http/upstream-events.ts';
import type { Limits } from '../limits.ts';
import { reasonOf } from '../log.ts';
import type { ProxyContext } from '../proxy-context.ts';
import type { Identity } from '../shape/identity.ts';
import { valuesLength } from '../shape/raw-json.ts';
import type { PackedPost } from '../shape/request-shaper.ts';
import { holderOf, type SignIn } from '../sign-in/sign-in.ts';
import { eventType, turnStateName } from './event-fields.ts';
import {
  backendSilent,
  backendUnreachable,
  errorAttempts,
  isRetriedPost,
  type PostOutcome,
  responseCutOff,
  withRetries,
} from './retry-policy.ts';
import type { TurnAttempt, TurnResult } from './turn.ts';
import { continuedMembers } from './turn-request.ts';
import type { EventHandler } from './upstream-connection.ts';
import { watchAccount } from './watch-account.ts';

export class HttpTransport {
  readonly #context: ProxyContext;
  readonly #identity: Identity;
  readonly #sessionValues: Map<string, string>;

  constructor(context: ProxyContext, identity: Identity, sessionValues: Map<string, string>) {
    this.#context = context;
    this.#identity = identity;
    this.#sessionValues = sessionValues;
  }

  /**
   * Sends a request and retries; see retry-policy.ts. `discardEvents` takes back what an attempt has delivered; see
   * startDelivery. Returns the last result. Throws ApiError if it is a failure.
   */
  async run(attempt: TurnAttempt, discardEvents: () => boolean): Promise<TurnResult> {
    const { limits, metrics, log, shape } = this.#context;
    if (!shape.speaksHttp) {
      throw proxyError(
        502,
        backendUnreachable,
        `the backend takes this request over HTTP only, and codex ${shape.codex} has no golden of scenario http-fallback`,
      );
    }
    const { signal } = attempt;
    const pauses = limits.retries.slice(1, errorAttempts);
    const onRetry = (outcome: PostOutcome) => {
      metrics.add('http_retries_total');
      log.info({}, `retrying over HTTP: ${reasonFor(outcome)}`);
    };
    const shouldRetry = (outcome: PostOutcome) => isRetriedPost(outcome) && discardEvents();
    const outcome = await withRetries(() => this.#post(attempt), { pauses, shouldRetry, onRetry, signal });
    if (outcome.kind === 'failed') throw outcome.error;
    return outcome;
  }

  #post(attempt: TurnAttempt): Promise<PostOutcome> {
    return this.#postWithSignIn(attempt, 0).catch((error: unknown) => {
      if (error instanceof ApiError) return { kind: 'failed', error };
      throw error;
    });
  }

  /**
   * Posts. If the sign-in is refused, posts again at once, and then once more with a renewed sign-in. An API key is not
   * renewed (measured: codex 0.169.0, with responses of 401 to all POSTs).
   */
  async #postWithSignIn(attempt: TurnAttempt, refusals: number): Promise<PostOutcome> {
    const { request, fullInput, turn } = attempt;
    const { shape, host, signIns, limits } = this.#context;
    const shaper = shape.shaper('http', {
      identity: this.#identity,
      clientHeaders: turn.state === undefined ? [] : [[turnStateName, turn.state]],
      sessionValues: this.#sessionValues,
    });
    const { session } = this.#identity;
    const signIn = await signIns.current(session);
    const account = watchAccount(attempt, holderOf(signIn), signIns.hasSeveral);
    const members = continuedMembers(request, fullInput, undefined);
    await giveWay(valuesLength(members));
    const packed = await shaper.post({ members, host, signIn, turnValues: turn.values });
    const response = await this.#send(packed, attempt.signal);
    if (isEventStream(response)) {
      turn.state ??= headerValue(pairHeaders(response.rawHeaders), turnStateName);
      const last = await readEvents(response, account.onEvent, limits);
      if (account.hasChanged()) return this.#postWithSignIn(attempt, 0);
      const type = eventType(last);
      if (errorFromEvent(type, last) === undefined) signIns.served(session, holderOf(signIn));
      return { kind: 'events', last: account.amended(type, last) };
    }
    const refusesSignIn = response.statusCode === 401 && signIn.lane === 'chatgpt' && refusals < 2;
    if (refusesSignIn && (refusals === 0 || (await this.#renew(signIn)))) {
      response.destroy();
      return this.#postWithSignIn(attempt, refusals + 1);
    }
    const bounds = { bytes: longestRefusal, milliseconds: limits.idle };
    const whole = await readResponse(response, bounds).catch(cutOff);
    const refusal = account.refusal(whole);
    if (refusal === undefined) return this.#postWithSignIn(attempt, 0);
    return { kind: 'response', response: refusal, isFinal: response.statusCode === 401 };
  }

  /** Sends a POST. Resolves to the head of the response. Throws ApiError if no response begins in time. */
  async #send(packed: PackedPost, signal: AbortSignal): Promise<BackendMessage> {
    const { responses, limits, metrics, shape } = this.#context;
    metrics.add('upstream_connections_total', 1, 'transport=http');
    return sendUpstream({
      url: responses,
      method: 'POST',
      ...packed,
      signal,
      firstByte: limits.firstByte,
      form: shape.httpForm,
    }).catch((error: unknown) => {
      if (error instanceof InsecureBackend) throw error;
      // A timeout is not retried: the official client waits for more than a minute (measured: codex 0.169.0).
      const code = error instanceof SilentBackend ? backendSilent : backendUnreachable;
      throw proxyError(502, code, `the backend cannot be reached: ${reasonOf(error)}`);
    });
  }

  /** Renews a refused sign-in. Returns whether it succeeded. */
  async #renew(refused: SignIn): Promise<boolean> {
    const { signIns, log } = this.#context;
    const renewal = signIns.renew(this.#identity.session, refused).then(() => true);
    return renewal.catch((error: unknown) => {
      log.warn({}, `the sign-in is refused: ${reasonOf(error)}`);
      return false;
    });
  }
}

/**
 * Whether a response is one of events. The official client reads the events of every successful response, whatever its
 * content type (measured: codex 0.118.0 and 0.169.0).
 */
function isEventStream({ statusCode = 0 }: BackendMessage): boolean {
  return statusCode >= 200 && statusCode < 300;
}

function cutOff(error: unknown): never {
  if (error instanceof ApiError) throw error;
  throw proxyError(502, responseCutOff, `the response was cut off: ${reasonOf(error)}`);
}

/**
 * Passes the events of a stream to `onEvent`. Resolves to the last event. Throws ApiError if the stream is cut off or silent
 * for too long, if the client stops reading for as long, or if an event is too large.
 */
async function readEvents(
  response: BackendMessage,
  onEvent: EventHandler,
  { bodyBytes: longest, idle }: Limits,
): Promise<string> {
  const decoder = new SseDecoder();
  let undecoded = 0;
  const { promise: stopped, reject: stop } = Promise.withResolvers<never>();
  stopped.catch(() => {});
  let waitsForClient = false;
  const late = new Timeout(idle, () => {
    const error = waitsForClient
      ? proxyError(502, responseCutOff, 'the response was cut off: the client stopped reading')
      : proxyError(502, backendSilent, `the backend sent nothing for ${idle / 1000} s`);
    stop(error);
    response.destroy(error);
  });
  try {
    for await (const chunk of decodedBody(response)) {
      late.refresh();
      const bytes: Buffer = chunk;
      const events = decoder.push(bytes);
      undecoded = events.length > 0 ? 0 : undecoded + bytes.length;
      if (undecoded > longest) throw new Error(`an event of more than ${longest} bytes`);
      for (const { data } of events) {
        const type = eventType(data);
        const handled = onEvent(type, data);
        if (handled !== undefined) {
          waitsForClient = true;
          await Promise.race([handled, stopped]);
          waitsForClient = false;
        }
        if (isLastEvent(type)) return data;
      }
    }
  } catch (error) {
    cutOff(error);
  } finally {
    late.end();
  }
  throw proxyError(502, responseCutOff, 'the response was cut off');
}

function reasonFor(outcome: PostOutcome): string {
  if (outcome.kind === 'failed') return outcome.error.message;
  return outcome.kind === 'response' ? `the backend responded with ${outcome.response.status}` : outcome.kind;
}
