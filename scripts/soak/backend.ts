import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { zstdDecompressSync } from 'node:zlib';
import { type WebSocket, WebSocketServer } from 'ws';
import { readCreateRequest } from '../../src/backend/create-request.ts';
import {
  completeResponse,
  createdResponse,
  message,
  prewarmEvents,
} from '../../src/backend/response-events.ts';
import { newId, type ScriptedOutput, type StreamPart } from '../../src/backend/scripted-response.ts';
import { listenLocally } from '../../src/listening.ts';
import { unsignedToken } from '../../src/wire/ids.ts';
import { encodeSse } from '../../src/wire/sse.ts';
import { type Fault, type PlannedSession, type PlannedTurn, turnId } from './plan.ts';

/** One request for a response, as the backend received it, and what it sent. */
export type Attempt = {
  readonly transport: 'websocket' | 'http';
  /** What the conversation consists of: `u:TURN` for a prompt and `a:TURN` for a message of the model. */
  readonly conversation: readonly string[];
  /** The text of the response's message, and the arguments of its tool call. */
  readonly text: string;
  readonly toolArguments: string | undefined;
  /** The messages in order, sent or not. */
  readonly events: readonly string[];
  readonly progress: Progress;
};

/** How far the backend came with a request. Times are as Date.now(). */
type Progress = {
  readonly at: number;
  /** How many of the events were sent. */
  sent: number;
  /** When the connection ended; undefined while it lasts. */
  gone: number | undefined;
};

export type SoakBackend = {
  readonly origin: string;
  /** The attempts at each turn, by its id. */
  readonly attempts: ReadonlyMap<string, readonly Attempt[]>;
  /** What the proxy mixed up. */
  readonly breaches: string[];
  /** Call it before a client begins a turn: the faults before its request are the turn's. */
  readonly begin: (session: string, turn: PlannedTurn) => void;
  readonly close: () => Promise<void>;
};

/** The start of the path at which the backend responds with the rest of the path. */
export const echoPath = '/backend-api/echo/';

/** One connection, or one POST. */
type Peer = {
  readonly transport: Attempt['transport'];
  readonly send: (part: string) => void;
  /** Refuses the request: an error frame, or a status. */
  readonly refuse: (status: number, code: string) => void;
  readonly finish: () => void;
  readonly end: (how: 'close' | 'drop' | 'reset') => void;
  readonly isGone: () => boolean;
  readonly onceGone: (listener: () => void) => void;
  /** The session whose requests it had. */
  session: string | undefined;
  /** The conversations up to the responses from which it can continue. */
  readonly conversations: Map<string, readonly string[]>;
};

/**
 * Starts a backend for a soak: the events of the simulated backend, with texts that name their turn, and with the planned
 * faults. Like the real one it keeps responses for as long as the websocket lasts, and only there.
 */
