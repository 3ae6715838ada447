import { type HeaderList, headerValue } from './headers.ts';
import type { RequestHead, ResponseHead } from './message.ts';
import { UndecodableError } from './undecodable.ts';

/** How a body tells its end (RFC 9112 §6). No body at all is a length of 0. */
export type BodyFraming =
  | { readonly by: 'length'; readonly bytes: number }
  | { readonly by: 'chunks' }
  | { readonly by: 'close' };

const noBody: BodyFraming = { by: 'length', bytes: 0 };

/** The framing of a request's body (RFC 9112 §6.3). Throws UndecodableError when the headers contradict themselves. */
export function requestFraming(head: RequestHead): BodyFraming {
  if (headerValue(head.headers, 'transfer-encoding') !== undefined) {
    if (isChunked(head.headers)) return { by: 'chunks' };
    throw new UndecodableError('a request body of unknown transfer encoding');
  }
  return contentLength(head.headers) ?? noBody;
}

/** The framing of a final response's body, which depends on what was asked (RFC 9112 §6.3). Throws UndecodableError. */
export function responseFraming(head: ResponseHead, request: RequestHead): BodyFraming {
  if (request.method === 'HEAD' || head.status < 200 || head.status === 204 || head.status === 304)
    return noBody;
  if (headerValue(head.headers, 'transfer-encoding') !== undefined) {
    return isChunked(head.headers) ? { by: 'chunks' } : { by: 'close' };
  }
  return contentLength(head.headers) ?? { by: 'close' };
}

function isChunked(headers: HeaderList): boolean {
  return listed(headers, 'transfer-encoding').at(-1)?.toLowerCase() === 'chunked';
}

function contentLength(headers: HeaderList): BodyFraming | undefined {
  const given = new Set(listed(headers, 'content-length'));
  if (given.size === 0) return undefined;
  const [only = ''] = given;
  const bytes = Number(only);
  if (given.size > 1 || !/^\d+$/.test(only) || !Number.isSafeInteger(bytes)) {
    throw new UndecodableError('a content length that is not one number');
  }
  return { by: 'length', bytes };
}

function listed(headers: HeaderList, name: string): string[] {
  return headers
    .filter(([given]) => given.toLowerCase() === name)
    .flatMap(([, value]) => value.split(','))
    .map((value) => value.trim());
}

/** Takes a body off the wire. `push` adds content to `content`, and returns what follows the body once it is whole. */
export interface BodyDecoder {
  push(bytes: Buffer, content: Buffer[]): Buffer | null;
}

/** A decoder for one body framed that way. */
export function bodyDecoder(framing: BodyFraming): BodyDecoder {
  switch (framing.by) {
    case 'length':
      return new LengthDecoder(framing.bytes);
    case 'chunks':
      return new ChunkDecoder();
    case 'close':
      return new CloseDecoder();
  }
}

class LengthDecoder implements BodyDecoder {
  #missing: number;

  constructor(bytes: number) {
    this.#missing = bytes;
  }

  push(bytes: Buffer, content: Buffer[]): Buffer | null {
    const mine = bytes.subarray(0, this.#missing);
    keep(mine, content);
    this.#missing -= mine.length;
    return this.#missing === 0 ? bytes.subarray(mine.length) : null;
  }
}

class CloseDecoder implements BodyDecoder {
  push(bytes: Buffer, content: Buffer[]): null {
    keep(bytes, content);
    return null;
  }
}

const lineLimit = 64 * 1024;

/** Chunked transfer coding (RFC 9112 §7.1): extensions and trailers are consumed and not told. */
class ChunkDecoder implements BodyDecoder {
  #reading: 'size' | 'data' | 'after-data' | 'trailer' = 'size';
  #missing = 0;
  #line = '';

  push(bytes: Buffer, content: Buffer[]): Buffer | null {
    let at = 0;
    while (at < bytes.length) {
      if (this.#reading === 'data') {
        const mine = bytes.subarray(at, at + this.#missing);
        keep(mine, content);
        at += mine.length;
        this.#missing -= mine.length;
        if (this.#missing === 0) this.#reading = 'after-data';
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

  /** Acts on one whole line; true when it was the last of the body. */
  #takeLine(): boolean {
    const line = this.#line.replace(/\r$/, '');
    this.#line = '';
    if (this.#reading === 'trailer') return line === '';
    if (this.#reading === 'after-data') {
      if (line !== '') throw new UndecodableError('a chunk longer than it said');
      this.#reading = 'size';
      return false;
    }
    const [, digits] = /^([0-9a-f]{1,13})[ \t]*(?:;.*)?$/i.exec(line) ?? [];
    if (digits === undefined) throw new UndecodableError('a chunk size that is not a number');
    this.#missing = Number.parseInt(digits, 16);
    this.#reading = this.#missing === 0 ? 'trailer' : 'data';
    return false;
  }
}

function keep(bytes: Buffer, content: Buffer[]): void {
  if (bytes.length > 0) content.push(bytes);
}
