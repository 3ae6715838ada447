import type { Golden } from '../golden/golden.ts';
import { encodeEvent } from '../trace/codec.ts';
import type { JsonNode } from '../wire/json.ts';

/** Below what path of its upstream a golden's requests are made: `/backend-api/codex`, with an API key `/v1`. */
export function pathOf({ exchanges }: Golden): string {
  const target = exchanges[0]?.request.target;
  return target?.kind === 'string' ? target.value.slice(0, target.value.lastIndexOf('/responses')) : '';
}

/**
 * The keys that the official client sends upstream and leaves out of what it says in a lane: a subject has to add
 * them. None where it is the same golden.
 */
export function suppliedKeys(said: Golden, upstream: Golden): ReadonlySet<string> {
  const known = keysOf(said);
  return new Set([...keysOf(upstream)].filter((key) => !known.has(key)));
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
