import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { gunzip, type ZstdOptions, zstdDecompress, zstdDecompressSync } from 'node:zlib';
import { type HeaderList, headerValue } from '../../wire/headers.ts';
import { type ApiError, proxyError } from './errors.ts';

const decompressInBackground = promisify(zstdDecompress);
const decompressors = {
  gzip: promisify(gunzip),
  zstd: async (body: Buffer, options: ZstdOptions): Promise<Buffer> =>
    body.length > smallBody ? decompressInBackground(body, options) : zstdDecompressSync(body, options),
};

/** Bodies up to this many bytes are decompressed synchronously: in the background each takes megabytes, and twice the time. */
const smallBody = 128 * 1024;

/** The most members of a request, and of an object in it that the proxy reads. The official client sends a few. */
export const mostMembers = 1000;

/** Reads the body of a client's request. Rejects with ApiError when it is longer than `limit` bytes. */
export function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    // A request whose client has left has no more events.
    if (request.destroyed) reject(new Error('the client disconnected'));
    const chunks: Buffer[] = [];
    let length = 0;
    const onData = (chunk: Buffer) => {
      length += chunk.length;
      chunks.push(chunk);
      if (length <= limit) return;
      request.off('data', onData).pause();
      reject(tooLarge(limit));
    };
    request.on('data', onData);
    request.once('end', () =>
      resolve(chunks.length > 1 ? Buffer.concat(chunks) : (chunks[0] ?? Buffer.alloc(0))),
    );
    request.once('error', reject);
  });
}

/** Decompresses a body. Rejects with ApiError for an unknown encoding, a broken body, or more than `limit` bytes. */
export async function unpackBody(body: Buffer, headers: HeaderList, limit: number): Promise<string> {
  // Names of codings have no case, and `x-gzip` is `gzip` (RFC 9110, section 8.4.1).
  const encoding = headerValue(headers, 'content-encoding')?.trim().toLowerCase().replace(/^x-/, '') ?? '';
  if (encoding === 'identity' || encoding === '') return body.toString('utf8');
  if (encoding !== 'zstd' && encoding !== 'gzip') {
    const message = `content-encoding "${encoding}" is not supported: use zstd or gzip`;
    throw proxyError(415, 'unknown_encoding', message);
  }
  try {
    return (await decompressors[encoding](body, { maxOutputLength: limit })).toString('utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(limit);
    throw proxyError(400, 'broken_encoding', `the body is not valid ${encoding}`);
  }
}

export const tooLargeStatus = 413;

function tooLarge(limit: number): ApiError {
  return proxyError(tooLargeStatus, 'body_too_large', `the body is larger than ${limit} bytes`);
}
