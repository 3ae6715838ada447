import fc from 'fast-check';

/** The bytes, one at a time: the hardest chunking there is. */
export function byteByByte(bytes: Buffer): Buffer[] {
  return Array.from(bytes, (byte) => Buffer.of(byte));
}

/** Any way to cut the bytes into chunks. */
export function anyChunking(bytes: Buffer): fc.Arbitrary<Buffer[]> {
  return fc.uniqueArray(fc.nat(bytes.length)).map((cuts) => {
    const sorted = [0, ...cuts.sort((a, b) => a - b), bytes.length];
    return sorted.slice(1).map((end, index) => bytes.subarray(sorted[index], end));
  });
}
