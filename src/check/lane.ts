import type { Lane } from '../client/official/lanes.ts';
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

/**
 * Whether the official client's content in a lane is another than the one that must leave a subject by the golden
 * (measured: codex 0.169.0: a provider of another name gets other tool descriptions, and items without
 * `internal_chat_message_metadata_passthrough`). No subject can make one of the other and be neutral: there, parity
 * judges the envelope alone, and content is for request neutrality alone.
 */
export function saysOtherContent(lane: Lane): boolean {
  return lane === 'provider';
}

/**
 * Why no subject can do what a golden shows, or undefined. The official client says model and tier in the routing hint
 * of its upgrade; where it leaves the hint out in a lane, they stand in its first message. So a subject must accept it
 * before it can ask the backend, and cannot pass on what the backend then says of the upgrade.
 */
export function beyondSubjects(said: Golden, upstream: Golden): string | undefined {
  const [first] = upstream.exchanges;
  const isRefused = first?.steps[0]?.type === 'response' && first.steps[0].status !== 101;
  if (first?.request.method !== 'GET' || !isRefused || !hints(upstream) || hints(said)) return undefined;
  return 'the client tells its tier only after the upgrade that the backend refuses';
}

/** Whether the first request has a routing hint. */
function hints({ exchanges }: Golden): boolean {
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
