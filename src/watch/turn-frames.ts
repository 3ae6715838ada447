import type { Exchange, Step } from '../golden/trace/exchanges.ts';
import type { ConnectionEvent, RequestEvent, TraceEvent } from '../trace/trace-event.ts';
import { stringAt } from '../wire/json.ts';
import { PackedEvents } from './packed-events.ts';

/** The frames of a turn: those of each exchange that it used. A head belongs to the turn that it was sent for. */
export type TurnFrames = {
  /** The turn of the same thread before it, if its frames were kept when this one began. */
  readonly before: number | undefined;
  readonly exchanges: readonly TurnExchange[];
  /** Frames that are not kept. */
  readonly omitted: number;
};

/** `isContinued` if an earlier turn opened the connection, so that the head is not of this one. */
type TurnExchange = Exchange & { readonly isContinued: boolean };

/** A step of a turn, and the head of its exchange. */
export type TurnStep = Pick<TurnExchange, 'request' | 'isContinued'> & { readonly step: Step };

/** How much is kept: turns, frames of one, and bytes of all of them. */
type FrameLimits = { readonly turns: number; readonly frames: number; readonly bytes: number };
const standardLimits: FrameLimits = { turns: 40, frames: 2000, bytes: 4_000_000 };

type Head = { readonly connection: ConnectionEvent; readonly request: RequestEvent };

type KeptExchange = Head & { readonly isContinued: boolean; readonly steps: PackedEvents };

type KeptTurn = {
  readonly exchanges: Map<number, KeptExchange>;
  readonly before: number | undefined;
  frames: number;
  omitted: number;
  bytes: number;
};

/** Keeps the frames of the newest turns. What was sent before a turn, such as the prewarm, belongs to the first one. */
export class FrameRing {
  readonly #limits: FrameLimits;
  readonly #turns = new Map<number, KeptTurn>();
  readonly #connections = new Map<number, ConnectionEvent>();
  readonly #heads = new Map<number, Head>();
  /** Steps of exchanges whose turn is not known yet. */
  readonly #waiting = new Map<number, Step[]>();
  #bytes = 0;
  /** How many turns were dropped, or lost some of their frames. */
  dropped = 0;

  constructor(limits = standardLimits) {
    this.#limits = limits;
  }

  /** `turn` is the id of the turn that the event belongs to, and `before` gives that of the last turn of its thread. */
  add(event: TraceEvent, turn?: number, before: () => number | undefined = () => undefined): void {
    switch (event.type) {
      case 'connection':
        this.#connections.set(event.connection, event);
        return;
      case 'request': {
        const connection = this.#connections.get(event.connection);
        if (connection !== undefined) this.#heads.set(event.exchange, { connection, request: event });
        this.#waiting.set(event.exchange, []);
        return;
      }
      case 'end':
        this.#connections.delete(event.connection);
        for (const [number, { request }] of this.#heads) {
          if (request.connection !== event.connection) continue;
          this.forget(number);
        }
        return;
      case 'reset':
      case 'goaway':
      case 'undecodable':
        return;
      default:
        this.#step(event, turn, before);
    }
  }

  /** An exchange is over. */
  forget(exchange: number): void {
    this.#heads.delete(exchange);
    this.#waiting.delete(exchange);
  }

  /** The frames of a turn; undefined if they are not kept. */
  framesOf(turn: number): TurnFrames | undefined {
    const kept = this.#turns.get(turn);
    if (kept === undefined) return undefined;
    const { exchanges, before, omitted } = kept;
    return {
      ...{ before, omitted },
      exchanges: [...exchanges.values()].map((one) => ({
        ...one,
        steps: [...one.steps.unpack()].filter(isStep),
      })),
    };
  }

  /** The first step of a turn that fits; undefined if it is not kept. */
  find(turn: number, fits: (step: Step) => boolean): TurnStep | undefined {
    for (const { request, isContinued, steps } of this.#turns.get(turn)?.exchanges.values() ?? [])
      for (const step of steps.unpack())
        if (isStep(step) && fits(step)) return { request, isContinued, step };
    return undefined;
  }

  #step(step: Step, turn: number | undefined, before: () => number | undefined): void {
    const waiting = this.#waiting.get(step.exchange);
    if (turn === undefined) {
      if (waiting !== undefined && waiting.length < mostWaiting) waiting.push(step);
      return;
    }
    this.#waiting.delete(step.exchange);
    const kept = this.#turns.get(turn) ?? this.#begin(turn, before());
    const isContinued = waiting === undefined;
    for (const one of [...(waiting ?? []), step]) this.#keep(kept, one, isContinued);
    this.#trim(turn);
  }

  #begin(turn: number, before: number | undefined): KeptTurn {
    const kept: KeptTurn = { exchanges: new Map(), before, frames: 0, omitted: 0, bytes: 0 };
    this.#turns.set(turn, kept);
    return kept;
  }

  #keep(kept: KeptTurn, step: Step, isContinued: boolean): void {
    const head = this.#heads.get(step.exchange);
    if (head === undefined || kept.frames >= this.#limits.frames) {
      kept.omitted += 1;
      return;
    }
    const exchange = kept.exchanges.get(step.exchange) ?? {
      ...{ ...head, isContinued },
      steps: new PackedEvents(),
    };
    kept.exchanges.set(step.exchange, exchange);
    const before = exchange.steps.bytes;
    exchange.steps.add(step);
    const grown = exchange.steps.bytes - before;
    kept.frames +=
      step.type !== 'response' && step.content.kind === 'events' ? step.content.events.length : 1;
    kept.bytes += grown;
    this.#bytes += grown;
  }

  /** Drops the oldest turns, and last of all the frames of the newest one. */
  #trim(newest: number): void {
    for (const [turn, kept] of this.#turns) {
      const isFull = this.#turns.size > this.#limits.turns || this.#bytes > this.#limits.bytes;
      if (!isFull) return;
      if (turn === newest) {
        const steps = [...kept.exchanges.values()].reduce((sum, one) => sum + one.steps.count, 0);
        kept.omitted += steps;
        kept.exchanges.clear();
        this.#bytes -= kept.bytes;
        kept.bytes = 0;
        return;
      }
      this.#turns.delete(turn);
      this.#bytes -= kept.bytes;
      this.dropped += 1;
    }
  }
}

/** The most steps that wait for their turn: a handshake and a prewarm have six or so. */
const mostWaiting = 100;

function isStep(event: TraceEvent): event is Step {
  return event.type === 'response' || event.type === 'body' || event.type === 'message';
}

/** Whether an event is a delta of a response. */
export function isDelta(event: TraceEvent): boolean {
  if (event.type !== 'message' || event.from !== 'backend' || event.content.kind !== 'json') return false;
  return stringAt(event.content.json, 'type')?.endsWith('.delta') === true;
}
