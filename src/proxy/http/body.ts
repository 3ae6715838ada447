import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { gunzip, type ZstdOptions, zstdDecompress, zstdDecompressSync } from 'node:zlib';
import { type HeaderList, headerValue } from '../../wire/headers.ts';
import { type ApiError, proxyError } from './errors.ts';

const unpackers = { zstd: unpackZstd, gzip: promisify(gunzip) };
const unpackBeside = promisify(zstdDecompress);

/** Up to this many bytes are unpacked at once: beside other work each body would take megabytes, and twice the time. */
const quick = 128 * 1024;

async function unpackZstd(body: Buffer, options: ZstdOptions): Promise<Buffer> {
  return body.length > quick ? unpackBeside(body, options) : zstdDecompressSync(body, options);
}

/**
 * A client's body as it came. Rejects with ApiError for one that is too large, and where the client leaves before its
 * end.
 */
export function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const take = (bytes: Buffer) => {
      length += bytes.length;
      chunks.push(bytes);
      if (length <= limit) return;
      request.off('data', take).pause();
      reject(tooLarge(limit));
    };
    request.on('data', take);
    request.once('end', () =>
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)),
    );
    request.once('error', reject);
  });
}

/** The text of a body, unpacked. Throws ApiError for an unknown or broken encoding, and for what grows too large. */
export async function unpackBody(body: Buffer, headers: HeaderList, limit: number): Promise<string> {
  const encoding = headerValue(headers, 'content-encoding') ?? 'identity';
  if (encoding === 'identity') return body.toString('utf8');
  if (encoding !== 'zstd' && encoding !== 'gzip') {
    throw proxyError(415, 'unknown_encoding', `a body packed as "${encoding}" is not understood`);
  }
  try {
    const unpacked = await unpackers[encoding](body, { maxOutputLength: limit });
    return unpacked.toString('utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(limit);
    throw proxyError(400, 'broken_encoding', `the body is not ${encoding}`);
  }
}

function tooLarge(limit: number): ApiError {
  return proxyError(413, 'body_too_large', `a body may have ${limit} bytes, this one has more`);
}
