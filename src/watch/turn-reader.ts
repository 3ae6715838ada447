import type {
  BodyEvent,
  Content,
  MessageEvent,
  RequestEvent,
  ResponseEvent,
  TraceEvent,
} from '../trace/trace-event.ts';
import type { JsonNode } from '../wire/json.ts';
import { itemsOf, member, stringAt } from '../wire/json.ts';
import type { Side } from '../wire/message.ts';
import { isModelRoute } from '../wire/route.ts';
import { BoundedMap } from './bounded-map.ts';
import type { JudgedTurn, SeenSession, SessionNote, TurnEnding, TurnTransport } from './judged-turn.ts';
import { type HeadFacts, headFacts, type RequestFacts, requestFacts } from './request-facts.ts';
import { RunningTurn } from './running-turn.ts';
import { Thread } from './thread.ts';

/** What an event changed. A turn comes again each time that something in it changes. */
export type WatchUpdate =
  | { readonly type: 'session'; readonly session: SeenSession }
  | { readonly type: 'turn'; readonly turn: JudgedTurn }
  | { readonly type: 'note'; readonly session: number; readonly note: SessionNote };

/** The updates of an event, and where it belongs: the id of the turn, and the session and the agent of its exchange. */
type ReadEvent = {
  readonly updates: readonly WatchUpdate[];
  readonly turn?: number;
  readonly session?: number;
  readonly agent?: string;
};

/** How many sessions are remembered, threads of each, and responses: those that are used longest ago are forgotten. */
const most = { sessions: 64, threads: 16, responses: 512 };

type SessionState = {
  readonly session: SeenSession;
  readonly threads: BoundedMap<string, ThreadState>;
  /** The digest of the first message, by which its history is recognised elsewhere. */
  opening: string | undefined;
  transport: TurnTransport | undefined;
  /** The id of another session in its last request that had one. */
  mixedWith: string | undefined;
};

/** A thread, and its last turn. */
type ThreadState = { readonly thread: Thread; turn: RunningTurn | undefined };

/** A connection, or one request over HTTP on it. */
type ExchangeState = {
  readonly connection: number;
  readonly head: HeadFacts;
  readonly transport: TurnTransport;
  /** The first request that it carried. The routing hint belongs to that one. */
  first: RequestFacts | undefined;
  state: SessionState | undefined;
  /** The response that is awaited. */
  request: AwaitedResponse | undefined;
  /** The status of a refusal over HTTP, whose body follows. */
  refusal: number | undefined;
  /** The first close message: who sends it decides, and which side then ends the connection is chance. */
  close: { readonly by: Side; readonly code: number | null } | undefined;
  /** Whether its end is that of a turn already. */
  wasCutOff: boolean;
  /** When the last response on it ended. */
  idleSince: number | undefined;
};

type AwaitedResponse = {
  readonly thread: Thread;
  readonly facts: RequestFacts;
  readonly turn: RunningTurn | undefined;
  id: string | undefined;
};

/**
 * Reads the events of a trace, one by one, and judges each turn in them. It is pure, and its memory is bounded: sessions,
 * threads and items of a history are limited, and of a connection it knows the response that is awaited.
 */
export class TurnReader {
  readonly #sessions = new BoundedMap<string, SessionState>(most.sessions);
  /** The sessions of the newest responses, by the ids of these. */
  readonly #responses = new BoundedMap<string, number>(most.responses);
  readonly #exchanges = new Map<number, ExchangeState>();
  /** The exchanges of each connection that have not ended. */
  readonly #connections = new Map<number, Set<number>>();
  #sessionCount = 0;
  #turnCount = 0;
  #updates: WatchUpdate[] = [];
  #at: number | undefined;

  /** `at` is when the event was seen, in milliseconds. */
  add(event: TraceEvent, at = 'at' in event ? event.at : undefined): ReadEvent {
    this.#updates = [];
    this.#at = at;
    const exchange = 'exchange' in event ? this.#exchanges.get(event.exchange) : undefined;
    const turn = this.#read(event);
    const { state, head } = exchange ?? {};
    return {
      updates: this.#updates,
      ...(turn === undefined ? {} : { turn }),
      ...(state === undefined ? {} : { session: state.session.number, agent: head?.agent ?? '' }),
    };
  }

  /** Whether an exchange is model traffic that has not ended. */
  isOpen(exchange: number): boolean {
    return this.#exchanges.has(exchange);
  }

