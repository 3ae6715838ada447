import { buffer } from 'node:stream/consumers';
import { createZstdCompress, zstdDecompressSync } from 'node:zlib';

/**
 * Compresses like the official client: zstd level 3, streamed, so that the frame header holds no content size (zlib's
 * one-shot call writes it). Gave the very bytes of the bodies that Codex 0.118.0 and 0.169.0 sent.
 */
export async function compressZstd(bytes: Buffer): Promise<Buffer> {
  const compressor = createZstdCompress();
  compressor.end(bytes);
  return buffer(compressor);
}

/**
 * Undoes zstd, whoever wrote it; throws zlib's own error when the bytes are not a whole zstd frame, or become more than
 * `most` bytes.
 */
export function decompressZstd(bytes: Buffer, most = 256 * 1024 * 1024): Buffer {
  return zstdDecompressSync(bytes, { maxOutputLength: most });
}
