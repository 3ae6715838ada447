/**
 * Merges several key lists into one order. The first list keeps its order. Each further key goes directly after the key
 * that precedes it in its own list: so `service_tier`, which only a fast request has, has a position in every request.
 * Takes linear time: a client may send any number of keys.
 */
export function keyOrder([first = [], ...others]: readonly (readonly string[])[]): string[] {
  const known = new Set(first);
  if (others.every((list) => list.every((key) => known.has(key)))) return [...known];
  /** The key after each key; the first one after undefined. */
  const next = new Map<string | undefined, string | undefined>();
  for (const list of [known, ...others]) {
    let before: string | undefined;
    for (const key of list) {
      if (!next.has(key)) {
        next.set(key, next.get(before));
        next.set(before, key);
      }
      before = key;
    }
  }
  const order: string[] = [];
  for (let key = next.get(undefined); key !== undefined; key = next.get(key)) order.push(key);
  return order;
}
