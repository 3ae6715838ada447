import { encodeEvent } from '../../trace/codec.ts';
import type { TraceEvent } from '../../trace/trace-event.ts';
import type { JsonNode } from '../../wire/json.ts';

/**
 * The places of objects whose keys stand in another order here than there, in any two messages of any runs. Three
 * keys in random order agree by chance in three runs of one message; over all messages of all runs they do not.
 * Places inside lists are left out: what stands in a list under one number need not be one kind of thing.
 */
export function unorderedPlaces(events: Iterable<TraceEvent>): ReadonlySet<string> {
  const orders = new Map<string, string[][]>();
  const unordered = new Set<string>();
  const visit = (node: JsonNode, path: readonly string[]): void => {
    if (node.kind !== 'object') return;
    const place = pathKey(path);
    if (!unordered.has(place)) {
      const keys = node.members.map(([key]) => key);
      const known = orders.get(place) ?? [];
      if (known.some((other) => contradicts(keys, other))) unordered.add(place);
      if (!known.some((other) => other.join('\n') === keys.join('\n'))) orders.set(place, [...known, keys]);
    }
    for (const [key, value] of node.members) visit(value, [...path, key]);
  };
  for (const event of events) visit(encodeEvent(event), []);
  return unordered;
}

export function pathKey(path: readonly string[]): string {
  return path.join('\n');
}

/** Whether two keys that both lists have stand the one way round here and the other way round there. */
function contradicts(one: readonly string[], other: readonly string[]): boolean {
  const positions = one.map((key) => other.indexOf(key)).filter((at) => at !== -1);
  return positions.some((at, index) => index > 0 && at < (positions[index - 1] ?? 0));
}

/** Members in the order of their keys; those of one key stay as they stood. */
export function sortByKey<T extends readonly [key: string, ...rest: readonly unknown[]]>(
  members: readonly T[],
): T[] {
  return [...members].sort(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0));
}
