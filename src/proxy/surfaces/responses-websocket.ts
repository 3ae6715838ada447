import type { WebSocket } from 'ws';
import { printJson } from '../../wire/json.ts';
import { ApiError, errorFromBackend, invalidRequest, proxyError, toApiError } from '../http/errors.ts';
import { FrameWriter, toBuffer } from '../http/frame-writer.ts';
import { reasonOf } from '../log.ts';
import type { UpgradeContext } from '../request-context.ts';
import { eventType } from '../sessions/event-fields.ts';
import { runTurn } from '../sessions/run-turn.ts';
import type { WebSocketSession } from '../sessions/session-store.ts';
import { readTurnRequest, type TurnRequest } from '../sessions/turn-request.ts';
import { printMembers, rawMembers } from '../shape/raw-json.ts';
import { stoppingCode, whenStopping } from '../stopping.ts';
import { droppedHeader } from './http-turn.ts';

/** Requests of one client that may wait while another runs. */
const longestQueue = 16;

/** Serves the websocket of `/v1/responses`: one request after the other, in order. */
export async function serveResponsesWebSocket(context: UpgradeContext): Promise<void> {
  const client = await context.accept([]);
  const queue = new RequestQueue(context, client);
  client.on('message', (data) => queue.add(toBuffer(data).toString('utf8')));
  client.once('close', () => queue.end());
}

/** A request, and what forgets its bytes. */
type WaitingRequest = { readonly text: string; readonly forget: () => void };

/** The requests of one websocket. The first one runs, the others wait. */
class RequestQueue {
  readonly #context: UpgradeContext;
  readonly #client: WebSocket;
  readonly #frames: FrameWriter;
  readonly #closing = new AbortController();
  readonly #waiting: WaitingRequest[] = [];
  #running = false;
  readonly #webSocket: WebSocketSession = { session: undefined };

  constructor(context: UpgradeContext, client: WebSocket) {
    this.#context = { ...context, signal: this.#closing.signal };
    this.#client = client;
    this.#frames = new FrameWriter(context.socket);
    const { signal } = context;
    signal.addEventListener('abort', () => this.#closing.abort(signal.reason), { once: true });
    whenStopping(context, () => this.#closeIdle());
  }

  /** Cancels everything: the client has disconnected. */
  end(): void {
    this.#closing.abort();
    this.#webSocket.session?.end();
  }

  /**
   * Adds a request. Disconnects a client that sends many more requests than it receives responses: pausing
   * it instead would also hide that it disconnects.
   */
  add(text: string): void {
    if (this.#closing.signal.aborted) return;
    const { limits, heldBytes } = this.#context;
    const { bodyBytes } = limits;
    const forget = heldBytes.complete();
    // A client that reads no responses to its messages would fill the memory.
    if (this.#client.bufferedAmount > 2 * bodyBytes) {
      this.#client.terminate();
      return;
    }
    const refusal = refusalOf(text);
    if (refusal !== undefined) {
      forget();
      this.#send(refusal);
      return;
    }
    this.#waiting.push({ text, forget });
    if (!this.#running) {
      void this.#runAll();
    } else if (isTooLong(this.#waiting, bodyBytes)) {
      this.#closing.abort();
      this.#waiting.length = 0;
      this.#sendError(proxyError(429, 'too_many_requests', 'too many requests wait for the running one'));
      this.#client.close(1008);
    }
  }

  async #runAll(): Promise<void> {
    this.#running = true;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      await this.#run(next.text);
      next.forget();
    }
    this.#running = false;
    this.#closeIdle();
  }

  #closeIdle(): void {
    if (this.#context.stopping.aborted && !this.#running) this.#client.close(stoppingCode);
  }

  async #run(text: string): Promise<void> {
    const context = this.#context;
    context.countRunning(1);
    try {
      if (context.stopping.aborted) throw proxyError(503, 'stopping', 'the proxy is about to stop');
      const request = readTurnRequest(text, context.shape);
      const result = await runTurn(context, {
        request,
        onEvent: (type, event) => this.#sendEvent(withDropped(type, event, request)),
        webSocket: this.#webSocket,
      });
      if (result.kind === 'response' && !context.signal.aborted)
        this.#sendError(errorFromBackend(result.response));
    } catch (error) {
      const isCut = context.signal.reason instanceof ApiError;
      if (context.signal.aborted && !isCut) return;
      if (!(error instanceof ApiError)) context.log.warn({}, `failed: ${reasonOf(error)}`);
      const apiError = toApiError(error);
      this.#sendError(apiError);
      // The next turn would most likely fail too.
      if (apiError.status >= 500) this.#client.close(1011);
    } finally {
      context.countRunning(-1);
    }
  }

  /** Sends an event. Returns a promise for when the client can take more, if it cannot now. */
  #sendEvent(text: string): Promise<void> | undefined {
    if (this.#client.readyState !== this.#client.OPEN) return undefined;
    this.#frames.send('text', Buffer.from(text));
    return this.#frames.full ? this.#frames.drained() : undefined;
  }

  #sendError(error: ApiError): void {
    this.#send(error.event);
  }

  #send(event: string): void {
    this.#frames.flush();
    this.#client.send(event);
  }
}

/**
 * Returns the event that refuses a message other than a request; undefined for a request. It is sent at once, since such
 * a message is about the running response. The API has `response.steer`, whose input a client can send in its next request.
 */
function refusalOf(text: string): string | undefined {
  const type = eventType(text);
  if (type === '' || type === 'response.create') return undefined;
  if (type !== 'response.steer') {
    const message = `Invalid value: '${type.slice(0, 64)}'. Supported values are: 'response.create'.`;
    return invalidRequest(message, 'type', 'invalid_value').event;
  }
  const { error } = invalidRequest(
    'the proxy steers no responses: send the input with the next response.create',
    null,
    'steering_not_supported',
  );
  const steer = (rawMembers(text) ?? []).filter(([key]) => key === 'input' || key === 'previous_response_id');
  return printMembers([
    ['type', '"response.steer.failed"'],
    ['sequence_number', '0'],
    ['steer', printMembers(steer)],
    ['error', printJson(error)],
  ]);
}

/** Adds what was dropped from the request to the first event: messages have no headers. */
function withDropped(type: string, event: string, { droppedParams }: TurnRequest): string {
  if (type !== 'response.created' || droppedParams.length === 0) return event;
  return `${event.slice(0, event.lastIndexOf('}'))},"${droppedHeader}":${JSON.stringify(droppedParams.join(', '))}}`;
}

/** Whether a queue has too many requests, or too many bytes in all. */
function isTooLong(queue: readonly WaitingRequest[], bytes: number): boolean {
  return queue.length > longestQueue || queue.reduce((sum, { text }) => sum + text.length, 0) > bytes;
}
