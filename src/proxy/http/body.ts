import type { IncomingMessage } from 'node:http';
import { createGunzip, createZstdDecompress, zstdDecompressSync } from 'node:zlib';
import { type HeaderList, headerValue } from '../../wire/headers.ts';
import { ApiError, proxyError } from './errors.ts';
import type { HeldBytes } from './request-bytes.ts';
import { returnScratch, scratchLength, takeScratch } from './scratch.ts';

/** Bodies up to this many bytes are decompressed synchronously: in the background each takes megabytes, and twice the time. */
const smallBody = 128 * 1024;

/** The most members of a request, and of an object in it that the proxy reads. The official client sends a few. */
export const mostMembers = 1000;

/** How many bytes a body may have, and what counts them. */
export type BodyBounds = { readonly limit: number; readonly heldBytes: HeldBytes };

/** Reads the body of a client's request. Rejects with ApiError when it, or all requests together, are too long. */
export async function readBody(request: IncomingMessage, bounds: BodyBounds): Promise<Buffer> {
  const chunks = await readChunks(request, bounds);
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
}

/** Reads and decompresses the body of a client's request. Rejects as readBody and unpackBody. */
export async function readText(
  request: IncomingMessage,
  headers: HeaderList,
  bounds: BodyBounds,
): Promise<string> {
  const chunks = await readChunks(request, bounds);
  return codingOf(headers) === '' ? textOf(chunks) : unpackBody(Buffer.concat(chunks), headers, bounds);
}

function textOf(chunks: readonly Buffer[]): string {
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  if (length > scratchLength) return Buffer.concat(chunks).toString('utf8');
  const bytes = takeScratch();
  let at = 0;
  for (const chunk of chunks) at += chunk.copy(bytes, at);
  const text = bytes.toString('utf8', 0, length);
  returnScratch(bytes);
  return text;
}

function readChunks(request: IncomingMessage, { limit, heldBytes }: BodyBounds): Promise<Buffer[]> {
  return new Promise((resolve, reject) => {
    // A request whose client has left has no more events.
    if (request.destroyed) reject(new Error('the client disconnected'));
    const chunks: Buffer[] = [];
    let length = 0;
    const onData = (chunk: Buffer) => {
      try {
        length += chunk.length;
        if (length > limit) throw tooLarge(limit);
        heldBytes.read(chunk.length);
        chunks.push(chunk);
      } catch (error) {
        request.off('data', onData).pause();
        reject(error);
      }
    };
    request.on('data', onData);
    request.once('end', () => resolve(chunks));
    request.once('error', reject);
  });
}

/** Decompresses a body. Rejects with ApiError as readBody does, and for an unknown encoding or a broken body. */
export async function unpackBody(
  body: Buffer,
  headers: HeaderList,
  { limit, heldBytes }: BodyBounds,
): Promise<string> {
  const encoding = codingOf(headers);
  if (encoding === '') return body.toString('utf8');
  if (encoding !== 'zstd' && encoding !== 'gzip') {
    const message = `content-encoding "${encoding}" is not supported: use zstd or gzip`;
    throw proxyError(415, 'unknown_encoding', message);
  }
  try {
    if (encoding === 'zstd' && body.length <= smallBody) {
      const unpacked = zstdDecompressSync(body, { maxOutputLength: limit });
      heldBytes.read(unpacked.length);
      return unpacked.toString('utf8');
    }
    const chunks: Buffer[] = [];
    let length = 0;
    const decompressor = encoding === 'zstd' ? createZstdDecompress() : createGunzip();
    for await (const chunk of decompressor.end(body)) {
      const bytes: Buffer = chunk;
      length += bytes.length;
      if (length > limit) throw tooLarge(limit);
      heldBytes.read(bytes.length);
      chunks.push(bytes);
    }
    return Buffer.concat(chunks).toString('utf8');
  } catch (error) {
    if (error instanceof ApiError) throw error;
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(limit);
    throw proxyError(400, 'broken_encoding', `the body is not valid ${encoding}`);
  }
}

/** Names of codings have no case, and `x-gzip` is `gzip` (RFC 9110, section 8.4.1). Empty if there is none. */
function codingOf(headers: HeaderList): string {
  const coding = headerValue(headers, 'content-encoding')?.trim().toLowerCase().replace(/^x-/, '') ?? '';
  return coding === 'identity' ? '' : coding;
}

export const tooLargeStatus = 413;

function tooLarge(limit: number): ApiError {
  return proxyError(tooLargeStatus, 'body_too_large', `the body is larger than ${limit} bytes`);
}
