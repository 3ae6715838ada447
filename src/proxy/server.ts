import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { type WebSocket, WebSocketServer } from 'ws';
import { listenAt } from '../listening.ts';
import { type HeaderList, pairHeaders } from '../wire/headers.ts';
import { uuid4 } from '../wire/ids.ts';
import type { ProxyContext, SignIns } from './context.ts';
import { type Door, refuseStrangers, requireKey } from './guard.ts';
import { hostTexts } from './host.ts';
import { endToEnd } from './http/end-to-end.ts';
import { ApiError, proxyError, toApiError } from './http/errors.ts';
import { endWithError, sendError, sendJson } from './http/send.ts';
import { type Limits, usualLimits } from './limits.ts';
import { type Logger, reasonOf } from './log.ts';
import { Metrics } from './metrics.ts';
import { passThrough } from './relay/pass-through.ts';
import { relayPost } from './relay/post.ts';
import { relayWebSocket } from './relay/websocket.ts';
import { type Route, routeOf, upstreamUrl } from './routes.ts';
import { SessionStore } from './sessions/store.ts';
import { officialIdentity } from './shape/identity.ts';
import type { Shape } from './shape/shape.ts';
import { Renewals } from './sign-in/renewals.ts';
import type { SignIn } from './sign-in/sign-in.ts';
import { answerChat } from './surfaces/chat.ts';
import { answerModels } from './surfaces/models.ts';
import { answerResponses } from './surfaces/responses-http.ts';
import { serveResponses } from './surfaces/responses-websocket.ts';

export type ProxyOptions = {
  readonly shape: Shape;
  /** The sign-in for a session's next request; asked anew for each, so that one that was renewed is used. */
  readonly signIn: (session: string) => SignIn | Promise<SignIn>;
  /** Another sign-in for a session in the place of one that the backend refused; there is none unless given. */
  readonly renew?: SignIns['renew'];
  /** The backend's base, such as https://chatgpt.com/backend-api/codex; `/responses` is appended. */
  readonly upstream: URL;
  /** What upstream requests say as their Host; that of `upstream` unless given. */
  readonly host?: string;
  /** Where to listen; 127.0.0.1 unless given. */
  readonly address?: string;
  /** 0 for any free port. */
  readonly port: number;
  /** What clients must show; nothing unless given. */
  readonly key?: string | undefined;
  /** The installation's id, as the official client keeps it; a new one unless given. */
  readonly installation?: string | undefined;
  readonly log: Logger;
  readonly limits?: Partial<Limits>;
};

export type RunningProxy = {
  readonly port: number;
  /** Takes no more requests, lets running turns end for `grace` milliseconds, and ends all connections. */
  readonly close: (grace?: number) => Promise<void>;
};

/** Starts the proxy. Throws ParityError where the port is taken. */
export async function startProxy(options: ProxyOptions): Promise<RunningProxy> {
  const proxy = new ProxyServer(options);
  return { port: await proxy.listen(), close: (grace) => proxy.close(grace) };
}

/** Why work is given up; one for all, as every request ends with it. */
const clientLeft = new Error('the client left');

/** Bytes of a request's head. */
const longestHead = 256 * 1024;

class ProxyServer {
  readonly #options: ProxyOptions;
  readonly #context: ProxyContext;
  readonly #door: Door;
  readonly #store: SessionStore;
  readonly #server: Server;
  readonly #websockets: WebSocketServer;
  /** Headers of the backend's 101 that go into ours, by the request they answer. */
  readonly #answers = new WeakMap<IncomingMessage, HeaderList>();
  /** All connections, also those that the server has handed over to a websocket. */
  readonly #open = new Set<Duplex>();
  /** The answer that is awaited, or on its way, over a connection. */
  readonly #answering = new WeakMap<Duplex, ServerResponse>();
  #stopping = false;

