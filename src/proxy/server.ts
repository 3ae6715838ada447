import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { type WebSocket, WebSocketServer } from 'ws';
import { listenAt } from '../listening.ts';
import { type HeaderList, pairHeaders } from '../wire/headers.ts';
import { uuid4 } from '../wire/ids.ts';
import { createServer } from '../wire/node-http.ts';
import { type AccessRules, requireAccess } from './guard.ts';
import { hostTexts } from './host.ts';
import { watchClient } from './http/client-liveness.ts';
import { ApiError, methodError, proxyError, toApiError } from './http/errors.ts';
import { isMessageTooBig } from './http/message-too-big.ts';
import { type HeldBytes, RequestBytes } from './http/request-bytes.ts';
import { addRequestId, endWithError, sendError } from './http/send.ts';
import { Timeout } from './http/timeout.ts';
import { endToEnd, upstreamUrl } from './http/upstream/send-upstream.ts';
import { checkWayOut } from './http/upstream/way-out.ts';
import { defaultLimits, type Limits } from './limits.ts';
import { type Logger, reasonOf } from './log.ts';
import { Metrics, type MetricsSnapshot } from './metrics.ts';
import type { ProxyContext } from './proxy-context.ts';
import type { RequestContext, UpgradeContext } from './request-context.ts';
import { type ProxyRoute, routeOf, usualTarget } from './routes.ts';
import { SessionStore } from './sessions/session-store.ts';
import { officialIdentity } from './shape/identity.ts';
import type { Shape } from './shape/shape.ts';
import { Renewals, type SignInSource } from './sign-in/renewals.ts';
import type { SharedState } from './state/shared-state.ts';

export type ProxyOptions = SignInSource & {
  readonly shape: Shape;
  /** The backend's base URL, such as https://chatgpt.com/backend-api/codex. `/responses` is appended. */
  readonly upstream: URL;
  /** The Host header of upstream requests. Default: the host of `upstream`. */
  readonly host?: string;
  /** The address to listen on. Default: 127.0.0.1. */
  readonly address?: string;
  /** The port to listen on. 0 for any free port. */
  readonly port: number;
  /** The key that clients must send. By default they need none. */
  readonly key?: string | undefined;
  /** Further names by which clients without the key may reach the proxy. By default its address and loopback. */
  readonly allowedHosts?: readonly string[] | undefined;
  /** The installation id, as the official client keeps it. Default: a new id. */
  readonly installation?: string | undefined;
  /** What several processes of the proxy share. Undefined if this one is alone. */
  readonly state?: SharedState | undefined;
  /** The metrics of other processes that serve the same port. */
  readonly otherMetrics?: (() => Promise<readonly MetricsSnapshot[]>) | undefined;
  readonly log: Logger;
  readonly limits?: Partial<Limits>;
};

/** Both are 0 unless given. */
export type StopTimes = { readonly grace?: number; readonly drain?: number };

export type RunningProxy = {
  readonly port: number;
  readonly metrics: () => MetricsSnapshot;
  /**
   * Serves as before for `drain` milliseconds, in which it is not ready. Then accepts no more requests, ends websockets without a
   * running turn, lets running turns finish for `grace` milliseconds, and ends all connections. Another call ends the waiting.
   */
  readonly close: (times?: StopTimes) => Promise<void>;
};

/** Starts the proxy. Throws ParityError when the port is taken, or a proxy in the environment cannot be used. */
export async function startProxy(options: ProxyOptions): Promise<RunningProxy> {
  checkWayOut(options.upstream);
  const proxy = new ProxyServer(options);
  return {
    port: await proxy.listen(options.port),
    metrics: () => proxy.metrics(),
    close: (times) => proxy.close(times),
  };
}

/** The abort reason when a client disconnects. One object for all, since every request ends with it. */
const clientLeft = new Error('the client disconnected');

/** Connections beyond the limit that are served, so that the proxy's health can be seen. The oldest one is ended. */
const mostSurplus = 64;

/** The largest request head, in bytes. */
const longestHead = 256 * 1024;

/** Milliseconds for a client to read why its websocket is closed, while nothing more is read from it. */
const refusalTime = 1000;

