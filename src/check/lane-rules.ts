import type { Lane } from '../client/official/lanes.ts';
import type { Golden } from '../golden/golden.ts';
import { encodeEvent } from '../trace/codec.ts';
import type { JsonNode } from '../wire/json.ts';

/**
 * The keys that the official client sends upstream but leaves out in a lane, so that a subject has to add them.
 * `client` is the golden of the lane, `upstream` that of direct traffic; none if they are the same golden.
 */
export function suppliedKeys(client: Golden, upstream: Golden): ReadonlySet<string> {
  if (client === upstream) return new Set();
  const known = keysOf(client);
  return new Set([...keysOf(upstream)].filter((key) => !known.has(key)));
}

/**
 * Whether the official client sends different content in a lane than it sends directly. Measured: codex 0.169.0, for a
 * provider of another name, changes tool descriptions and leaves `internal_chat_message_metadata_passthrough` out of
 * items. A neutral subject cannot restore the direct content, so parity compares the envelope only.
 */
export function changesContent(lane: Lane): boolean {
  return lane === 'provider';
}

/**
 * Whether a subject has to accept an upgrade before it can make its own. Where the client leaves out the routing hint of its upgrade,
 * model and tier are known from its first message only. So the subject cannot forward the backend's refusal of the upgrade.
 */
export function mustAcceptFirst(client: Golden, upstream: Golden): boolean {
  const [first] = upstream.exchanges;
  return first?.request.method === 'GET' && hasRoutingHint(upstream) && !hasRoutingHint(client);
}

/** Why no subject can reproduce a golden; undefined if one can. */
export function whyNotReproducible(client: Golden, upstream: Golden): string | undefined {
  const [first] = upstream.exchanges;
  const isRefused = first?.steps[0]?.type === 'response' && first.steps[0].status !== 101;
  if (!isRefused || !mustAcceptFirst(client, upstream)) return undefined;
  return 'the client sends its tier after the upgrade, and the backend refuses the upgrade';
}

/** Whether the first request has a routing hint. */
function hasRoutingHint({ exchanges }: Golden): boolean {
  const headers = exchanges[0]?.request.headers ?? [];
  return headers.some(([name]) => name.toLowerCase() === 'x-codex-routing-hint');
}

/** All keys in the bodies and messages of the client. */
function keysOf({ exchanges }: Golden): Set<string> {
  const keys = new Set<string>();
  const visit = (node: JsonNode): void => {
    if (node.kind === 'array') node.items.forEach(visit);
    if (node.kind !== 'object') return;
    for (const [key, value] of node.members) {
      keys.add(key);
      visit(value);
    }
  };
  for (const step of exchanges.flatMap(({ steps }) => steps)) {
    if (step.type !== 'response' && step.from === 'client') visit(encodeEvent(step));
  }
  return keys;
}