  /** The first delta of a response arrived before the event that has it. */
  firstDelta(exchange: number, at: number): readonly WatchUpdate[] {
    this.#updates = [];
    const turn = this.#exchanges.get(exchange)?.request?.turn;
    if (turn?.firstDelta(at) === true) this.#updateTurn(turn);
    return this.#updates;
  }

  /** The analysis left out what follows on a connection. */
  skip(connection: number): readonly WatchUpdate[] {
    this.#updates = [];
    this.#noteConnection(connection, { type: 'skipped' });
    this.#endConnection(connection);
    return this.#updates;
  }

  #read(event: TraceEvent): number | undefined {
    switch (event.type) {
      case 'connection':
      // The body that it cut off is an event of its own.
      case 'reset':
      case 'goaway':
        return undefined;
      case 'request':
        this.#onRequestHead(event);
        return undefined;
      case 'response': {
        const exchange = this.#exchanges.get(event.exchange);
        if (exchange === undefined || event.status === 101) return undefined;
        if (exchange.transport === 'websocket') {
          this.#note(this.#sessionOf(exchange), { type: 'upgrade refused', status: event.status });
          this.#forget(event.exchange);
          return undefined;
        }
        const id = exchange.request?.turn?.id;
        if (event.status >= 400 && !hasBody(event)) this.#end(exchange, refused(event.status, ''));
        else if (event.status >= 400) exchange.refusal = event.status;
        return id;
      }
      case 'body':
        return this.#onBody(event);
      case 'message':
        return this.#onMessage(event);
      case 'end':
        this.#onEnd(event.connection, event.by);
        return undefined;
      case 'undecodable':
        this.#noteConnection(event.connection, {
          type: 'undecodable',
          from: event.from,
          reason: event.reason,
        });
        return undefined;
    }
  }

  #onRequestHead(event: RequestEvent): void {
    if (event.target.kind !== 'string' || !isModelRoute(event.target.value)) return;
    // Not a turn: the client sums its history up.
    if (/\/compact(?:\?|$)/.test(event.target.value)) return;
    const transport = event.method === 'GET' ? 'websocket' : 'http';
    this.#exchanges.set(event.exchange, {
      ...{ connection: event.connection, head: headFacts(event), transport, first: undefined },
      ...{
        state: undefined,
        request: undefined,
        refusal: undefined,
        close: undefined,
        wasCutOff: false,
        idleSince: undefined,
      },
    });
    const own = this.#connections.get(event.connection) ?? new Set();
    this.#connections.set(event.connection, own.add(event.exchange));
  }

  #onBody(event: BodyEvent): number | undefined {
    const exchange = this.#exchanges.get(event.exchange);
    if (exchange === undefined) return undefined;
    const { content } = event;
    if (event.from === 'client') {
      if (content.kind !== 'json') return undefined;
      return this.#onRequest(exchange, content.json);
    }
    const id = exchange.request?.turn?.id;
    for (const json of jsonOf(content)) this.#onBackendEvent(exchange, json, true);
    this.#end(exchange, bodyEnding(event, exchange.refusal));
    this.#forget(event.exchange);
    return id;
  }

  #onMessage(event: MessageEvent): number | undefined {
    const exchange = this.#exchanges.get(event.exchange);
    if (exchange === undefined) return undefined;
    const { content } = event;
    if (event.opcode === 'close') {
      const id = exchange.request?.turn?.id;
      exchange.close ??= { by: event.from, code: content.kind === 'close' ? content.code : null };
      const { by, code } = exchange.close;
      if (id !== undefined) this.#end(exchange, { type: 'cut off', by, close: code });
      return id;
    }
    if (content.kind !== 'json') return exchange.request?.turn?.id;
    if (event.from === 'client') return this.#onRequest(exchange, content.json);
    const id = exchange.request?.turn?.id;
    this.#onBackendEvent(exchange, content.json, false);
    return id;
  }

  #onRequest(exchange: ExchangeState, body: JsonNode): number | undefined {
    const facts = requestFacts(body);
    if (facts === undefined) return exchange.request?.turn?.id;
    const state = this.#sessionOf(exchange, facts);
    if (state.transport === 'websocket' && exchange.transport === 'http')
      this.#note(state, { type: 'over HTTP' });
    if (exchange.first === undefined && state.transport !== undefined && exchange.transport === 'websocket')
      this.#note(state, { type: 'new connection' });
    state.transport = exchange.transport;
    this.#recogniseMixed(state, exchange.head, facts);
    const own = this.#threadOf(state, exchange.head);
    const { thread } = own;
    const first = exchange.first ?? facts;
    exchange.first = first;
    if (facts.prewarm) {
      exchange.request = { thread, facts, turn: undefined, id: undefined };
      return undefined;
    }
    this.#recogniseHistory(state, thread, facts);
    const turn =
      own.turn?.continuesWith(facts) === true
        ? own.turn
        : new RunningTurn({
            id: ++this.#turnCount,
            session: state.session.number,
            agent: exchange.head.agent,
            number: ++thread.turns,
          });
    const { head, transport, connection } = exchange;
    turn.request({ facts, head, first, thread, transport, connection, at: this.#at });
    own.turn = turn;
    thread.onRequest(facts, connection);
    exchange.request = { thread, facts, turn, id: undefined };
    this.#updateTurn(turn);
    return turn.id;
  }

  #onBackendEvent(exchange: ExchangeState, event: JsonNode, isWhole: boolean): void {
    const { request } = exchange;
    const type = stringAt(event, 'type') ?? '';
    if (request === undefined) return;
    if (type.endsWith('.delta')) {
      // A body is observed as a whole, so its time is not that of its first event (firstDelta).
      if (!isWhole && request.turn?.firstDelta(this.#at) === true) this.#updateTurn(request.turn);
      return;
    }
    if (type === 'response.created') {
      request.id = stringAt(event, 'response', 'id');
      this.#recogniseResponse(exchange.state, request.id);
    }
    if (type === 'response.output_item.done') request.turn?.output(member(event, 'item'));
    if (type === 'error') {
      const status = numberAt(event, 'status') ?? numberAt(member(event, 'error'), 'status');
      const code = stringAt(event, 'error', 'code') ?? stringAt(event, 'error', 'type') ?? 'error';
      this.#end(exchange, { type: 'error', status, code });
      return;
    }
    const ending = endingOf(type, member(event, 'response'));
    if (ending === undefined) return;
    const response = member(event, 'response');
    request.id ??= stringAt(response, 'id');
    for (const item of itemsOf(member(response, 'output'))) request.turn?.output(item);
    request.turn?.usage(member(response, 'usage'), request.thread);
    this.#end(exchange, ending);
  }

  /** The awaited response is over. */
  #end(exchange: ExchangeState, ending: TurnEnding): void {
    const { request } = exchange;
    if (request === undefined) return;
    const at = this.#at;
    exchange.request = undefined;
    exchange.wasCutOff = ending.type === 'cut off';
    exchange.idleSince = at;
    const { thread, turn, id, facts } = request;
    // An interrupted response can be continued (measured: codex 0.169.0, scenario steering).
    const isComplete = ending.type === 'completed' || ending.type === 'interrupted';
    thread.onResponse({ facts, id, isComplete, at });
    if (turn === undefined) return;
    turn.end(ending, at);
    this.#updateTurn(turn);
  }

  #onEnd(connection: number, endedBy: Side): void {
    for (const number of this.#connections.get(connection) ?? []) {
      const exchange = this.#exchanges.get(number);
      if (exchange === undefined) continue;
      const { state, idleSince, request } = exchange;
      const { by, code: close } = exchange.close ?? { by: endedBy, code: undefined };
      if (request?.turn !== undefined) this.#end(exchange, { type: 'cut off', by, close });
      else if (exchange.transport === 'websocket' && state !== undefined && !exchange.wasCutOff)
        this.#note(state, { type: 'connection ended', by, close, idle: since(idleSince, this.#at) });
    }
    this.#endConnection(connection);
  }

  #endConnection(connection: number): void {
    for (const number of this.#connections.get(connection) ?? []) this.#exchanges.delete(number);
    this.#connections.delete(connection);
  }

  #forget(number: number): void {
    const exchange = this.#exchanges.get(number);
    this.#exchanges.delete(number);
    if (exchange === undefined) return;
    const own = this.#connections.get(exchange.connection);
    own?.delete(number);
    if (own?.size === 0) this.#connections.delete(exchange.connection);
  }

  #noteConnection(connection: number, note: SessionNote): void {
    const states = new Set(
      [...(this.#connections.get(connection) ?? [])].map((number) => this.#exchanges.get(number)?.state),
    );
    for (const state of states) if (state !== undefined) this.#note(state, note);
  }

  /** The session of an exchange: by its id, or by the cache key, or a session of its own. */
  #sessionOf(exchange: ExchangeState, facts?: RequestFacts): SessionState {
    if (exchange.state !== undefined) return exchange.state;
    const { head } = exchange;
    const id = head.session ?? facts?.session;
    const key = id ?? (facts?.cacheKey === undefined ? undefined : `key ${facts.cacheKey}`);
    const known = key === undefined ? undefined : this.#sessions.get(key);
    if (known !== undefined) {
      exchange.state = known;
      return known;
    }
    const number = ++this.#sessionCount;
    const session: SeenSession = { number, id, client: head.client, version: head.version };
    const state: SessionState = {
      ...{ session, threads: new BoundedMap<string, ThreadState>(most.threads) },
      ...{ opening: undefined, transport: undefined, mixedWith: undefined },
    };
    this.#sessions.set(key ?? `number ${number}`, state);
    exchange.state = state;
    this.#updates.push({ type: 'session', session });
    return state;
  }

  #threadOf({ threads, session }: SessionState, { agent, thread = session.id }: HeadFacts): ThreadState {
    const key = agent === '' ? '' : `${agent} ${thread}`;
    const known = threads.get(key);
    if (known !== undefined) return known;
    const made = { thread: new Thread(), turn: undefined };
    threads.set(key, made);
    return made;
  }

  /** A new session whose first request repeats the history of another one has lost that one's id. */
  #recogniseHistory(state: SessionState, thread: Thread, facts: RequestFacts): void {
    if (state.opening !== undefined) return;
    const opening = facts.history.find(({ kind }) => kind === 'message')?.digest;
    if (opening === undefined) return;
    state.opening = opening;
    if (!facts.repeatsHistory || thread.turns > 0) return;
    const other = [...this.#sessions.values()].findLast((one) => one !== state && one.opening === opening);
    if (other === undefined) return;
    thread.isMoved = true;
    this.#note(state, { type: 'history of another session', session: other.session.number });
  }

  /** The headers and the body of a request name its session: both name the same, unless sessions are mixed. */
  #recogniseMixed(state: SessionState, head: HeadFacts, { session }: RequestFacts): void {
    if (head.session === undefined || session === undefined || session === head.session) return;
    if (state.mixedWith === session) return;
    state.mixedWith = session;
    const other = [...this.#sessions.values()].find((one) => one.session.id === session);
    this.#note(state, { type: 'mixed', by: 'request', session: other?.session.number });
  }

  /** The backend gives each response an id of its own. */
  #recogniseResponse(state: SessionState | undefined, id: string | undefined): void {
    if (state === undefined || id === undefined) return;
    const other = this.#responses.get(id);
    if (other === undefined) this.#responses.set(id, state.session.number);
    else if (other !== state.session.number)
      this.#note(state, { type: 'mixed', by: 'response', session: other });
  }

  #note({ session }: SessionState, note: SessionNote): void {
    this.#updates.push({ type: 'note', session: session.number, note });
  }

  #updateTurn(turn: RunningTurn): void {
    this.#updates.push({ type: 'turn', turn: turn.judged() });
  }
}

