import type {
  BodyEvent,
  ConnectionEvent,
  MessageEvent,
  RequestEvent,
  TraceEvent,
} from '../../trace/trace-event.ts';
import type { Side } from '../../wire/message.ts';
import { isModelRoute } from '../../wire/route.ts';
import { sortByThread } from './threads.ts';

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
 * numbered anew from 1, side requests left out. Pongs are left out too. So are ends that nothing need have come after.
 */
export function exchangesOf(events: Iterable<TraceEvent>): Exchange[] {
  return collect(events).inTrace().map(numbered);
}

/** Pongs do not count: when they are sent is a matter of timing, not of what is said. */
export function isSaid(step: Step): boolean {
  return step.type !== 'message' || step.opcode !== 'pong';
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

type Collected = Omit<Exchange, 'end'> & {
  readonly steps: Step[];
  end: Side | undefined;
  /** How much the client had said when it ended, and whether the answer was cut off. */
  saidBefore: number;
  cutOff: boolean;
};

function collect(events: Iterable<TraceEvent>): Dialogue {
  const dialogue = new Dialogue();
  for (const event of events) dialogue.add(event);
  return dialogue;
}

/** Model traffic that is put together event by event. */
export class Dialogue {
  readonly #connections = new Map<number, ConnectionEvent>();
  readonly #exchanges = new Map<number, Collected>();
  /** The last exchange of each connection. */
  readonly #last = new Map<number, Collected>();
  #said = 0;

  /** Its exchanges thread by thread, with the numbers they have in the trace. */
  inTrace(): Exchange[] {
    const whole = [...this.#exchanges.values()].map((exchange) => {
      const after = this.#said - exchange.saidBefore;
      return plain(exchange, after >= enough && !isOver(exchange) ? exchange.end : undefined);
    });
    return sortByThread(whole);
  }

  /** Its exchanges as they stand, with the numbers they have there. */
  inGolden(): Exchange[] {
    return [...this.#exchanges.values()].map((exchange) => plain(exchange, exchange.end));
  }

  /** Whether the traffic of an exchange counts, by its number. */
  has(exchange: number): boolean {
    return this.#exchanges.has(exchange);
  }

  add(event: TraceEvent): void {
    if (event.type === 'connection') this.#connections.set(event.connection, event);
    if (event.type === 'request') this.#begin(event);
    if (event.type === 'response' || event.type === 'body' || event.type === 'message') {
      if (!isSaid(event)) return;
      if (event.type !== 'response') this.note(event);
      this.#exchanges.get(event.exchange)?.steps.push(event);
    }
    if (event.type === 'end') this.#end(this.#last.get(event.connection), event.by);
  }

  /** Takes note of a step that is kept elsewhere. */
  note(step: BodyEvent | Pick<MessageEvent, 'type' | 'exchange' | 'from' | 'opcode'>): void {
    const own = this.#exchanges.get(step.exchange);
    if (own === undefined) return;
    if (step.type === 'body') {
      if (step.from === 'backend' && !step.complete) own.cutOff = true;
      return;
    }
    if (step.from === 'client') this.#said += 1;
    // After a close message it is chance who ends the connection.
    if (step.opcode === 'close') this.#end(own, step.from);
  }

  #begin(request: RequestEvent): void {
    const connection = this.#connections.get(request.connection);
    const { target } = request;
    if (connection === undefined || target.kind !== 'string' || !isModelRoute(target.value)) return;
    this.#said += enough;
    const none = { end: undefined, saidBefore: 0, cutOff: false };
    const exchange = { connection, request, steps: [], ...none };
    this.#exchanges.set(request.exchange, exchange);
    this.#last.set(request.connection, exchange);
  }

  #end(exchange: Collected | undefined, by: Side): void {
    if (exchange === undefined || exchange.end !== undefined) return;
    exchange.end = by;
    exchange.saidBefore = this.#said;
  }
}

function plain({ connection, request, steps }: Collected, end: Side | undefined): Exchange {
  return { connection, request, steps, ...(end === undefined ? {} : { end }) };
}

/** Whether all has been said in it: what becomes of the connection after a whole HTTP response is a matter of pools. */
function isOver({ steps, cutOff }: Collected): boolean {
  const response = steps.find((step) => step.type === 'response');
  return response !== undefined && response.status !== 101 && !cutOff;
}

/** The exchange with the number of its place, each on a connection of its own. */
export function numbered(exchange: Exchange, at: number): Exchange {
  const number = at + 1;
  return {
    ...exchange,
    connection: { ...exchange.connection, connection: number },
    request: { ...exchange.request, connection: number, exchange: number },
    steps: exchange.steps.map((step) => ({ ...step, exchange: number })),
  };
}