  constructor(options: ProxyOptions) {
    const limits = { ...usualLimits, ...options.limits };
    this.#options = options;
    this.#context = {
      shape: options.shape,
      signIns: new Renewals(
        options.signIn,
        options.renew ?? (() => Promise.reject(new Error('it cannot be renewed'))),
      ),
      upstream: options.upstream,
      responses: upstreamUrl(options.upstream, '/v1/responses'),
      hostTexts: hostTexts(options.installation ?? uuid4()),
      host: options.host ?? options.upstream.host,
      withoutWebsockets: new Set(),
      limits,
      log: options.log,
      metrics: new Metrics(),
    };
    this.#door = { address: options.address ?? '127.0.0.1', key: options.key };
    this.#store = new SessionStore(this.#context);
    this.#server = createServer({ maxHeaderSize: longestHead, requestTimeout: limits.requestTime });
    // One more than is allowed: so that too many are refused and not left out.
    this.#server.maxHeadersCount = limits.headers + 1;
    this.#server.maxConnections = limits.connections;
    this.#websockets = new WebSocketServer({
      noServer: true,
      // Compression would cost more than a loopback's bytes.
      perMessageDeflate: false,
      maxPayload: limits.bodyBytes,
    });
    this.#websockets.on('headers', (lines, request) => {
      lines.push(...(this.#answers.get(request) ?? []).map(([name, value]) => `${name}: ${value}`));
    });
    this.#server.on('connection', (socket) => this.#connected(socket));
    this.#server.on('request', (request, response) => void this.#request(request, response));
    this.#server.on('clientError', (error, socket) => this.#unreadable(error, socket));
    this.#server.on('upgrade', (request, socket, head) => void this.#upgrade(request, socket, head));
  }

  listen(): Promise<number> {
    return listenAt(this.#server, this.#options.port, this.#door.address);
  }

  async close(grace = 0): Promise<void> {
    this.#stopping = true;
    const closed = once(this.#server, 'close');
    this.#server.close();
    const { metrics } = this.#context;
    const deadline = Date.now() + grace;
    while (metrics.value('running_turns') > 0 && Date.now() < deadline) await delay(20);
    this.#store.close();
    for (const socket of this.#open) socket.destroy();
    await closed;
  }

  #connected(socket: Duplex): void {
    const { metrics } = this.#context;
    this.#open.add(socket);
    metrics.add('clients');
    socket.once('close', () => {
      this.#open.delete(socket);
      metrics.add('clients', -1);
    });
  }

  /** Lets a request in. Throws ApiError for one that is not served. */
  #enter(request: IncomingMessage): Route {
    const { metrics, limits } = this.#context;
    const heard = pairHeaders(request.rawHeaders);
    refuseStrangers(heard, this.#door, limits.headers);
    const route = routeOf(request.url ?? '');
    if (route.kind !== 'health') requireKey(heard, this.#door);
    if (this.#stopping) throw proxyError(503, 'stopping', 'the proxy is about to stop');
    metrics.add('requests_total', 1, `surface=${route.kind}`);
    return route;
  }

  async #request(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { metrics } = this.#context;
    const gone = new AbortController();
    const { socket } = request;
    this.#answering.set(socket, response);
    response.once('close', () => {
      if (this.#answering.get(socket) === response) this.#answering.delete(socket);
      if (!response.writableFinished) gone.abort(clientLeft);
    });
    metrics.add('running_turns');
    try {
      await this.#serve(this.#enter(request), request, response, gone.signal);
    } catch (error) {
      if (!gone.signal.aborted) sendError(response, this.#refusalFor(error));
      // What was not read of a body that is refused is not waited for.
      if (!request.complete) response.once('finish', () => request.destroy());
    } finally {
      metrics.add('running_turns', -1);
    }
  }

  /** Answers what Node could not read, in the form of all other errors. */
  #unreadable(error: Error, socket: Duplex): void {
    if (!socket.writable || this.#answering.get(socket)?.headersSent === true) {
      socket.destroy();
      return;
    }
    endWithError(socket, this.#refusalFor(unreadable(error)));
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    // Without a listener, a client that resets its connection would end the process.
    socket.on('error', () => {});
    // A client that leaves takes its upstream connection with it, also while that is still being opened.
    const gone = new AbortController();
    socket.once('close', () => gone.abort(clientLeft));
    const accept = (headers: HeaderList) =>
      new Promise<WebSocket>((resolve) => {
        this.#answers.set(request, endToEnd(headers));
        this.#websockets.handleUpgrade(request, socket, head, (client) => {
          // Without a listener, a malformed frame would end the process.
          client.on('error', () => client.terminate());
          resolve(client);
        });
      });
    try {
      if (this.#enter(request).kind !== 'responses') {
        throw proxyError(404, 'not_found', 'websockets are served at /v1/responses only');
      }
      const heard = pairHeaders(request.rawHeaders);
      const identity = officialIdentity(heard);
      if (identity !== undefined) {
        return await relayWebSocket(this.#context, request, socket, accept, identity, gone.signal);
      }
      const client = await accept([]);
      serveResponses(this.#context, this.#store, client, socket, heard, () => this.#stopping);
    } catch (error) {
      const refusal = this.#refusalFor(error);
      if (!gone.signal.aborted) endWithError(socket, refusal, refusal.event);
    }
  }

  #refusalFor(error: unknown): ApiError {
    const { metrics, log } = this.#context;
    if (!(error instanceof ApiError)) log.warn({}, `failed: ${reasonOf(error)}`);
    const refusal = toApiError(error);
    const code = refusal.code ?? 'none';
    metrics.add('refusals_total', 1, `code=${code.replaceAll(/\W/g, '_')}`);
    return refusal;
  }

  async #serve(
    route: Route,
    request: IncomingMessage,
    response: ServerResponse,
    gone: AbortSignal,
  ): Promise<void> {
    const context = this.#context;
    switch (route.kind) {
      case 'responses': {
        requirePost(request);
        const heard = pairHeaders(request.rawHeaders);
        const identity = officialIdentity(heard);
        return identity === undefined
          ? answerResponses(context, this.#store, request, response, gone)
          : relayPost(context, request, response, heard, identity, gone);
      }
      case 'chat':
        requirePost(request);
        return answerChat(context, this.#store, request, response, gone);
      case 'models':
        return answerModels(context, request, response, gone);
      case 'compact':
      case 'backend':
        return passThrough(context, request, response, gone);
      case 'health':
        return sendJson(response, '{"status":"ok"}');
      case 'metrics':
        context.metrics.set('sessions', this.#store.size);
        response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
        response.end(context.metrics.print());
    }
  }
}

/** What a client is told whose request could not be read, by Node's own code for it. */
function unreadable(error: Error): ApiError {
  const code = 'code' in error ? error.code : undefined;
  if (code === 'HPE_HEADER_OVERFLOW') {
    return proxyError(431, 'too_many_headers', 'the request has too many headers, or too long ones');
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return proxyError(408, 'request_timeout', 'the request took too long to come');
  }
  return proxyError(400, 'bad_request', 'this is no HTTP request');
}

function requirePost({ method }: IncomingMessage): void {
  if (method !== 'POST') throw proxyError(405, 'bad_method', `this is asked for by POST, not by ${method}`);
}
