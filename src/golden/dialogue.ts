import type { ConnectionEvent, RequestEvent, TraceEvent } from '../trace/event.ts';
import { isModelRoute } from '../wire/route.ts';

/** One model request and all that followed on it, both sides, in the order the tap saw it. */
export type Exchange = {
  readonly connection: ConnectionEvent;
  readonly request: RequestEvent;
  readonly steps: readonly Step[];
};

export type Step = Extract<TraceEvent, { type: 'response' | 'body' | 'message' }>;

/**
 * The model traffic of a trace: its exchanges in the order they began, numbered anew from 1, side requests left
 * out. Pongs are left out too: when they are sent is a matter of timing, not of what is said.
 */
export function dialogueOf(events: Iterable<TraceEvent>): Exchange[] {
  const connections = new Map<number, ConnectionEvent>();
  const exchanges = new Map<number, Exchange & { readonly steps: Step[] }>();
  for (const event of events) {
    if (event.type === 'connection') connections.set(event.connection, event);
    if (event.type === 'request') {
      const connection = connections.get(event.connection);
      const { target } = event;
      if (connection === undefined || target.kind !== 'string' || !isModelRoute(target.value)) continue;
      const exchange = exchanges.size + 1;
      exchanges.set(event.exchange, {
        connection: { ...connection, connection: exchange },
        request: { ...event, exchange, connection: exchange },
        steps: [],
      });
    }
    if (event.type === 'response' || event.type === 'body' || event.type === 'message') {
      if (event.type === 'message' && event.opcode === 'pong') continue;
      const own = exchanges.get(event.exchange);
      own?.steps.push({ ...event, exchange: own.request.exchange });
    }
  }
  return [...exchanges.values()];
}
