import { buffer } from 'node:stream/consumers';
import { constants, createZstdCompress, zstdCompressSync, zstdDecompressSync } from 'node:zlib';

/** What level 3 means for a text of unknown length, and no length in the frame's header: as a stream has it. */
const ofUnknownLength = {
  [constants.ZSTD_c_windowLog]: 21,
  [constants.ZSTD_c_hashLog]: 17,
  [constants.ZSTD_c_chainLog]: 16,
  [constants.ZSTD_c_searchLog]: 1,
  [constants.ZSTD_c_minMatch]: 5,
  [constants.ZSTD_c_strategy]: constants.ZSTD_dfast,
  [constants.ZSTD_c_contentSizeFlag]: 0,
};

/** The window's size in the frame's header (RFC 8878 §3.1.1.1.2): where it stands, and 2 MiB as it is spelled. */
const [windowAt, window] = [5, 0x58];

/** From this many bytes on, that the length is known changes nothing but the window: zlib takes no smaller tables. */
const long = 32 * 1024 + 1;

/** Bytes of a block. A stream whose text ends with a whole one says so in another block, without bytes. */
const block = 128 * 1024;

/** Up to this many bytes, a body keeps the program for a few milliseconds at most. */
const quick = 1024 * 1024;

/**
 * Compresses like the official client: zstd level 3, streamed, so that the frame header holds no content size. Gave
 * the very bytes of the bodies that Codex 0.118.0 and 0.169.0 sent. The usual ones are packed at once, into the bytes
 * that a stream would give: a stream takes 3.5 MB of memory for each, and twice the time.
 */
export async function compressZstd(bytes: Buffer): Promise<Buffer> {
  if (bytes.length < long || bytes.length > quick || bytes.length % block === 0) {
    const compressor = createZstdCompress();
    compressor.end(bytes);
    return buffer(compressor);
  }
  const packed = zstdCompressSync(bytes, { params: ofUnknownLength });
  packed[windowAt] = window;
  return packed;
}

/**
 * Undoes zstd, whoever wrote it; throws zlib's own error when the bytes are not a whole zstd frame, or become more than
 * `most` bytes.
 */
export function decompressZstd(bytes: Buffer, most = 256 * 1024 * 1024): Buffer {
  return zstdDecompressSync(bytes, { maxOutputLength: most });
}
