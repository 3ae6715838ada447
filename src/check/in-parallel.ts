/**
 * Calls `work` for each item, at most `width` at a time; the results stand in the order of the items, those that are
 * undefined left out.
 */
export async function inParallel<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<R | undefined>,
): Promise<R[]> {
  const results = new Map<number, R | undefined>();
  const queue = items.entries();
  let failed = false;
  const take = async () => {
    // All takers share one iterator, so each item is taken once; after a failure, none is.
    for (const [at, item] of queue) {
      if (failed) return;
      try {
        results.set(at, await work(item));
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: width }, take));
  return items.flatMap((_, at) => {
    const result = results.get(at);
    return result === undefined ? [] : [result];
  });
}
