/** The last key of a path that is no number of an item; empty where there is none. */
export function lastKey(path: readonly string[]): string {
  return path.findLast((key) => !/^\d+$/.test(key)) ?? '';
}