export async function startSoakBackend(sessions: readonly PlannedSession[]): Promise<SoakBackend> {
  const backend = new Backend(sessions);
  const server = createServer((request, response) => {
    response.on('error', () => {});
    backend.serveHttp(request, response).catch(() => response.destroy());
  });
  const sockets = new Set<Duplex>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const websockets = new WebSocketServer({ noServer: true, perMessageDeflate: true });
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => {});
    if (backend.refusesUpgrade(request, socket)) return;
    websockets.handleUpgrade(request, socket, head, (client) => backend.serveWebSocket(client, socket));
  });
  const port = await listenLocally(server);
  return {
    origin: `http://127.0.0.1:${port}`,
    attempts: backend.attempts,
    breaches: backend.breaches,
    begin: (session, turn) => backend.begin(session, turn),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

class Backend {
  readonly attempts = new Map<string, Attempt[]>();
  readonly breaches: string[] = [];
  readonly #turns: ReadonlyMap<string, PlannedTurn>;
  /** The session that an id upstream belongs to. */
  readonly #sessionOfId = new Map<string, string>();
  /** The turn that each session runs, or ran last. */
  readonly #turnOfSession = new Map<string, PlannedTurn>();
  /** How often each fault before a response has happened. */
  readonly #happened = new Map<Fault, number>();

  constructor(sessions: readonly PlannedSession[]) {
    this.#turns = new Map(sessions.flatMap(({ turns }) => turns.map((turn) => [turn.id, turn])));
    for (const { id, name } of sessions) this.#sessionOfId.set(id, name);
  }

  begin(session: string, turn: PlannedTurn): void {
    this.#turnOfSession.set(session, turn);
  }

  refusesUpgrade({ headers }: IncomingMessage, socket: Duplex): boolean {
    const fault = this.#faultBefore('upgrade', headers['session-id']);
    if (fault === undefined) return false;
    const { how } = fault;
    if (how === 'reset') reset(socket);
    else if (typeof how === 'number') socket.end(refusal(how));
    return true;
  }

  serveWebSocket(client: WebSocket, socket: Duplex): void {
    const peer: Peer = {
      transport: 'websocket',
      send: (part) => client.send(part),
      refuse: (status, code) => client.send(JSON.stringify({ type: 'error', status, error: errorOf(code) })),
      finish: () => {},
      end: (how) => {
        if (how === 'reset') reset(socket);
        else if (how === 'drop') client.terminate();
        else client.close(1011);
      },
      isGone: () => client.readyState !== client.OPEN,
      onceGone: (listener) => void client.once('close', listener),
      session: undefined,
      conversations: new Map(),
    };
    client.on('error', () => {});
    client.on('message', (data) => void this.#respond(String(data), peer));
  }

  async serveHttp(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    const { url = '/', headers } = request;
    const json = (value: object, status = 200) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(value));
    };
    if (url.startsWith(echoPath)) return json({ echo: url.slice(echoPath.length), body: body.toString() });
    if (url === '/oauth/token') {
      const jti = newId('resp');
      return json({ access_token: unsignedToken({ exp: 4_102_444_800, jti }), refresh_token: jti });
    }
    if (!url.endsWith('/responses')) return json({ models: [] });
    const text = headers['content-encoding'] === 'zstd' ? zstdDecompressSync(body) : body;
    const begin = () => {
      if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream' });
    };
    await this.#respond(text.toString('utf8'), {
      transport: 'http',
      send: (part) => {
        begin();
        response.write(encodeSse(part, JSON.parse(part.startsWith('{') ? part : '{}').type));
      },
      refuse: (status, code) => {
        const error = errorOf(code);
        if (response.headersSent)
          response.end(encodeSse(JSON.stringify({ type: 'error', status, error }), 'error'));
        else json({ error }, status);
      },
      finish: () => response.end(),
      end: (how) => {
        begin();
        if (how === 'close') response.end();
        else if (how === 'reset') reset(request.socket);
        else request.socket.destroy();
      },
      isGone: () => response.destroyed,
      onceGone: (listener) => void response.once('close', listener),
      session: undefined,
      conversations: new Map(),
    });
  }

  /** The fault at an upgrade or a prewarm, if it is to happen now. */
  #faultBefore(at: Fault['at'], id: unknown): Fault | undefined {
    const session = this.#sessionOfId.get(String(id)) ?? '';
    const { fault } = this.#turnOfSession.get(session) ?? {};
    if (fault?.at !== at) return undefined;
    const happened = this.#happened.get(fault) ?? 0;
    this.#happened.set(fault, happened + 1);
    return happened < fault.times ? fault : undefined;
  }

  async #respond(text: string, peer: Peer): Promise<void> {
    const read = readCreateRequest(text);
    if (!read.understood) {
      this.breaches.push(`the backend received what is not a request: ${read.reason}`);
      return peer.refuse(400, 'not_understood');
    }
    const { request } = read;
    const key = request.promptCacheKey ?? '';
    if (!request.generate) {
      const fault = this.#faultBefore('prewarm', key);
      if (fault !== undefined) return endWith(fault, peer, 'prewarm');
      const events = prewarmEvents(request);
      for (const event of events) peer.send(JSON.stringify(event));
      this.#remember(peer, events, []);
      return;
    }
    const own = conversationIn(text);
    const id = own.at(-1)?.slice(2) ?? '';
    const turn = this.#turns.get(id);
    if (turn === undefined) {
      this.breaches.push(`the backend received a request of no turn: ${own.join(' ')}`);
      return peer.refuse(400, 'unknown_turn');
    }
    const session = id.replace(/t.*/, '');
    this.#check(session, key, text, peer);
    const { previousResponseId } = request;
    const before = previousResponseId === null ? [] : peer.conversations.get(previousResponseId);
    if (before === undefined) return peer.refuse(400, 'previous_response_not_found');
    const attempts = this.attempts.get(id) ?? [];
    const number = attempts.length;
    const texts = deltasOf(turn, number);
    const toolArguments = turn.callsTool ? `{"turn":"${id}#${number}"}` : undefined;
    const outputs = [messageIn(texts), ...(toolArguments === undefined ? [] : [toolCall(toolArguments)])];
    const parts = completeResponse(
      createdResponse(request),
      outputs,
      undefined,
      turn.hasNoise ? ['rate-limits', 'not-json'] : [],
    );
    const stream = parts.kind === 'stream' ? parts.parts : [];
    const events = stream.map(textOf);
    const conversation = [...before, ...own];
    const progress: Progress = { at: Date.now(), sent: 0, gone: undefined };
    peer.onceGone(() => {
      progress.gone = Date.now();
    });
    const attempt = { conversation, text: texts.join(''), toolArguments, events, progress };
    this.attempts.set(id, [...attempts, { transport: peer.transport, ...attempt }]);
    const isSent = await sendResponse(turn, number, attempt, peer);
    if (isSent) this.#remember(peer, stream, [...conversation, `a:${id}`]);
  }

  /** Reports requests that mix sessions, within a request, on a connection, or under an id. */
  #check(session: string, key: string, text: string, peer: Peer): void {
    const others = new Set(text.match(turnId)?.map((id) => id.replace(/t.*/, '')));
    others.delete(session);
    const owner = this.#sessionOfId.get(key) ?? session;
    this.#sessionOfId.set(key, owner);
    if (others.size > 0) this.breaches.push(`a request of ${session} has texts of ${[...others].join(', ')}`);
    if (owner !== session) this.breaches.push(`${session} has the session id of ${owner}`);
    if ((peer.session ?? session) !== session) {
      this.breaches.push(`${session} shares a connection to the backend with ${peer.session}`);
    }
    peer.session = session;
  }

  #remember(peer: Peer, events: readonly StreamPart[], conversation: readonly string[]): void {
    const response = JSON.parse(textOf(events.at(-1) ?? '{}')).response;
    peer.conversations.set(response?.id, conversation);
  }
}

