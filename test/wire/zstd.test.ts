import { buffer } from 'node:stream/consumers';
import { createZstdCompress, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { compressZstd, decompressZstd } from '../../src/wire/zstd.ts';

// RFC 8878 §3.1.1.1.1: the upper two bits give the length of the content size; the third says that it replaces the
// window.
const contentSizeBits = 0b1110_0000;

it('writes no content size into the frame header, like the official client', async () => {
  const compressed = await compressZstd(Buffer.from('{"model":"gpt"}'));
  expect(compressed.subarray(0, 4).toString('hex')).toBe('28b52ffd');
  expect(compressed.readUInt8(4) & contentSizeBits).toBe(0);
});

it('writes the bytes of level 3, streamed', async () => {
  // The output of `zstd -3 --no-check` for the same bytes from a pipe.
  const compressed = await compressZstd(Buffer.from('{"a":1,"a":1,"a":1,"a":1,"a":1}'));
  expect(compressed.toString('hex')).toMatchInlineSnapshot(
    `"28b52ffd0058750000407b2261223a312c7d0100a98b11"`,
  );
});

it.each([1, 3000, 20_000, 32_768, 32_769, 66_000, 131_072, 131_073, 300_000, 393_216, 999_999, 5_000_000])(
  'writes the same bytes as a stream for an input of %d bytes',
  async (length) => {
    const text = wordsOf(length);
    const stream = createZstdCompress();
    stream.end(text);
    expect((await compressZstd(text)).equals(await buffer(stream))).toBe(true);
  },
);

/** Text with repeated words, always the same for a length. */
function wordsOf(length: number): Buffer {
  const words: string[] = [];
  let seed = length;
  for (let sum = 0; sum < length; sum += words.at(-1)?.length ?? 1) {
    seed = (seed * 48_271) % 2_147_483_647;
    words.push(`"${(seed % 5000).toString(36)}": {${seed % 7 === 0 ? seed : ''}}, `);
  }
  return Buffer.from(words.join('').slice(0, length));
}

it('decompresses frames with and without a content size', async () => {
  const bytes = Buffer.from('one, two, three');
  expect(decompressZstd(zstdCompressSync(bytes))).toEqual(bytes);
  expect(decompressZstd(await compressZstd(bytes))).toEqual(bytes);
});

it('rejects bytes that are not zstd', () => {
  expect(() => decompressZstd(Buffer.from('not zstd at all'))).toThrow();
});

it('decompresses what it compresses, for any bytes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 5000 }), async (array) => {
      const bytes = Buffer.from(array);
      expect(decompressZstd(await compressZstd(bytes))).toEqual(bytes);
    }),
    { numRuns: 30 },
  );
});
