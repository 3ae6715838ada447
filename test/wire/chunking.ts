import fc from 'fast-check';

/** The bytes, one at a time: the hardest chunking there is. */
export function byteByByte(bytes: Buffer): Buffer[] {
  return Array.from(bytes, (byte) => Buffer.of(byte));
}

/** Ways to cut any bytes into chunks: of the given sizes, over and over. */
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

/** Ways to cut these bytes into chunks. */
export function anyChunking(bytes: Buffer): fc.Arbitrary<Buffer[]> {
  return anyCut.map((cut) => cut(bytes));
}
