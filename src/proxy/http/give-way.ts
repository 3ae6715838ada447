/** UTF-16 code units, or bytes. Each step of a shorter request takes a few milliseconds at most. */
const large = 256 * 1024;

/** Lets other requests be served before the next step of one that is large. */
export function giveWay(length: number): Promise<void> | undefined {
  return length < large ? undefined : new Promise((resolve) => setImmediate(resolve));
}
