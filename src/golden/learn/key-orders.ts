import { encodeEvent } from '../../trace/codec.ts';
import type { TraceEvent } from '../../trace/trace-event.ts';
import type { JsonNode } from '../../wire/json.ts';

/**
 * The paths (pathKey) of objects whose key order differs between any two messages of any runs. Three keys in random order
 * may agree by chance in three runs of one message; over all messages of all runs they do not. Paths inside arrays are
 * left out: items with the same index need not be of the same sort.
 */
export function unorderedPaths(events: Iterable<TraceEvent>): ReadonlySet<string> {
  const orders = new Map<string, string[][]>();
  const unordered = new Set<string>();
  const visit = (node: JsonNode, path: readonly string[]): void => {
    if (node.kind !== 'object') return;
    const place = pathKey(path);
    if (!unordered.has(place)) {
      const keys = node.members.map(([key]) => key);
      const known = orders.get(place) ?? [];
      if (known.some((order) => contradicts(keys, order))) unordered.add(place);
      if (!known.some((order) => order.join('\n') === keys.join('\n'))) orders.set(place, [...known, keys]);
    }
    for (const [key, value] of node.members) visit(value, [...path, key]);
  };
  for (const event of events) visit(encodeEvent(event), []);
  return unordered;
}

/** A path as one string. */
export function pathKey(path: readonly string[]): string {
  return path.join('\n');
}

/** Whether two keys that both lists contain have one order in `a` and the other order in `b`. */
function contradicts(a: readonly string[], b: readonly string[]): boolean {
  const positions = a.map((key) => b.indexOf(key)).filter((position) => position !== -1);
  return positions.some((position, index) => index > 0 && position < (positions[index - 1] ?? 0));
}

/** Members sorted by key. Members with the same key keep their order. */
export function sortByKey<T extends readonly [key: string, ...rest: readonly unknown[]]>(
  members: readonly T[],
): T[] {
  return [...members].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}
