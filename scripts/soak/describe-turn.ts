import type { Attempt } from './backend.ts';
import type { Outcome } from './client.ts';
import type { PlannedTurn } from './plan.ts';
import type { LogLine } from './running-proxy.ts';

/** A turn, with what is known of it on all sides. */
export type DescribedTurn = {
  readonly turn: PlannedTurn;
  readonly outcome: Outcome;
  /** When the client began and ended it, as Date.now(). */
  readonly began: number;
  readonly ended: number;
  readonly attempts: readonly Attempt[];
  /** All lines of the proxy. They name no turn. */
  readonly log: readonly LogLine[];
};

/** The most log lines to print for one turn. */
const mostLines = 20;

/**
 * Describes a turn, a line each: the plan, what the client and the backend received, and what the proxy logged meanwhile. Times
 * are seconds since the turn began.
 */
export function describeTurn({ turn, outcome, began, ended, attempts, log }: DescribedTurn): string[] {
  const { fault, abort, whole, pace, deltas, promptPadding } = turn;
  const seconds = (time: number) => `${((time - began) / 1000).toFixed(3)} s`;
  const received = attempts.map(({ transport, events, progress: { at, sent, gone } }, index) => {
    const left = gone === undefined ? '' : `, the connection ended after ${seconds(gone)}`;
    return `backend: request ${index + 1} over ${transport} after ${seconds(at)}, sent ${sent} of ${events.length} events${left}`;
  });
  const during = log.filter(({ at }) => at >= began && at <= ended + 100);
  const { events, status, ending, reason, body } = outcome;
  return [
    `plan: ${JSON.stringify({ fault, abort, whole, pace, deltas, promptPadding })}`,
    `client: ${ending} after ${seconds(ended)}, ${reason ?? 'no reason'}, status ${status ?? 'none'}, ${events.length} events`,
    ...(body === undefined ? [] : [`client: body ${body.slice(0, 300)}`]),
    ...(events.length === 0 ? [] : [`client: last event ${(events.at(-1) ?? '').slice(0, 300)}`]),
    ...received,
    ...during.slice(0, mostLines).map(({ at, line }) => `proxy: after ${seconds(at)}: ${line}`),
    ...(during.length > mostLines ? [`proxy: and ${during.length - mostLines} more lines`] : []),
  ];
}
