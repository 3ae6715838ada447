import { hash } from 'node:crypto';
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import { type HeaderList, headerValue } from '../wire/headers.ts';
import { type JsonNode, tryParseJson } from '../wire/json.ts';
import type { Side, WebSocketMessage } from '../wire/message.ts';
import { isModelRoute } from '../wire/route.ts';
import { decodeSse } from '../wire/sse.ts';
import { decompressZstd } from '../wire/zstd.ts';
import type { Observation } from './observation.ts';
import type { Sealer } from './seal.ts';
import type { Content, TraceEvent } from './trace-event.ts';

/** Headers of an exchange, which say how to decode its bodies. */
type ExchangeHeaders = { readonly target: string; readonly request: HeaderList; response?: HeaderList };

/**
 * Converts observations of a tap to sealed trace events and passes each to `sink` at once. Nothing unsealed leaves this
 * class. Of the bodies of side requests it keeps only length and hash, because they are full of account data.
 */
export class TraceRecorder {
  readonly #sealer: Sealer;
  readonly #sink: (event: TraceEvent) => void;
  readonly #heads = new Map<number, ExchangeHeaders>();

  constructor(sealer: Sealer, sink: (event: TraceEvent) => void) {
    this.#sealer = sealer;
    this.#sink = sink;
  }

  readonly observe = (observation: Observation): void => {
    this.#sink(this.#event(observation));
  };

  #event(observation: Observation): TraceEvent {
    switch (observation.type) {
      case 'connection':
      case 'end':
      case 'undecodable':
        return observation;
      case 'request': {
        const { head, ...rest } = observation;
        this.#heads.set(rest.exchange, { target: head.target, request: head.headers });
        // Seals headers first, so that an account id in a header is recognised in the path too.
        const headers = this.#sealer.headers(head.headers);
        return { ...rest, method: head.method, target: this.#sealer.target(head.target), headers };
      }
      case 'response': {
        const { head, ...rest } = observation;
        const heads = this.#heads.get(rest.exchange);
        if (heads !== undefined) heads.response = head.headers;
        return { ...rest, status: head.status, headers: this.#sealer.headers(head.headers) };
      }
      case 'body': {
        const { bytes, ...rest } = observation;
        return { ...rest, content: this.#body(rest.exchange, rest.from, bytes) };
      }
      case 'message': {
        const { message, ...rest } = observation;
        const { payload, ...facts } = message;
        return { ...rest, ...facts, content: this.#message(message) };
      }
    }
  }

  #body(exchange: number, from: Side, bytes: Buffer): Content {
    const heads = this.#heads.get(exchange);
    const headers = (from === 'client' ? heads?.request : heads?.response) ?? [];
    if (heads === undefined || !isModelRoute(heads.target)) return bytesContent(bytes);
    const text = decompress(headerValue(headers, 'content-encoding'), bytes);
    if (text === undefined) return bytesContent(bytes);
    if (headerValue(headers, 'content-type')?.startsWith('text/event-stream')) {
      const events = decodeSse(text).map(({ event, data }) => ({ event, data: this.#eventData(data) }));
      return { kind: 'events', events };
    }
    return this.#textContent(text);
  }

  #message({ opcode, payload }: WebSocketMessage): Content {
    if (opcode === 'text') return this.#textContent(payload.toString('utf8'));
    if (opcode === 'close')
      return { kind: 'close', code: payload.length >= 2 ? payload.readUInt16BE(0) : null };
    return bytesContent(payload);
  }

  #textContent(text: string): Content {
    const parsed = tryParseJson(text);
    if (parsed === undefined) return { kind: 'text', text: this.#sealer.text(text) };
    return { kind: 'json', json: this.#sealer.json(parsed.node), spaced: !parsed.compact };
  }

  /** The data of a server-sent event: usually JSON, sometimes `[DONE]`. */
  #eventData(text: string): JsonNode {
    const parsed = tryParseJson(text);
    return parsed === undefined ? this.#sealer.text(text) : this.#sealer.json(parsed.node);
  }
}

function bytesContent(bytes: Buffer): Content {
  return { kind: 'bytes', bytes: bytes.length, sha256: hash('sha256', bytes) };
}

/** The maximum length of a decompressed body: above what the backend accepts, and below what exhausts memory. */
const limit = { maxOutputLength: 256 * 1024 * 1024 };

const decoders: ReadonlyMap<string, (bytes: Buffer) => Buffer> = new Map([
  ['identity', (bytes) => bytes],
  ['zstd', (bytes) => decompressZstd(bytes, limit.maxOutputLength)],
  ['gzip', (bytes) => gunzipSync(bytes, limit)],
  ['deflate', (bytes) => inflateSync(bytes, limit)],
  ['br', (bytes) => brotliDecompressSync(bytes, limit)],
]);

/** The decompressed text of a body. Undefined when the encoding is unknown, or the body is cut off or too long. */
function decompress(encoding: string | undefined, bytes: Buffer): string | undefined {
  try {
    return decoders
      .get(encoding ?? 'identity')?.(bytes)
      .toString('utf8');
  } catch {
    return undefined;
  }
}