/** Sends a response, or what the planned fault makes of it. Returns whether it was sent to its end. */
async function sendResponse(
  { id, fault, pace, position, deltas }: PlannedTurn,
  number: number,
  { events, progress }: Pick<Attempt, 'events' | 'progress'>,
  peer: Peer,
): Promise<boolean> {
  const happens = fault !== undefined && number < fault.times ? fault : undefined;
  if (happens?.at === 'start') {
    endWith(happens, peer, id);
    return false;
  }
  const firstDelta = events.findIndex((event) => event.includes('output_text.delta'));
  const last = happens?.at === 'middle' ? firstDelta + 1 + Math.floor(position * deltas) : events.length;
  for (const event of events.slice(0, last)) {
    if (pace > 0) await delay(pace);
    if (peer.isGone()) return false;
    peer.send(event);
    progress.sent += 1;
  }
  if (happens?.at === 'middle') {
    endWith(happens, peer, id);
    return false;
  }
  peer.finish();
  return true;
}

function endWith({ how }: Fault, peer: Peer, code: string): void {
  if (typeof how === 'number') peer.refuse(how, code);
  else if (how !== 'silence') peer.end(how);
}

/** The prompts and messages in a request's input, in order. */
function conversationIn(text: string): string[] {
  const { input }: { input?: { role?: string; content?: unknown }[] } = JSON.parse(text);
  return (input ?? []).flatMap(({ role, content }) => {
    const ids = new Set(JSON.stringify(content ?? '').match(turnId));
    return [...ids].map((id) => `${role === 'assistant' ? 'a' : 'u'}:${id}`);
  });
}

/** The texts of the deltas. Each is different from all others of the soak. */
function deltasOf({ id, deltas, deltaPadding }: PlannedTurn, number: number): string[] {
  return Array.from({ length: deltas }, (_, index) => `${id}#${number}.${index}${'x'.repeat(deltaPadding)} `);
}

function messageIn(texts: readonly string[]): ScriptedOutput {
  const whole = message(texts.join(''));
  const events = whole.events.flatMap((event) =>
    event.type.endsWith('.delta') ? texts.map((delta) => ({ ...event, delta })) : [event],
  );
  return { ...whole, events };
}

function toolCall(toolArguments: string): ScriptedOutput {
  const item = {
    id: newId('fc'),
    type: 'function_call',
    status: 'completed',
    call_id: newId('call'),
    name: 'look',
  };
  const place = { item_id: item.id, output_index: 1 };
  const half = toolArguments.length / 2;
  const deltas = [toolArguments.slice(0, half), toolArguments.slice(half)];
  return {
    item: { ...item, arguments: toolArguments },
    begun: { ...item, arguments: '' },
    events: [
      ...deltas.map((delta) => ({ type: 'response.function_call_arguments.delta', ...place, delta })),
      { type: 'response.function_call_arguments.done', ...place, arguments: toolArguments },
    ],
  };
}

function textOf(part: StreamPart): string {
  return typeof part === 'string' || Buffer.isBuffer(part) ? String(part) : JSON.stringify(part);
}

function errorOf(code: string) {
  return { type: 'soak_error', code, message: `the backend fails on purpose: ${code}` };
}

function refusal(status: number): string {
  const body = JSON.stringify({ error: errorOf(`upgrade_${status}`) });
  const head = 'content-type: application/json\r\nconnection: close';
  return `HTTP/1.1 ${status} Refused\r\n${head}\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

function reset(socket: Duplex): void {
  if ('resetAndDestroy' in socket && typeof socket.resetAndDestroy === 'function') socket.resetAndDestroy();
  else socket.destroy();
}
