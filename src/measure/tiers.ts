import type { TraceEvent } from '../trace/trace-event.ts';
import { type Sent, sentIn } from './sent.ts';
import { type AskedTier, askedTiers, askTurn, type MeasuredTurn, type Question } from './turn.ts';

/** One turn, and what was sent upstream for it. */
export type Run = { readonly asked: AskedTier; readonly turn: MeasuredTurn; readonly sent: Sent };

export type MeasureOptions = Question & {
  /** The proxy that is asked: `http://127.0.0.1:PORT`. */
  readonly origin: string;
  /** How many turns with each tier. */
  readonly runs: number;
  /** What a tap behind the proxy saw since this was asked last. */
  readonly seen: () => readonly TraceEvent[];
  readonly signal: AbortSignal;
  readonly onRun: (run: Run, at: number) => void;
};

/** Milliseconds that one turn may take. */
const patience = 300_000;

/** Takes the turns one after the other. The tiers alternate, so that a slow minute hits both. */
export async function measureTiers(options: MeasureOptions): Promise<Run[]> {
  const { origin, runs, seen, signal, onRun } = options;
  const measured: Run[] = [];
  for (let at = 0; at < runs; at += 1) {
    // Who goes first alternates too.
    for (const asked of at % 2 === 0 ? askedTiers : askedTiers.toReversed()) {
      const turn = await askTurn(
        origin,
        options,
        asked,
        AbortSignal.any([signal, AbortSignal.timeout(patience)]),
      );
      signal.throwIfAborted();
      const sent = sentIn(seen());
      const run = { asked, turn: inOneAttempt(turn, sent), sent };
      measured.push(run);
      onRun(run, measured.length);
    }
  }
  return measured;
}

/** A turn that the proxy had to begin again has the time of the lost attempts in it: it is a failed one. */
function inOneAttempt(turn: MeasuredTurn, { hints }: Sent): MeasuredTurn {
  if (turn.kind === 'failed' || hints.length <= 1) return turn;
  return { kind: 'failed', reason: `it took ${hints.length} requests upstream` };
}
