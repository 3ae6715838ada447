import { encodeEvent } from '../../trace/codec.ts';
import type { RequestEvent, TraceEvent } from '../../trace/trace-event.ts';
import { type JsonNode, printJson } from '../../wire/json.ts';
import type { Exchange } from '../trace/exchanges.ts';

/** The places (placesIn) of objects whose keys may come in any order. */
export type UnorderedPlaces = ReadonlySet<string>;

/**
 * The places of objects whose key order differs between any two messages of any runs. Three keys in random order may
 * agree by chance in three runs of one message; over all messages of all runs they do not. Paths inside arrays are left
 * out: items with the same index need not be of the same sort.
 */
export function unorderedPlaces(exchanges: Iterable<Exchange>): UnorderedPlaces {
  const orders = new Map<string, string[][]>();
  const unordered = new Set<string>();
  const visit = (node: JsonNode, path: readonly string[], placeOf: PlaceOf): void => {
    if (node.kind !== 'object') return;
    const place = placeOf(path);
    if (!unordered.has(place)) {
      const keys = node.members.map(([key]) => key);
      const known = orders.get(place) ?? [];
      if (known.some((order) => contradicts(keys, order))) unordered.add(place);
      if (!known.some((order) => order.join('\n') === keys.join('\n'))) orders.set(place, [...known, keys]);
    }
    for (const [key, value] of node.members) visit(value, [...path, key], placeOf);
  };
  for (const { request, steps } of exchanges) {
    for (const event of [request, ...steps]) visit(encodeEvent(event), [], placesIn(request, event));
  }
  return unordered;
}

type PlaceOf = (path: readonly string[]) => string;

/**
 * The places of objects in an event, by their path. Objects of one path are of the same sort only in events of one type
 * that one side sends to one target: a client writes the keys of a websocket message and of a body in orders of their own
 * (measured: codex 0.123.0, websocket and `/responses/compact`).
 */
export function placesIn({ method, target }: RequestEvent, event: TraceEvent): PlaceOf {
  const from = 'from' in event ? event.from : '';
  const prefix = [method, printJson(target), event.type, from];
  return (path) => [...prefix, ...path].join('\n');
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
