import { Transform, type TransformCallback } from 'node:stream';
import { type HeaderList, pairHeaders } from '../wire/headers.ts';
import { type BodyDecoder, bodyDecoder, requestFraming } from '../wire/http1-body.ts';

/** What the next bytes are. */
type State =
  | { readonly at: 'head'; readonly pending: Buffer }
  | { readonly at: 'body'; readonly decoder: BodyDecoder }
  /** Websocket frames, or bytes that are not HTTP/1.1: they are not changed any more. */
  | { readonly at: 'other' };

/** Longer heads are passed on unchanged: they are not those of a client. */
const longestHead = 64 * 1024;

/** What a request begins with. The first byte of a websocket frame is never that of one of them (RFC 6455, section 5.2). */
const starts = ['GET ', 'POST ', 'PUT ', 'PATCH ', 'DELETE ', 'HEAD ', 'OPTIONS '];

/**
 * Sets the value of Host in each request of a connection, and changes no other byte. After an upgrade that was accepted, all
 * bytes are passed on as they are; after one that was refused, further requests are found by how they begin.
 */
export class HostRewriter extends Transform {
  readonly #host: string;
  #state: State = { at: 'head', pending: nothing };

  constructor(host: string) {
    super();
    this.#host = host;
  }

  override _transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback): void {
    try {
      let rest: Buffer | null = chunk;
      while (rest !== null && rest.length > 0) rest = this.#step(rest);
    } catch {
      // Framing that contradicts itself: the server will refuse it.
      this.#giveUp(nothing);
    }
    done();
  }

  override _flush(done: TransformCallback): void {
    if (this.#state.at === 'head') this.push(this.#state.pending);
    done();
  }

  /** Passes bytes on. Returns what follows in another state, null if nothing does. */
  #step(bytes: Buffer): Buffer | null {
    const state = this.#state;
    switch (state.at) {
      case 'head':
        return this.#head(state.pending.length === 0 ? bytes : Buffer.concat([state.pending, bytes]));
      case 'body': {
        const rest = state.decoder.push(bytes, []);
        this.push(rest === null ? bytes : bytes.subarray(0, bytes.length - rest.length));
        if (rest !== null) this.#state = { at: 'head', pending: nothing };
        return rest;
      }
      case 'other':
        this.push(bytes);
        return null;
    }
  }

  #head(bytes: Buffer): Buffer | null {
    const all = bytes.toString('latin1');
    const mayStart = starts.some((start) => all.startsWith(start) || start.startsWith(all));
    const end = /\r?\n\r?\n/.exec(all);
    if (!mayStart || (end === null && bytes.length > longestHead)) {
      this.#giveUp(bytes);
      return null;
    }
    if (end === null) {
      this.#state = { at: 'head', pending: bytes };
      return null;
    }
    const text = all.slice(0, end.index + end[0].length);
    this.push(Buffer.from(text.replace(/^(host:[ \t]*)[^\r\n]*/im, `$1${this.#host}`), 'latin1'));
    const headers = headersOf(text);
    const framing = requestFraming({ method: 'GET', target: '/', version: '1.1', headers });
    this.#state =
      framing.by === 'length' && framing.bytes === 0
        ? { at: 'head', pending: nothing }
        : { at: 'body', decoder: bodyDecoder(framing) };
    return bytes.subarray(text.length);
  }

  #giveUp(bytes: Buffer): void {
    this.#state = { at: 'other' };
    if (bytes.length > 0) this.push(bytes);
  }
}

const nothing = Buffer.alloc(0);

function headersOf(head: string): HeaderList {
  return pairHeaders(
    [...head.matchAll(/^([^:\s]+):[ \t]*([^\r\n]*)/gm)].flatMap(([, name = '', value = '']) => [name, value]),
  );
}
