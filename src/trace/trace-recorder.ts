import { createHash } from 'node:crypto';
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import { type HeaderList, headerValue } from '../wire/headers.ts';
import { tryParseJson } from '../wire/json.ts';
import type { Side, WebSocketMessage } from '../wire/message.ts';
import { isModelRoute } from '../wire/route.ts';
import { decodeSse } from '../wire/sse.ts';
import { decompressZstd } from '../wire/zstd.ts';
import type { Observation } from './observation.ts';
import type { Sealer } from './seal.ts';
import type { Content, TraceEvent } from './trace-event.ts';

type Heads = { readonly target: string; request: HeaderList; response?: HeaderList };

/**
 * Makes sealed trace events of what a tap observes and hands each to `sink` at once. Nothing unsealed leaves this
 * class. Bodies of side requests are kept as length and hash only: nothing is learned from them, and they are full
 * of accounts.
 */
export class TraceRecorder {
  readonly #sealer: Sealer;
  readonly #sink: (event: TraceEvent) => void;
  readonly #heads = new Map<number, Heads>();

  constructor(sealer: Sealer, sink: (event: TraceEvent) => void) {
    this.#sealer = sealer;
    this.#sink = sink;
  }

  readonly observe = (observation: Observation): void => {
    this.#sink(this.#event(observation));
  };

  #event(seen: Observation): TraceEvent {
    switch (seen.type) {
      case 'connection':
      case 'end':
      case 'undecodable':
        return seen;
      case 'request': {
        const { method, target, headers } = seen.head;
        this.#heads.set(seen.exchange, { target, request: headers });
        // First of all, so that an account named in a header is known where the path names it too.
        const sealed = this.#sealer.headers(headers);
        return {
          type: 'request',
          connection: seen.connection,
          exchange: seen.exchange,
          method,
          target: this.#sealer.target(target),
          headers: sealed,
        };
      }
      case 'response': {
        const { status, headers } = seen.head;
        const heads = this.#heads.get(seen.exchange);
        if (heads !== undefined) heads.response = headers;
        return { type: 'response', exchange: seen.exchange, status, headers: this.#sealer.headers(headers) };
      }
      case 'body': {
        const { exchange, from, complete } = seen;
        return { type: 'body', exchange, from, complete, content: this.#body(exchange, from, seen.bytes) };
      }
      case 'message': {
        const { exchange, from, message } = seen;
        const { opcode, compressed, fragments } = message;
        return {
          type: 'message',
          exchange,
          from,
          opcode,
          compressed,
          fragments,
          content: this.#message(message),
        };
      }
    }
  }

  #body(exchange: number, from: Side, bytes: Buffer): Content {
    const heads = this.#heads.get(exchange);
    const headers = (from === 'client' ? heads?.request : heads?.response) ?? [];
    if (heads === undefined || !isModelRoute(heads.target)) return digest(bytes);
    const plain = decompress(headerValue(headers, 'content-encoding'), bytes);
    if (plain === undefined) return digest(bytes);
    if (headerValue(headers, 'content-type')?.startsWith('text/event-stream')) {
      const events = decodeSse(plain).map(({ event, data }) => ({
        event: event ?? '',
        data: this.#text(data ?? ''),
      }));
      return { kind: 'events', events };
    }
    return this.#textual(plain);
  }

  #message({ opcode, payload }: WebSocketMessage): Content {
    if (opcode === 'text') return this.#textual(payload.toString('utf8'));
    if (opcode === 'close')
      return { kind: 'close', code: payload.length >= 2 ? payload.readUInt16BE(0) : null };
    return digest(payload);
  }

  #textual(text: string): Content {
    const parsed = tryParseJson(text);
    if (parsed === undefined) return { kind: 'text', text: this.#sealer.text(text) };
    return { kind: 'json', json: this.#sealer.json(parsed.node), spaced: !parsed.compact };
  }

  /** The data of a server-sent event: JSON as a rule, and `[DONE]`. */
  #text(text: string) {
    const parsed = tryParseJson(text);
    return parsed === undefined ? this.#sealer.text(text) : this.#sealer.json(parsed.node);
  }
}

function digest(bytes: Buffer): Content {
  return { kind: 'bytes', bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** What a body may grow to when it is unpacked: more than any that the backend takes, and less than fills a memory. */
const limit = { maxOutputLength: 256 * 1024 * 1024 };

/** The text of a body; undefined where it cannot be decoded (an unknown encoding, cut short, or beyond the limit). */
function decompress(encoding: string | undefined, bytes: Buffer): string | undefined {
  try {
    switch (encoding) {
      case undefined:
      case 'identity':
        return bytes.toString('utf8');
      case 'zstd':
        return decompressZstd(bytes, limit.maxOutputLength).toString('utf8');
      case 'gzip':
        return gunzipSync(bytes, limit).toString('utf8');
      case 'deflate':
        return inflateSync(bytes, limit).toString('utf8');
      case 'br':
        return brotliDecompressSync(bytes, limit).toString('utf8');
      default:
        return undefined;
    }
  } catch {
    return undefined;
  }
}
