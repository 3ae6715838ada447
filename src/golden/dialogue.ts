import type { ConnectionEvent, RequestEvent, TraceEvent } from '../trace/event.ts';
import type { Side } from '../wire/message.ts';
import { isModelRoute } from '../wire/route.ts';
import { inThreadOrder } from './threads.ts';

/** One model request and all that followed on it, both sides, in the order the tap saw it. */
export type Exchange = {
  readonly connection: ConnectionEvent;
  readonly request: RequestEvent;
  readonly steps: readonly Step[];
  /** Who ended the connection while the conversation went on; a connection that was kept until then has none. */
  readonly end?: Side;
};

export type Step = Extract<TraceEvent, { type: 'response' | 'body' | 'message' }>;

/**
 * The model traffic of a trace: its exchanges thread by thread (threads.ts), in each thread in the order they began,
 * numbered anew from 1, side requests left out. Pongs are left out too: when they are sent is a matter of timing, not
 * of what is said. So are ends that nothing need have come after.
 */
export function dialogueOf(events: Iterable<TraceEvent>): Exchange[] {
  const whole = collect(events).map(({ end, saidAfter, ...exchange }): Exchange => {
    const counts = end !== undefined && saidAfter >= enough && !isOver(exchange);
    return counts ? { ...exchange, end } : exchange;
  });
  return inThreadOrder(whole).map(numbered);
}

/** The exchanges of a golden's events, as they stand there. */
export function exchangesOf(events: Iterable<TraceEvent>): Exchange[] {
  return collect(events).map(({ end, saidAfter: _, ...exchange }, at) =>
    numbered(end === undefined ? exchange : { ...exchange, end }, at),
  );
}

/** The events of an exchange, as they stand in a golden. */
export function eventsOf({ connection, request, steps, end }: Exchange): TraceEvent[] {
  const ends: TraceEvent[] =
    end === undefined ? [] : [{ type: 'end', connection: connection.connection, by: end }];
  return [connection, request, ...steps, ...ends];
}

/**
 * How much the client must say after an end for it to count: begin another exchange, or send two messages. A single
 * message may have been on its way when the connection ended, and so come before or after it by chance.
 */
const enough = 2;

type Collected = Omit<Exchange, 'end'> & { readonly steps: Step[]; end: Side | undefined; saidAfter: number };

function collect(events: Iterable<TraceEvent>): Collected[] {
  const connections = new Map<number, ConnectionEvent>();
  const exchanges = new Map<number, Collected>();
  const said = (amount: number) => {
    for (const exchange of exchanges.values()) if (exchange.end !== undefined) exchange.saidAfter += amount;
  };
  for (const event of events) {
    if (event.type === 'connection') connections.set(event.connection, event);
    if (event.type === 'request') {
      const connection = connections.get(event.connection);
      const { target } = event;
      if (connection === undefined || target.kind !== 'string' || !isModelRoute(target.value)) continue;
      said(enough);
      exchanges.set(event.exchange, { connection, request: event, steps: [], end: undefined, saidAfter: 0 });
    }
    if (event.type === 'response' || event.type === 'body' || event.type === 'message') {
      if (event.type === 'message' && event.opcode === 'pong') continue;
      const own = exchanges.get(event.exchange);
      if (own === undefined) continue;
      if (event.type === 'message' && event.from === 'client') said(1);
      own.steps.push(event);
      // After a close message it is chance who ends the connection.
      if (event.type === 'message' && event.opcode === 'close') own.end ??= event.from;
    }
    if (event.type === 'end') {
      const last = [...exchanges.values()].findLast(({ request }) => request.connection === event.connection);
      if (last !== undefined) last.end ??= event.by;
    }
  }
  return [...exchanges.values()];
}

/** Whether all has been said in it: what becomes of the connection after a whole HTTP response is a matter of pools. */
function isOver({ steps }: Pick<Exchange, 'steps'>): boolean {
  const response = steps.find((step) => step.type === 'response');
  if (response === undefined || response.status === 101) return false;
  return !steps.some((step) => step.type === 'body' && step.from === 'backend' && !step.complete);
}

/** The exchange with the number of its place, each on a connection of its own. */
function numbered(exchange: Exchange, at: number): Exchange {
  const number = at + 1;
  return {
    ...exchange,
    connection: { ...exchange.connection, connection: number },
    request: { ...exchange.request, connection: number, exchange: number },
    steps: exchange.steps.map((step) => ({ ...step, exchange: number })),
  };
}
