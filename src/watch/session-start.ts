import type { Finding } from '../diff/finding.ts';
import { liveFindings } from '../diff/live.ts';
import type { Golden } from '../golden/golden.ts';
import { type Exchange, exchangesOf } from '../golden/trace/exchanges.ts';
import type { TraceEvent } from '../trace/trace-event.ts';
import type { GoldenChoice } from './golden-choice.ts';
import { PackedEvents } from './packed-events.ts';
import { requestFacts } from './request-facts.ts';
import { isDelta } from './turn-frames.ts';

/** How the start of a session compares with a golden. */
export type GoldenVerdict =
  | { readonly type: 'pending' }
  | { readonly type: 'not compared'; readonly reason: string }
  | ComparedStart;

/** The start of a session beside the golden that fits it best. Without findings, it has parity. */
export type ComparedStart = {
  readonly type: 'compared';
  readonly golden: Golden;
  readonly exchanges: () => readonly Exchange[];
  readonly findings: readonly Finding[];
};

/** The most events of a session that are kept until its start is compared. */
const mostEvents = 400;

/**
 * Collects the traffic of a session until its first turn is over, and then compares it with the goldens that fit: the
 * connection, the prewarm and the first turn. Deltas are left out, since what a backend sends is not judged.
 */
export class SessionStart {
  readonly #events = new PackedEvents();
  readonly #connections = new Set<number>();

  /** Takes an event of the session. Ends are taken only of its connections, so that all of them can be passed. */
  add(event: TraceEvent): void {
    if (this.#events.count >= mostEvents || isDelta(event)) return;
    if (event.type === 'end' && !this.#connections.has(event.connection)) return;
    if (event.type === 'connection') this.#connections.add(event.connection);
    this.#events.add(event);
  }

  /** The verdict. A golden that the start follows is preferred to one that it does not. */
  compare(choice: GoldenChoice): GoldenVerdict {
    if (this.#events.count >= mostEvents)
      return { type: 'not compared', reason: `it began with more than ${mostEvents} events` };
    const exchanges = this.#exchanges();
    if (isUnderWay(exchanges))
      return { type: 'not compared', reason: 'it was under way before it was watched' };
    let best: ComparedStart | undefined;
    for (const golden of choice.candidates(exchanges)) {
      const { findings } = liveFindings(golden, exchanges);
      const compared = { type: 'compared', golden, exchanges: () => this.#exchanges(), findings } as const;
      if (findings.length === 0) return compared;
      best ??= compared;
    }
    return best ?? { type: 'not compared', reason: 'there is no golden for it' };
  }

  #exchanges(): readonly Exchange[] {
    return withoutRefused(exchangesOf(this.#events.unpack()));
  }
}

/** Upgrades that were refused do not matter where the client then got a websocket, as after it renewed its sign-in. */
function withoutRefused(exchanges: readonly Exchange[]): readonly Exchange[] {
  const statusOf = ({ steps }: Exchange) => steps.find((step) => step.type === 'response')?.status;
  if (exchanges.some(({ request }) => request.method === 'POST')) return exchanges;
  const accepted = exchanges.filter((exchange) => statusOf(exchange) === 101);
  return accepted.length > 0 ? accepted : exchanges;
}

/** A session whose first request repeats a history without a prewarm continues one that was not seen. */
function isUnderWay(exchanges: readonly Exchange[]): boolean {
  const sent = exchanges
    .flatMap(({ steps }) => steps)
    .flatMap((step) => {
      if (step.type === 'response' || step.from !== 'client' || step.content.kind !== 'json') return [];
      return requestFacts(step.content.json) ?? [];
    });
  const [first] = sent;
  return (
    first !== undefined && !first.prewarm && (first.repeatsHistory || first.previousResponse !== undefined)
  );
}
