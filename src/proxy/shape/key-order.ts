/**
 * One order of keys out of several lists: the first list's own, and each further key right behind the key that
 * precedes it where it was seen. So `service_tier`, which only a fast request has, finds its place in any request.
 */
export function keyOrder([first = [], ...others]: readonly (readonly string[])[]): string[] {
  const placed = new Set(first);
  const order = [...placed];
  for (const list of others) {
    list.forEach((key, at) => {
      if (placed.has(key)) return;
      placed.add(key);
      const before = list[at - 1];
      order.splice(before === undefined ? 0 : order.indexOf(before) + 1, 0, key);
    });
  }
  return order;
}
