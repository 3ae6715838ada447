import type { TraceEvent } from '../trace/trace-event.ts';
import { type SentTiers, sentTiersIn } from './sent-tiers.ts';
import { type Tier, type TimedTurn, tiers, timeTurn } from './timed-turn.ts';

/** One turn, and what was sent upstream for it. */
export type TierRun = { readonly tier: Tier; readonly turn: TimedTurn; readonly sent: SentTiers };

export type MeasureOptions = {
  /** The proxy: `http://127.0.0.1:PORT`. */
  readonly origin: string;
  readonly model: string;
  readonly prompt: string;
  /** Turns with each tier. */
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
  const { origin, model, prompt, runs, takeEvents, signal, onRun } = options;
  const results: TierRun[] = [];
  for (let round = 0; round < runs; round += 1) {
    for (const tier of round % 2 === 0 ? tiers : tiers.toReversed()) {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(turnTimeout)]);
      const turn = await timeTurn(origin, { model, prompt, tier }, limit);
      signal.throwIfAborted();
      const sent = sentTiersIn(takeEvents());
      const run = { tier, turn: withoutRetries(turn, sent), sent };
      results.push(run);
      onRun(run, results.length);
    }
  }
  return results;
}

/** If the proxy retried a request, the times include failed attempts: the turn counts as failed. */
function withoutRetries(turn: TimedTurn, { hints }: SentTiers): TimedTurn {
  if (turn.kind === 'failed' || hints.length <= 1) return turn;
  return { kind: 'failed', reason: `it took ${hints.length} requests upstream` };
}
