import { hash } from 'node:crypto';
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import { type ContentDigest, contentLimit } from '../wire/content-collector.ts';
import { type HeaderList, headerValue } from '../wire/headers.ts';
import { jsonString } from '../wire/json.ts';
import type { ObservedMessage, RequestHead } from '../wire/message.ts';
import { isModelRoute } from '../wire/route.ts';
import { isEventStream, isUsualForm, sseBlocks } from '../wire/sse.ts';
import { decompressZstd } from '../wire/zstd.ts';
import type { Observation } from './observation.ts';
import type { Sealer } from './seal.ts';
import type { Content, RequestEvent, ServerSentEvent, SilentBlock, TraceEvent } from './trace-event.ts';

/**
 * Converts observations of a tap to sealed trace events and passes each to `sink` at once. Nothing unsealed leaves this
 * class. Of the bodies of side requests it keeps only length and hash, because they are full of account data.
 */
export class TraceRecorder {
  readonly #sealer: Sealer;
  readonly #sink: (event: TraceEvent) => void;

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
      case 'reset':
      case 'goaway':
      case 'end':
      case 'undecodable':
        return observation;
      case 'request': {
        const { head, ...rest } = observation;
        // Seals headers first, so that an account id in a header is recognised in the path too.
        const headers = this.#sealer.headers(head.headers);
        const target = this.#sealer.target(head.target);
        return { ...rest, method: head.method, target, ...versionOf(head), ...this.#http2(head), headers };
      }
      case 'response': {
        const { head, ...rest } = observation;
        return {
          ...rest,
          ...versionOf(head),
          status: head.status,
          headers: this.#sealer.headers(head.headers),
        };
      }
      case 'body': {
        const { target, headers, bytes, trailers, ...rest } = observation;
        return {
          ...rest,
          ...(trailers && { trailers: this.#sealer.headers(trailers) }),
          content: this.#body(target, headers, bytes),
        };
      }
      case 'message': {
        const { message, ...rest } = observation;
        const { payload, ...facts } = message;
        return { ...rest, ...facts, content: this.#message(message) };
      }
    }
  }

  #http2({ http2 }: RequestHead): Pick<RequestEvent, 'http2'> {
    if (http2 === undefined) return {};
    const { authority, ...rest } = http2;
    const [sealed] = authority === undefined ? [] : this.#sealer.headers([['host', authority]]);
    return { http2: { ...rest, ...(sealed && { authority: sealed[1] }) } };
  }

  #body(target: string, headers: HeaderList, bytes: Buffer | ContentDigest): Content {
    if (!Buffer.isBuffer(bytes) || !isModelRoute(target)) return bytesContent(bytes);
    const text = decompress(headerValue(headers, 'content-encoding'), bytes);
    if (text === undefined) return bytesContent(bytes);
    return isEventStream(headers) ? this.#eventsContent(text) : this.#textContent(text);
  }

  #message({ opcode, payload }: ObservedMessage): Content {
    if (!Buffer.isBuffer(payload)) return bytesContent(payload);
    if (opcode === 'text') return this.#textContent(payload.toString('utf8'));
    if (opcode === 'close') {
      const code = payload.length >= 2 ? payload.readUInt16BE(0) : null;
      const reason = payload.toString('utf8', 2);
      return {
        kind: 'close',
        code,
        ...(reason === '' ? {} : { reason: this.#sealer.json(jsonString(reason)) }),
      };
    }
    return bytesContent(payload);
  }

  #textContent(text: string): Content {
    const document = this.#sealer.document(text);
    return document === undefined
      ? { kind: 'text', text: this.#sealer.text(text) }
      : { kind: 'json', ...document };
  }

  #eventsContent(text: string): Content {
    const events: ServerSentEvent[] = [];
    const silent: SilentBlock[] = [];
    for (const { data, unfinished, ...block } of sseBlocks(text)) {
      const form = { lines: block.lines, ends: block.ends };
      if (data === undefined) {
        silent.push({ before: events.length, form });
        continue;
      }
      // The data is usually JSON, sometimes `[DONE]`.
      const event = this.#sealer.eventName(block.event);
      const document = this.#sealer.document(data);
      events.push({
        event,
        data: document?.json ?? this.#sealer.text(data),
        ...(document?.spaced ? { spaced: true } : {}),
        ...(isUsualForm(block) ? {} : { form }),
        ...(unfinished ? { unfinished } : {}),
      });
    }
    return { kind: 'events', events, ...(silent.length === 0 ? {} : { silent }) };
  }
}

function versionOf({ version }: Pick<RequestHead, 'version'>): Pick<RequestEvent, 'version'> {
  return version === '1.1' ? {} : { version };
}

function bytesContent(bytes: Buffer | ContentDigest): Content {
  const sha256 = Buffer.isBuffer(bytes) ? hash('sha256', bytes) : bytes.sha256;
  return { kind: 'bytes', bytes: bytes.length, sha256 };
}

const limit = { maxOutputLength: contentLimit };

const decoders: ReadonlyMap<string, (bytes: Buffer) => Buffer> = new Map([
  ['identity', (bytes) => bytes],
  ['zstd', (bytes) => decompressZstd(bytes, contentLimit)],
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
