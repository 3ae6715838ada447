/** UTF-16 code units, or bytes. Each step of a shorter request takes a few milliseconds at most. */
const large = 256 * 1024;

/** Lets other requests be served before the next step of one that is large. */
export async function giveWay(length: number): Promise<void> {
  if (length >= large) await new Promise((resolve) => setImmediate(resolve));
}
