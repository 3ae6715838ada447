import fc from 'fast-check';

/** Chunks of one byte each: the hardest chunking. */
export function byteByByte(bytes: Buffer): Buffer[] {
  return Array.from(bytes, (byte) => Buffer.of(byte));
}

/** Arbitrary functions that split bytes into chunks, repeating a list of sizes. */
export const anyCut: fc.Arbitrary<(bytes: Buffer) => Buffer[]> = fc
  .array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 12 })
  .filter((sizes) => sizes.some((size) => size > 0))
  .map((sizes) => (bytes) => {
    const chunks: Buffer[] = [];
    for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
      const size = sizes[turn % sizes.length] ?? 1;
      chunks.push(bytes.subarray(at, at + size));
      at += size;
    }
    return chunks;
  });

/** Arbitrary chunkings of these bytes. */
export function anyChunking(bytes: Buffer): fc.Arbitrary<Buffer[]> {
  return anyCut.map((cut) => cut(bytes));
}
