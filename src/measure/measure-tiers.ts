import type { TraceEvent } from '../trace/trace-event.ts';
import { uuid7 } from '../wire/ids.ts';
import { type SentTiers, sentTiersIn } from './sent-tiers.ts';
import { type Tier, type TimedTurn, tiers, timeTurn } from './timed-turn.ts';

/** The connections that are compared: the first turn of a session opens one, its second turn finds it open. */
export const connections = ['new', 'kept'] as const;
export type Connection = (typeof connections)[number];

/** One turn, and what was sent upstream for it. */
export type TierRun = {
  readonly tier: Tier;
  readonly connection: Connection;
  readonly turn: TimedTurn;
  readonly sent: SentTiers;
  /** Why the turn went over HTTP; undefined if it did not. */
  readonly httpCause: string | undefined;
};

export type MeasureOptions = {
  /** The proxy: `http://127.0.0.1:PORT`. */
  readonly origin: string;
  readonly model: string;
  readonly prompt: string;
  /** Sessions with each tier. Each has one turn on a new connection and one on the kept one. */
  readonly runs: number;
  /** Returns the events that a tap behind the proxy has recorded since the last call. */
  readonly takeEvents: () => readonly TraceEvent[];
  readonly signal: AbortSignal;
  /** Called after each turn; `count` is the number of turns so far. */
  readonly onRun: (run: TierRun, count: number) => void;
};

/** Milliseconds that one turn may take. */
const turnTimeout = 300_000;

/** Runs the turns one after the other. The tiers alternate, and so does the first one: a slow minute affects both. */
export async function measureTiers(options: MeasureOptions): Promise<TierRun[]> {
  const { runs, onRun } = options;
  const results: TierRun[] = [];
  for (let round = 0; round < runs; round += 1) {
    for (const tier of round % 2 === 0 ? tiers : tiers.toReversed()) {
      const session = uuid7();
      let previous: TierRun | undefined;
      for (const connection of connections) {
        previous = await measureTurn(options, { tier, connection, session, previous });
        results.push(previous);
        onRun(previous, results.length);
      }
    }
  }
  return results;
}

type TurnOfSession = {
  readonly tier: Tier;
  readonly connection: Connection;
  readonly session: string;
  /** The turn before it in the session. */
  readonly previous: TierRun | undefined;
};

async function measureTurn(
  { origin, model, prompt, takeEvents, signal }: MeasureOptions,
  { tier, connection, session, previous }: TurnOfSession,
): Promise<TierRun> {
  if (previous?.turn.kind === 'failed') {
    const turn: TimedTurn = { kind: 'failed', reason: 'not sent, since the turn before it failed' };
    return { tier, connection, turn, sent: sentTiersIn([]), httpCause: undefined };
  }
  const limit = AbortSignal.any([signal, AbortSignal.timeout(turnTimeout)]);
  const previousResponseId = previous?.turn.responseId;
  const turn = await timeTurn(origin, { model, prompt, tier, session, previousResponseId }, limit);
  signal.throwIfAborted();
  const sent = sentTiersIn(takeEvents());
  const httpCause = sent.transport === 'HTTP' ? (previous?.httpCause ?? causeOf(sent)) : undefined;
  return { tier, connection, turn: comparable(turn, sent, connection), sent, httpCause };
}

/** Why the first turn of a session went over HTTP. */
function causeOf({ refusedUpgrades }: SentTiers): string {
  if (refusedUpgrades.length === 0) return 'the sign-in forbids websockets';
  return `the backend refused the upgrade with ${[...new Set(refusedUpgrades)].join(' and ')}`;
}

/**
 * If the proxy retried a request or opened another connection, the times include that: the turn counts as failed. One
 * upgrade that is refused with 426 is how every session over HTTP begins.
 */
function comparable(
  turn: TimedTurn,
  { hints, transport, refusedUpgrades }: SentTiers,
  connection: Connection,
): TimedTurn {
  if (turn.kind === 'failed') return turn;
  const isFallback = transport === 'HTTP' && refusedUpgrades.length === 1 && refusedUpgrades[0] === 426;
  const count = isFallback ? hints.length - 1 : hints.length;
  if (count > 1) {
    const statuses = [...new Set(refusedUpgrades)].join(' and ');
    const cause = statuses === '' ? '' : `: upgrades were refused with ${statuses}`;
    return { kind: 'failed', reason: `it took ${hints.length} requests upstream${cause}` };
  }
  if (connection === 'new' || transport !== 'websocket' || count === 0) return turn;
  return { kind: 'failed', reason: 'the connection was not kept' };
}
