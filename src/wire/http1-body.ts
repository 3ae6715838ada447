import { type HeaderList, headerValue } from './headers.ts';
import type { RequestHead, ResponseHead } from './message.ts';
import { UndecodableError } from './undecodable.ts';

/** What marks the end of a body (RFC 9112 §6). A missing body has length 0. */
export type BodyFraming =
  | { readonly by: 'length'; readonly bytes: number }
  | { readonly by: 'chunks' }
  | { readonly by: 'close' };

export const noBody: BodyFraming = { by: 'length', bytes: 0 };

/** The framing of a request body (RFC 9112 §6.3). Throws UndecodableError when the headers contradict each other. */
export function requestFraming(head: RequestHead): BodyFraming {
  if (headerValue(head.headers, 'transfer-encoding') !== undefined) {
    if (isChunked(head.headers)) return { by: 'chunks' };
    throw new UndecodableError('a request body of unknown transfer encoding');
  }
  return contentLength(head.headers) ?? noBody;
}

/** The framing of a final response's body, which depends on the request (RFC 9112 §6.3). Throws UndecodableError. */
export function responseFraming(head: ResponseHead, request: RequestHead): BodyFraming {
  if (request.method === 'HEAD' || head.status < 200 || head.status === 204 || head.status === 304)
    return noBody;
  if (headerValue(head.headers, 'transfer-encoding') !== undefined) {
    return isChunked(head.headers) ? { by: 'chunks' } : { by: 'close' };
  }
  return contentLength(head.headers) ?? { by: 'close' };
}

function isChunked(headers: HeaderList): boolean {
  return listValues(headers, 'transfer-encoding').at(-1)?.toLowerCase() === 'chunked';
}

function contentLength(headers: HeaderList): BodyFraming | undefined {
  const values = new Set(listValues(headers, 'content-length'));
  if (values.size === 0) return undefined;
  const [only = ''] = values;
  const bytes = Number(only);
  if (values.size > 1 || !/^\d+$/.test(only) || !Number.isSafeInteger(bytes)) {
    throw new UndecodableError('a content length that is not one number');
  }
  return { by: 'length', bytes };
}

function listValues(headers: HeaderList, name: string): string[] {
  return headers
    .filter(([values]) => values.toLowerCase() === name)
    .flatMap(([, value]) => value.split(','))
    .map((value) => value.trim());
}

/**
 * Removes the framing of a body. `push` appends to `content`. It returns the bytes after the body once it is complete.
 */
export interface BodyDecoder {
  push(bytes: Buffer, content: Buffer[]): Buffer | null;
}

/** A decoder for one body with this framing. */
export function bodyDecoder(framing: BodyFraming): BodyDecoder {
  if (framing.by === 'chunks') return new ChunkDecoder();
  return new LengthDecoder(framing.by === 'length' ? framing.bytes : Number.POSITIVE_INFINITY);
}

class LengthDecoder implements BodyDecoder {
  #remaining: number;

  constructor(bytes: number) {
    this.#remaining = bytes;
  }

  push(bytes: Buffer, content: Buffer[]): Buffer | null {
    const part = bytes.subarray(0, this.#remaining);
    addPart(part, content);
    this.#remaining -= part.length;
    return this.#remaining === 0 ? bytes.subarray(part.length) : null;
  }
}

const lineLimit = 64 * 1024;

/** Chunked transfer coding (RFC 9112 §7.1). Extensions and trailers are dropped. */
class ChunkDecoder implements BodyDecoder {
  #reading: 'size' | 'data' | 'after-data' | 'trailer' = 'size';
  #remaining = 0;
  #line = '';

  push(bytes: Buffer, content: Buffer[]): Buffer | null {
    let at = 0;
    while (at < bytes.length) {
      if (this.#reading === 'data') {
        const part = bytes.subarray(at, at + this.#remaining);
        addPart(part, content);
        at += part.length;
        this.#remaining -= part.length;
        if (this.#remaining === 0) this.#reading = 'after-data';
        continue;
      }
      const feed = bytes.indexOf(0x0a, at);
      this.#line += bytes.toString('latin1', at, feed === -1 ? bytes.length : feed);
      if (this.#line.length > lineLimit) throw new UndecodableError('a chunk line longer than 64 KiB');
      if (feed === -1) return null;
      at = feed + 1;
      if (this.#takeLine()) return bytes.subarray(at);
    }
    return null;
  }

  /** Processes one complete line. Returns true when it was the last line of the body. */
  #takeLine(): boolean {
    const line = this.#line.replace(/\r$/, '');
    this.#line = '';
    if (this.#reading === 'trailer') return line === '';
    if (this.#reading === 'after-data') {
      if (line !== '') throw new UndecodableError('a chunk longer than its declared size');
      this.#reading = 'size';
      return false;
    }
    const [, digits] = /^([0-9a-f]{1,13})[ \t]*(?:;.*)?$/i.exec(line) ?? [];
    if (digits === undefined) throw new UndecodableError('a chunk size that is not a number');
    this.#remaining = Number.parseInt(digits, 16);
    this.#reading = this.#remaining === 0 ? 'trailer' : 'data';
    return false;
  }
}

function addPart(bytes: Buffer, content: Buffer[]): void {
  if (bytes.length > 0) content.push(bytes);
}
