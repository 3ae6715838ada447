import {
  type ConnectionEvent,
  mapEvent,
  type RequestEvent,
  type TraceEvent,
} from '../../trace/trace-event.ts';
import type { JsonNode } from '../../wire/json.ts';
import type { Side } from '../../wire/message.ts';
import { isModelRoute } from '../../wire/route.ts';
import { requestHeader, sortByThread } from './threads.ts';

/** One model request and everything that followed it, from both sides, in the order the tap saw it. */
export type Exchange = {
  readonly connection: ConnectionEvent;
  readonly request: RequestEvent;
  readonly steps: readonly Step[];
  /** The side that ended the connection. Absent if no model traffic followed, so that the end means nothing. */
  readonly end?: Side;
  /** The side that ended the connection before the response was complete, whether or not model traffic followed. */
  readonly cutBy?: Side;
};

export type Step = Extract<TraceEvent, { type: 'response' | 'body' | 'message' }>;

/**
 * The model traffic of a trace: its exchanges, sorted by thread (threads.ts) and numbered from 1. Side requests and
 * pongs are left out. So are ends of connections that no further traffic had to follow.
 */
export function exchangesOf(events: Iterable<TraceEvent>): Exchange[] {
  const { exchanges, activity } = collectExchanges(events);
  const inOrder = [...exchanges.values()].map((exchange) => {
    const { ended } = exchange;
    const counts = ended !== undefined && activity - ended.activityBefore >= minimumActivity;
    return toExchange(exchange, counts && !isCompleteHttp(exchange));
  });
  return sortByThread(inOrder).map(renumber);
}

/** The exchanges of a golden file, numbered from 1: in the order of the file, with every end. */
export function goldenExchanges(events: Iterable<TraceEvent>): Exchange[] {
  return [...collectExchanges(events).exchanges.values()]
    .map((exchange) => toExchange(exchange, true))
    .map(renumber);
}

/** The kind of connection that a model request is sent over. */
export function connectionKind(request: RequestEvent): 'websocket' | 'http' {
  return requestHeader(request, /^upgrade$/i) === undefined ? 'http' : 'websocket';
}

/** The JSON of a body or message of the client; undefined for any other step. */
export function clientJson(step: Step): JsonNode | undefined {
  if (step.type === 'response' || step.from !== 'client' || step.content.kind !== 'json') return undefined;
  return step.content.json;
}

/** The events of an exchange, as a golden file holds them. */
export function eventsOf({ connection, request, steps, end }: Exchange): TraceEvent[] {
  const ends: TraceEvent[] =
    end === undefined ? [] : [{ type: 'end', connection: connection.connection, by: end }];
  return [connection, request, ...steps, ...ends];
}

/** The exchange with `mapValue` applied to each value of its request and steps, as mapEvent does. */
export function mapExchange(exchange: Exchange, mapValue: (value: JsonNode) => JsonNode): Exchange {
  return {
    ...exchange,
    request: mapEvent(exchange.request, mapValue),
    steps: exchange.steps.map((step) => mapEvent(step, mapValue)),
  };
}

/**
 * How much the client must send after an end for it to count: one new request, or two messages. A single message may
 * have been on its way when the connection ended, so it comes before or after the end by chance.
 */
const minimumActivity = 2;

type CollectedExchange = Omit<Exchange, 'end' | 'cutBy'> & {
  readonly steps: Step[];
  /** The first end of its connection, and the client's activity before it. */
  ended: { readonly by: Side; readonly activityBefore: number } | undefined;
};

function collectExchanges(events: Iterable<TraceEvent>): ExchangeCollector {
  const collector = new ExchangeCollector();
  for (const event of events) collector.add(event);
  return collector;
}

/** Assembles the exchanges of model traffic, event by event. */
class ExchangeCollector {
  readonly exchanges = new Map<number, CollectedExchange>();
  /** What the client has sent: a message counts 1, a request counts as much as an end needs. */
  activity = 0;
  readonly #connections = new Map<number, ConnectionEvent>();
  /** The exchanges that its end may end, by the number of the connection: over HTTP/1.1 only the last, over HTTP/2 all. */
  readonly #on = new Map<number, CollectedExchange[]>();

  add(event: TraceEvent): void {
    if (event.type === 'connection') this.#connections.set(event.connection, event);
    if (event.type === 'request') this.#begin(event);
    if (event.type === 'response' || event.type === 'body' || event.type === 'message') this.#step(event);
    if (event.type === 'reset') this.#end(this.exchanges.get(event.exchange), event.from);
    if (event.type === 'end')
      for (const exchange of this.#on.get(event.connection) ?? []) this.#end(exchange, event.by);
  }

  #begin(request: RequestEvent): void {
    const connection = this.#connections.get(request.connection);
    const { target } = request;
    if (connection === undefined || target.kind !== 'string' || !isModelRoute(target.value)) return;
    this.activity += minimumActivity;
    const exchange = { connection, request, steps: [], ended: undefined };
    this.exchanges.set(request.exchange, exchange);
    const others = request.version === '2' ? (this.#on.get(request.connection) ?? []) : [];
    this.#on.set(request.connection, [...others, exchange]);
  }

  #step(step: Step): void {
    const exchange = this.exchanges.get(step.exchange);
    // When a pong is sent is a matter of timing.
    if (exchange === undefined || (step.type === 'message' && step.opcode === 'pong')) return;
    exchange.steps.push(step);
    if (step.type !== 'message') return;
    if (step.from === 'client') this.activity += 1;
    // Which side ends the connection after a close message is chance.
    if (step.opcode === 'close') this.#end(exchange, step.from);
  }

  #end(exchange: CollectedExchange | undefined, by: Side): void {
    if (exchange !== undefined) exchange.ended ??= { by, activityBefore: this.activity };
  }
}

function toExchange({ ended, ...exchange }: CollectedExchange, withEnd: boolean): Exchange {
  if (ended === undefined) return exchange;
  return {
    ...exchange,
    ...(withEnd ? { end: ended.by } : {}),
    ...(isCutOff(exchange) ? { cutBy: ended.by } : {}),
  };
}

/** Whether the exchange has a complete HTTP response. What then happens to the connection is up to connection pools. */
function isCompleteHttp(exchange: CollectedExchange): boolean {
  const response = exchange.steps.find((step) => step.type === 'response');
  return response !== undefined && response.status !== 101 && !isCutOff(exchange);
}

function isCutOff({ steps }: Pick<Exchange, 'steps'>): boolean {
  return steps.some((step) => step.type === 'body' && step.from === 'backend' && !step.complete);
}

/** The exchange with the number of its position, on a connection of its own. */
function renumber(exchange: Exchange, index: number): Exchange {
  const number = index + 1;
  return {
    ...exchange,
    connection: { ...exchange.connection, connection: number },
    request: { ...exchange.request, connection: number, exchange: number },
    steps: exchange.steps.map((step) => ({ ...step, exchange: number })),
  };
}
