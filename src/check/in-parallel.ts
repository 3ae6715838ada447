/**
 * Calls `work` for each item, at most `width` at a time. Returns the results in the order of the items, without those
 * that are undefined. Rejects with the first error; no further item is started then.
 */
export async function inParallel<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<R | undefined>,
): Promise<R[]> {
  const results = new Map<number, R | undefined>();
  const queue = items.entries();
  let failed = false;
  const worker = async () => {
    // All workers share one iterator, so each item is taken once.
    for (const [index, item] of queue) {
      if (failed) return;
      try {
        results.set(index, await work(item));
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return items.flatMap((_, index) => {
    const result = results.get(index);
    return result === undefined ? [] : [result];
  });
}
