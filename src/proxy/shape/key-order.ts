/**
 * Merges several key lists into one order. The first list keeps its order. Each further key goes directly after the key
 * that precedes it in its own list: so `service_tier`, which only a fast request has, has a position in every request.
 */
export function keyOrder([first = [], ...others]: readonly (readonly string[])[]): string[] {
  const placed = new Set(first);
  const order = [...placed];
  for (const list of others) {
    list.forEach((key, index) => {
      if (placed.has(key)) return;
      placed.add(key);
      const before = list[index - 1];
      order.splice(before === undefined ? 0 : order.indexOf(before) + 1, 0, key);
    });
  }
  return order;
}
