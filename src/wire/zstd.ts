import { buffer } from 'node:stream/consumers';
import { createZstdCompress, zstdDecompressSync } from 'node:zlib';

/**
 * Compresses like the official client: zstd level 3, streamed, so that the frame header holds no content size.
 * The write must be done before the end is told: zlib's one-shot call, and an end that carries the only chunk,
 * know the size and write it.
 */
export async function compressZstd(bytes: Buffer): Promise<Buffer> {
  const compressor = createZstdCompress();
  const compressed = buffer(compressor);
  compressor.write(bytes, () => compressor.end());
  return compressed;
}

/** Undoes zstd, whoever wrote it; throws zlib's own error when the bytes are not a whole zstd frame. */
export function decompressZstd(bytes: Buffer): Buffer {
  return zstdDecompressSync(bytes);
}
