/** Bytes: most requests have room in it. */
export const scratchLength = 256 * 1024;

/** The most pieces of memory to keep. */
const mostKept = 4;

const kept: Buffer[] = [];

/**
 * Returns memory for bytes that are soon no longer needed; then call `returnScratch`. New memory of this size for each request
 * takes longer than to copy the bytes: the system has to provide it, and V8 to free it.
 */
export function takeScratch(): Buffer {
  return kept.pop() ?? Buffer.allocUnsafeSlow(scratchLength);
}

export function returnScratch(bytes: Buffer): void {
  if (kept.length < mostKept) kept.push(bytes);
}