class ProxyServer {
  readonly #context: ProxyContext;
  readonly #access: AccessRules;
  readonly #sessions: SessionStore;
  readonly #server: Server;
  readonly #websockets: WebSocketServer;
  /** Headers of the backend's 101 response that are added to ours, by the client's request. */
  readonly #handshakes = new WeakMap<IncomingMessage, HeaderList>();
  /** All connections, including those that have become websockets. */
  readonly #connections = new Set<Duplex>();
  /** Cancels each request and each websocket that is being served. */
  readonly #requests = new Set<AbortController>();
  /** Connections beyond the limit, oldest first. */
  readonly #surplus = new Set<Duplex>();
  /** The response that a connection waits for or receives. */
  readonly #responses = new WeakMap<Duplex, ServerResponse>();
  readonly #otherMetrics: () => Promise<readonly MetricsSnapshot[]>;
  readonly #stopping = new AbortController();
  #isReady = true;
  /** Ends the time to drain. */
  readonly #draining = new AbortController();

  constructor(options: ProxyOptions) {
    const limits = { ...defaultLimits, ...options.limits };
    this.#context = {
      shape: options.shape,
      signIns: new Renewals(options),
      upstream: options.upstream,
      responses: upstreamUrl(options.upstream, '/v1/responses'),
      hostTexts: hostTexts(options.installation ?? uuid4()),
      host: options.host ?? options.upstream.host,
      withoutWebsockets: new Set(),
      state: options.state,
      limits,
      requestBytes: new RequestBytes(limits.requestBytes),
      log: options.log,
      metrics: new Metrics(),
    };
    const { address = '127.0.0.1', key, allowedHosts = [] } = options;
    this.#access = { address, key, hosts: new Set(allowedHosts.map((name) => name.toLowerCase())) };
    this.#otherMetrics = options.otherMetrics ?? (async () => []);
    this.#sessions = new SessionStore(this.#context);
    this.#server = createServer({
      maxHeaderSize: longestHead,
      requestTimeout: limits.requestTime,
      keepAliveTimeout: limits.keepAlive,
      // Finds clients that are gone without a word.
      keepAlive: true,
      keepAliveInitialDelay: limits.ping,
      // Clients may offer other protocols, such as h2c. A server ignores what it does not speak (RFC 9110, section 7.8).
      shouldUpgradeCallback: ({ method, headers }) =>
        method === 'GET' && headers.upgrade?.trim().toLowerCase() === 'websocket',
    });
    // Node drops further headers silently. With one more than allowed, #admit can refuse the request.
    this.#server.maxHeadersCount = limits.headers + 1;
    this.#websockets = new WebSocketServer({
      noServer: true,
      // On loopback, compression costs more than the bytes it saves.
      perMessageDeflate: false,
      maxPayload: limits.bodyBytes,
    });
    this.#websockets.on('headers', (lines, request) => {
      lines.push(...(this.#handshakes.get(request) ?? []).map(([name, value]) => `${name}: ${value}`));
    });
    // Such as too many open files. Without a listener it would end the process. Before it listens, listenAt throws.
    this.#server.on('error', (error) => {
      if (this.#server.listening) options.log.warn({}, `cannot accept a connection: ${reasonOf(error)}`);
    });
    this.#server.on('connection', (socket) => this.#countConnection(socket));
    this.#server.on('timeout', endUnused);
    this.#server.on('request', (request, response) => void this.#serveHttp(request, response));
    this.#server.on('upgrade', (request, socket, head) => void this.#serveUpgrade(request, socket, head));
    this.#server.on('clientError', (error, socket) => this.#refuseUnreadable(error, socket));
  }

  listen(port: number): Promise<number> {
    return listenAt(this.#server, port, this.#access.address);
  }

  /** What is counted when it is read is counted now. */
  metrics(): MetricsSnapshot {
    const { metrics, requestBytes, state } = this.#context;
    if (state !== undefined) {
      metrics.set('state_away', Number(state.isAway));
      metrics.set('state_failures_total', state.failures);
    }
    metrics.set('sessions', this.#sessions.size);
    metrics.set('request_bytes', requestBytes.held);
    return metrics.snapshot();
  }

  async close({ grace = 0, drain = 0 }: StopTimes = {}): Promise<void> {
    this.#isReady = false;
    if (drain === 0) this.#draining.abort();
    else await delay(drain, undefined, { signal: this.#draining.signal }).catch(() => {});
    this.#stopping.abort();
    const closed = once(this.#server, 'close');
    this.#server.close();
    const { metrics } = this.#context;
    const deadline = Date.now() + grace;
    const isRunning = () => metrics.value('running_turns') > 0;
    while (isRunning() && Date.now() < deadline) await delay(20);
    const cut = proxyError(503, 'stopping', 'the proxy stopped before the response was complete');
    for (const request of this.#requests) request.abort(cut);
    const flushed = Date.now() + 1000;
    const isOpen = () => isRunning() || this.#connections.size > 0;
    while (isOpen() && Date.now() < flushed) {
      this.#server.closeIdleConnections();
      await delay(20);
    }
    this.#sessions.close();
    for (const socket of this.#connections) socket.destroy();
    await closed;
  }

  #countConnection(socket: Duplex): void {
    const { metrics, limits } = this.#context;
    this.#connections.add(socket);
    if (this.#connections.size - this.#surplus.size > limits.connections) this.#surplus.add(socket);
    const [oldest] = this.#surplus;
    if (this.#surplus.size > mostSurplus) oldest?.destroy();
    metrics.add('clients');
    socket.once('close', () => {
      this.#connections.delete(socket);
      this.#surplus.delete(socket);
      metrics.add('clients', -1);
    });
  }

  async #serveHttp(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { metrics, limits } = this.#context;
    const gone = new AbortController();
    this.#requests.add(gone);
    const { socket } = request;
    // A client that keeps the connection would be refused again and again, and not come to another proxy.
    const isStopping = this.#stopping.signal.aborted;
    if (isStopping || this.#surplus.has(socket)) response.shouldKeepAlive = false;
    this.#responses.set(socket, response);
    const heldBytes = this.#context.requestBytes.open();
    response.once('close', () => {
      heldBytes.release();
      this.#requests.delete(gone);
      if (this.#responses.get(socket) === response) this.#responses.delete(socket);
      if (!response.writableFinished) gone.abort(clientLeft);
    });
    request.on('error', () => {});
    response.on('error', () => {});
    metrics.add('running_turns');
    try {
      const context = this.#contextOf(request, heldBytes, gone.signal);
      if (context.identity === undefined) addRequestId(response);
      const route = this.#admit(context);
      if (route.methods?.includes(context.method) === false) throw methodError(context, route.methods);
      await route.http({ ...context, response });
    } catch (error) {
      if (gone.signal.reason !== clientLeft) sendError(response, this.#report(gone.signal.reason ?? error));
      // Do not wait for the rest of a body that was refused.
      if (!request.complete) response.once('finish', () => request.destroy());
    } finally {
      metrics.add('running_turns', -1);
      // A client that does not read its response would keep the connection forever.
      if (!response.writableFinished && !response.closed) {
        const late = new Timeout(limits.idle, () => socket.destroy());
        response.once('close', () => late.end());
      }
    }
  }

  async #serveUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    // Without a listener, a client that resets its connection would end the process.
    socket.on('error', () => {});
    const gone = new AbortController();
    this.#requests.add(gone);
    const heldBytes = this.#context.requestBytes.open();
    socket.once('close', () => {
      heldBytes.release();
      this.#requests.delete(gone);
      gone.abort(clientLeft);
    });
    try {
      const context = this.#contextOf(request, heldBytes, gone.signal);
      const route = this.#admit(context);
      if (route.websocket === undefined) {
        throw proxyError(404, 'not_found', 'websockets are served at /v1/responses only');
      }
      await route.websocket({
        ...context,
        socket,
        head,
        ...this.#websocketOf(request, socket, head, heldBytes),
      });
    } catch (error) {
      const apiError = this.#report(gone.signal.reason ?? error);
      if (gone.signal.reason !== clientLeft) endWithError(socket, apiError, apiError.event);
    }
  }

  /** Apart from what lasts as long as the connection, so that the request does not. */
  #websocketOf(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    heldBytes: HeldBytes,
  ): Pick<UpgradeContext, 'countRunning' | 'accept'> {
    const { metrics, limits } = this.#context;
    const { isRunning, countRunning } = runningCounter(metrics);
    return {
      countRunning,
      accept: async (headers) => {
        const client = await this.#accept(request, socket, head, headers);
        watchClient({ client, socket, limits, isRunning });
        countMessages(client, socket, heldBytes);
        return client;
      },
    };
  }

  #accept(request: IncomingMessage, socket: Duplex, head: Buffer, headers: HeaderList): Promise<WebSocket> {
    this.#handshakes.set(request, endToEnd(headers));
    return new Promise((resolve) => {
      this.#websockets.handleUpgrade(request, socket, head, (client) => {
        // Without a listener, a malformed frame would end the process.
        client.on('error', (error) => {
          if (!isMessageTooBig(error)) client.terminate();
        });
        resolve(client);
      });
    });
  }

  #contextOf(request: IncomingMessage, heldBytes: HeldBytes, signal: AbortSignal): RequestContext {
    const headers = pairHeaders(request.rawHeaders);
    return {
      ...this.#context,
      sessions: this.#sessions,
      request,
      method: request.method ?? 'GET',
      target: usualTarget(request.url ?? ''),
      headers,
      identity: officialIdentity(headers),
      heldBytes,
      signal,
      currentMetrics: () => this.metrics(),
      otherMetrics: this.#otherMetrics,
      isReady: () => this.#isReady,
      stopping: this.#stopping.signal,
    };
  }

  /** Checks that a client may make a request, and counts it. Throws ApiError otherwise. */
  #admit({ headers, target, metrics, limits, request }: RequestContext): ProxyRoute {
    if (headers.length > limits.headers) {
      throw proxyError(431, 'too_many_headers', `the request has more than ${limits.headers} headers`);
    }
    const route = routeOf(target);
    requireAccess(headers, this.#access, route.isPublic);
    if (this.#surplus.has(request.socket) && route.isPublic !== true) {
      throw proxyError(
        503,
        'too_many_connections',
        `the proxy has ${limits.connections} connections of clients`,
      );
    }
    if (this.#stopping.signal.aborted) throw proxyError(503, 'stopping', 'the proxy is about to stop');
    metrics.add('requests_total', 1, `route=${route.name}`);
    return route;
  }

  /** Responds to bytes that Node could not parse as a request. */
  #refuseUnreadable(error: Error, socket: Duplex): void {
    if (!socket.writable || this.#responses.get(socket)?.headersSent === true) {
      socket.destroy();
      return;
    }
    const known = parseErrors.get('code' in error ? error.code : undefined);
    const parseError = proxyError(...(known ?? [400, 'bad_request', 'this is not an HTTP request']));
    endWithError(socket, this.#report(parseError));
  }

  /** The error for the client. Counts it, and logs it if the proxy itself did not raise it. */
  #report(error: unknown): ApiError {
    const { metrics, log } = this.#context;
    if (!(error instanceof ApiError)) log.warn({}, `failed: ${reasonOf(error)}`);
    const apiError = toApiError(error);
    metrics.add('refusals_total', 1, `code=${(apiError.code ?? 'none').replaceAll(/\W/g, '_')}`);
    return apiError;
  }
}

/** Counts the running turns of one websocket. */
function runningCounter(metrics: Metrics) {
  let running = 0;
  return {
    isRunning: () => running > 0,
    countRunning: (change: 1 | -1) => {
      running += change;
      metrics.add('running_turns', change);
    },
  };
}

/** Counts the bytes of a client's messages as they are read. Ends the websocket when all requests have too many. */
function countMessages(client: WebSocket, socket: Duplex, heldBytes: HeldBytes): void {
  const count = (bytes: Buffer) => {
    try {
      heldBytes.read(bytes.length);
    } catch (error) {
      // These bytes may complete a message, and the client may send more.
      socket.off('data', count);
      client.removeAllListeners('message').pause();
      client.send(toApiError(error).event);
      client.close(1013);
      setTimeout(() => client.terminate(), refusalTime);
    }
  };
  // Before the message is complete, which the same bytes may do.
  socket.prependListener('data', count);
}

/**
 * Ends a kept connection that was unused for too long, unless it has a request that is not read yet: one that
 * came while the process was stopped.
 */
function endUnused(socket: Socket): void {
  const { bytesRead } = socket;
  new Timeout(0, () => {
    if (socket.bytesRead === bytesRead) socket.destroy();
  });
}

/** The errors for a request that Node could not parse, by Node's error code. */
const parseErrors: ReadonlyMap<unknown, Parameters<typeof proxyError>> = new Map([
  ['HPE_HEADER_OVERFLOW', [431, 'too_many_headers', 'the request has too many or too long headers']],
  ['ERR_HTTP_REQUEST_TIMEOUT', [408, 'request_timeout', 'the request took too long to arrive']],
]);
