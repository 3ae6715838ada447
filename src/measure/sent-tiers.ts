import type { TraceEvent } from '../trace/trace-event.ts';
import { type JsonNode, member, printJson, stringAt } from '../wire/json.ts';
import { isModelRoute } from '../wire/route.ts';

/** The tiers sent upstream for a turn, in order, and how. A tier is null if a request has none. */
export type SentTiers = {
  /** `service_tier` of every model request, prewarms included: websocket messages and bodies of POSTs. */
  readonly tiers: readonly (string | null)[];
  /** `x-codex-routing-hint` of every upgrade and POST. */
  readonly hints: readonly (string | null)[];
  /** The transport of the last request, which is that of the turn. Undefined if there was no request. */
  readonly transport: 'websocket' | 'HTTP' | undefined;
  /** The statuses with which upgrades were refused. */
  readonly refusedUpgrades: readonly number[];
};

/** Reads what was sent for a turn from the events of a tap behind the proxy. */
export function sentTiersIn(events: readonly TraceEvent[]): SentTiers {
  const tiers: (string | null)[] = [];
  const hints: (string | null)[] = [];
  const upgrades = new Set<number>();
  const refusedUpgrades: number[] = [];
  let transport: SentTiers['transport'];
  for (const event of events) {
    if (event.type === 'request' && event.target.kind === 'string' && isModelRoute(event.target.value)) {
      const hint = event.headers.find(([name]) => name.toLowerCase() === 'x-codex-routing-hint');
      hints.push(hint === undefined ? null : textOf(hint[1]));
      if (event.method === 'GET') upgrades.add(event.exchange);
    }
    if (event.type === 'response' && upgrades.has(event.exchange) && event.status !== 101) {
      refusedUpgrades.push(event.status);
    }
    if ((event.type !== 'message' && event.type !== 'body') || event.from !== 'client') continue;
    if (event.content.kind !== 'json') continue;
    const { json } = event.content;
    // Messages such as `response.interrupt` are not requests.
    if (event.type === 'message' && stringAt(json, 'type') !== 'response.create') continue;
    const tier = member(json, 'service_tier');
    tiers.push(tier === undefined ? null : textOf(tier));
    transport = event.type === 'message' ? 'websocket' : 'HTTP';
  }
  return { tiers, hints, transport, refusedUpgrades };
}

function textOf(node: JsonNode): string {
  return node.kind === 'string' ? node.value : printJson(node);
}
