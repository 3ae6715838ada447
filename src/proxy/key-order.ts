/**
 * One order of keys out of several lists: the first list's own, and each further key right behind the key that
 * precedes it where it was seen. So `service_tier`, which only a fast request has, finds its place in any request.
 */
export function keyOrder(lists: readonly (readonly string[])[]): string[] {
  const order: string[] = [];
  for (const list of lists) {
    list.forEach((key, at) => {
      if (order.includes(key)) return;
      const before = list[at - 1];
      order.splice(before === undefined ? 0 : order.indexOf(before) + 1, 0, key);
    });
  }
  return order;
}
