import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import type { HeaderList } from './headers.ts';
import type { Side } from './message.ts';
import { UndecodableError } from './undecodable.ts';

/** The negotiated parameters of permessage-deflate (RFC 7692 §7.1). The server is the backend. */
export type DeflateParameters = {
  readonly [side in Side]: {
    /** True when a message may refer back to earlier messages. */
    readonly contextTakeover: boolean;
    /** Base-2 logarithm of how far back it may refer: 8 to 15. */
    readonly windowBits: number;
  };
};

/** Reads the negotiated permessage-deflate from the headers of the 101 response; null when there is none. */
export function negotiatedDeflate(responseHeaders: HeaderList): DeflateParameters | null {
  const extension = responseHeaders
    .filter(([name]) => name.toLowerCase() === 'sec-websocket-extensions')
    .flatMap(([, value]) => value.split(','))
    .map((offer) => new Map(offer.split(';').map(parameter)))
    .find((parameters) => parameters.has('permessage-deflate'));
  if (extension === undefined) return null;
  return {
    client: {
      contextTakeover: !extension.has('client_no_context_takeover'),
      windowBits: Number(extension.get('client_max_window_bits') || 15),
    },
    backend: {
      contextTakeover: !extension.has('server_no_context_takeover'),
      windowBits: Number(extension.get('server_max_window_bits') || 15),
    },
  };
}

function parameter(text: string): [name: string, value: string] {
  const [name = '', value = ''] = text.split('=');
  return [name.trim().toLowerCase(), value.trim().replaceAll('"', '')];
}

/** A sender removes these bytes from every message, and a receiver appends them again (RFC 7692 §7.2.1). */
const syncFlushTail = Buffer.of(0x00, 0x00, 0xff, 0xff);
const messageLimit = 256 * 1024 * 1024;
const largestWindow = 1 << 15;

/**
 * Decompresses the messages of one side, in order. With context takeover a message may refer back to the window of data
 * decompressed before it. Passing that window as a preset dictionary gives the same result as one long zlib stream, but
 * synchronously.
 */
export class MessageInflater {
  readonly #contextTakeover: boolean;
  #window: Buffer = Buffer.alloc(0);

  constructor(parameters: DeflateParameters[Side]) {
    this.#contextTakeover = parameters.contextTakeover;
  }

  /** Throws UndecodableError when the payload is not deflate, or larger than 256 MiB. */
  inflate(payload: Buffer): Buffer {
    const inflated = this.#inflate(Buffer.concat([payload, syncFlushTail]));
    if (this.#contextTakeover) this.#window = windowAfter(this.#window, inflated, largestWindow);
    return inflated;
  }

  #inflate(deflated: Buffer): Buffer {
    try {
      return inflateRawSync(deflated, {
        finishFlush: constants.Z_SYNC_FLUSH,
        maxOutputLength: messageLimit,
        dictionary: this.#window,
      });
    } catch (error) {
      throw new UndecodableError('a compressed websocket message that does not decompress', { cause: error });
    }
  }
}

/** Compresses the messages of one side, in order. The counterpart of MessageInflater. */
export class MessageDeflater {
  readonly #parameters: DeflateParameters[Side];
  #window: Buffer = Buffer.alloc(0);

  constructor(parameters: DeflateParameters[Side]) {
    this.#parameters = parameters;
  }

  /** False when zlib does not support the negotiated window, which is 8 bits. Such messages are sent uncompressed. */
  get supported(): boolean {
    return this.#parameters.windowBits > 8;
  }

  deflate(payload: Buffer): Buffer {
    const { contextTakeover, windowBits } = this.#parameters;
    const deflated = deflateRawSync(payload, {
      finishFlush: constants.Z_SYNC_FLUSH,
      windowBits,
      dictionary: this.#window,
    });
    if (contextTakeover) this.#window = windowAfter(this.#window, payload, 1 << windowBits);
    return deflated.subarray(0, deflated.length - syncFlushTail.length);
  }
}

function windowAfter(window: Buffer, content: Buffer, size: number): Buffer {
  if (content.length >= size) return Buffer.from(content.subarray(-size));
  return Buffer.concat([window, content]).subarray(-size);
}
