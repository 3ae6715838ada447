import type { TraceEvent } from '../trace/trace-event.ts';
import { type JsonNode, member, printJson, stringAt } from '../wire/json.ts';
import { isModelRoute } from '../wire/route.ts';

/** What of the tier was sent upstream; null where it was absent. */
export type Sent = {
  /** `service_tier` of every request for a response, the prewarm's too: websocket messages and bodies of POSTs. */
  readonly tiers: readonly (string | null)[];
  /** `x-codex-routing-hint` of every upgrade and POST. */
  readonly hints: readonly (string | null)[];
};

/** Reads it out of what a tap saw upstream. */
export function sentIn(events: readonly TraceEvent[]): Sent {
  const tiers: (string | null)[] = [];
  const hints: (string | null)[] = [];
  for (const event of events) {
    if (event.type === 'request' && event.target.kind === 'string' && isModelRoute(event.target.value)) {
      const hint = event.headers.find(([name]) => name.toLowerCase() === 'x-codex-routing-hint');
      hints.push(hint === undefined ? null : said(hint[1]));
    }
    if ((event.type !== 'message' && event.type !== 'body') || event.from !== 'client') continue;
    if (event.content.kind !== 'json') continue;
    const { json } = event.content;
    // What steers a running turn asks for no response.
    if (event.type === 'message' && stringAt(json, 'type') !== 'response.create') continue;
    const tier = member(json, 'service_tier');
    tiers.push(tier === undefined ? null : said(tier));
  }
  return { tiers, hints };
}

function said(node: JsonNode): string {
  return node.kind === 'string' ? node.value : printJson(node);
}