function jsonOf(content: Content): readonly JsonNode[] {
  return content.kind === 'events' ? content.events.map(({ data }) => data) : [];
}

function endingOf(type: string, response: JsonNode | undefined): TurnEnding | undefined {
  switch (type) {
    case 'response.completed':
    case 'response.done':
      return { type: 'completed' };
    case 'response.incomplete': {
      const reason = stringAt(response, 'incomplete_details', 'reason') ?? 'no reason';
      return reason === 'interrupted' ? { type: reason } : { type: 'incomplete', reason };
    }
    case 'response.failed':
      return { type: 'failed', code: stringAt(response, 'error', 'code') ?? 'no code' };
    default:
      return undefined;
  }
}

/** How a turn ends whose response has no last event. */
function bodyEnding({ complete, content }: BodyEvent, refusal: number | undefined): TurnEnding {
  if (!complete) return { type: 'cut off', by: 'backend', close: undefined };
  if (refusal === undefined) return { type: 'incomplete', reason: 'no last event' };
  const error = content.kind === 'json' ? member(content.json, 'error') : undefined;
  return refused(refusal, stringAt(error, 'code') ?? stringAt(error, 'type') ?? '');
}

function refused(status: number, code: string): TurnEnding {
  return { type: 'refused', status, code };
}

/** Empty bodies are not observed. */
function hasBody({ headers }: ResponseEvent): boolean {
  return headers.some(([name, value]) => {
    if (/^transfer-encoding$/i.test(name)) return true;
    return /^content-length$/i.test(name) && value.kind === 'string' && value.value !== '0';
  });
}

function since(before: number | undefined, now: number | undefined): number | undefined {
  return before === undefined || now === undefined ? undefined : now - before;
}

function numberAt(node: JsonNode | undefined, key: string): number | undefined {
  const value = member(node, key);
  return value?.kind === 'number' ? Number(value.text) : undefined;
}
