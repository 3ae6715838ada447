import { ContentCollector } from '../wire/content-collector.ts';
import { type HeaderList, headerValue } from '../wire/headers.ts';
import { Http2Decoder, type Http2Event } from '../wire/http2.ts';
import type { Http2Setting, Side } from '../wire/message.ts';
import type { ConnectionDecoderOptions } from './http1-connection-decoder.ts';
import type { RelayListener } from './relay-bytes.ts';

/** What one side sends on a stream. */
type Half = {
  headers: HeaderList | undefined;
  trailers: HeaderList | undefined;
  over: boolean;
  readonly content: ContentCollector;
  /** The sizes of its DATA frames: how many, the largest, and the last. */
  readonly frames: { count: number; largest: number; last: number };
};

type Stream = { readonly exchange: number; readonly target: string } & Readonly<Record<Side, Half>>;

/** How a client begins a connection: what it sends before its first request. */
type Opening = { readonly settings: readonly Http2Setting[]; readonly window: number };

// Far above what a client of the protocol needs, and far below what exhausts memory. A connection that exceeds one of these
// limits is not decoded any further.
const mostStreams = 128;
const mostResets = 1000;
const mostSettings = 64;
const mostContent = 64 * 1024 * 1024;

/**
 * Decodes both sides of one HTTP/2 connection from a copy of their bytes. Bytes it cannot decode give one `undecodable`
 * observation. After that it decodes neither side: one cannot be understood without the other.
 */
export class Http2ConnectionDecoder implements RelayListener {
  readonly #options: ConnectionDecoderOptions;
  readonly #decoders = { client: new Http2Decoder('client'), backend: new Http2Decoder('backend') };
  /** The streams that are open, by their numbers. */
  readonly #streams = new Map<number, Stream>();
  #opening: Opening = { settings: [], window: 0 };
  #requests = 0;
  #resets = 0;
  /** The length of all contents of open streams. */
  #content = 0;
  #stopped = false;
  #endedBy: Side | null = null;

  constructor(options: ConnectionDecoderOptions) {
    this.#options = options;
  }

  onData(side: Side, bytes: Buffer): void {
    if (!this.#stopped) this.#onEvents(side, this.#decoders[side].push(bytes));
  }

  onFinished(side: Side): void {
    const first = this.#endedBy === null;
    this.#endedBy ??= side;
    this.#endSide(side);
    if (first) this.#observeEnd(side);
  }

  onCut(by: Side | null): void {
    const first = this.#endedBy === null && by !== null;
    this.#endedBy ??= by;
    this.#endSide('client');
    this.#endSide('backend');
    if (first) this.#observeEnd(by);
  }

  #observeEnd(by: Side): void {
    this.#options.observe({ type: 'end', connection: this.#options.connection, by });
  }

  /** Ends a direction. A frame that was cut off is reported only for the side that ended the connection. */
  #endSide(side: Side): void {
    if (this.#stopped) return;
    for (const stream of this.#streams.values()) this.#endHalf(stream, side, false);
    const events = this.#decoders[side].end();
    if (side === this.#endedBy) this.#onEvents(side, events);
  }

  #onEvents(from: Side, events: readonly Http2Event[]): void {
    for (const event of events) if (!this.#stopped) this.#onEvent(from, event);
  }

  #onEvent(from: Side, event: Http2Event): void {
    switch (event.type) {
      case 'settings':
      case 'window':
        this.#onConnection(from, event);
        break;
      case 'headers':
        this.#onHeaders(from, event);
        break;
      case 'data':
        this.#onContent(from, event);
        break;
      case 'reset':
        this.#onReset(from, event.stream, event.code);
        break;
      case 'goaway': {
        const { connection, observe } = this.#options;
        observe({ type: 'goaway', connection, from, code: event.code });
        break;
      }
      case 'undecodable':
        this.#stop(from, event.reason);
    }
  }

  #onConnection(from: Side, event: Extract<Http2Event, { type: 'settings' | 'window' }>): void {
    if (event.type === 'settings')
      this.#decoders[from === 'client' ? 'backend' : 'client'].allow(event.settings);
    if (from !== 'client' || this.#requests > 0) return;
    const { settings, window } = this.#opening;
    this.#opening =
      event.type === 'settings'
        ? { settings: [...settings, ...event.settings].slice(0, mostSettings), window }
        : { settings, window: window + (event.stream === 0 ? event.increment : 0) };
  }

  #onHeaders(from: Side, event: Extract<Http2Event, { type: 'headers' }>): void {
    const known = this.#streams.get(event.stream);
    const stream = known ?? (from === 'client' ? this.#onRequest(event) : undefined);
    // Without a stream, the headers follow a reset, or belong to a stream of the backend.
    if (stream === undefined) return;
    const half = stream[from];
    if (half.headers !== undefined) half.trailers = event.headers;
    else if (from === 'client') half.headers = withoutPseudo(event.headers);
    else this.#onResponse(stream, event.headers);
    if (event.endStream) this.#endHalf(stream, from, true);
    this.#release(event.stream, stream);
  }

  /** Opens a stream. Undefined if the connection cannot be decoded any further. */
  #onRequest({
    stream: id,
    headers,
    priority,
  }: Extract<Http2Event, { type: 'headers' }>): Stream | undefined {
    const { connection, nextExchange, observe } = this.#options;
    const method = headerValue(headers, ':method');
    const authority = headerValue(headers, ':authority');
    const target = headerValue(headers, ':path') ?? authority;
    if (method === undefined || target === undefined) {
      this.#stop('client', 'a request without :method or :path');
      return undefined;
    }
    if (this.#streams.size >= mostStreams) {
      this.#stop('client', `more than ${mostStreams} open HTTP/2 streams`);
      return undefined;
    }
    this.#requests += 1;
    const exchange = nextExchange();
    const stream = { exchange, target, client: newHalf(), backend: newHalf() };
    this.#streams.set(id, stream);
    observe({
      type: 'request',
      connection,
      exchange,
      head: {
        method,
        target,
        version: '2',
        http2: {
          ...this.#opening,
          pseudo: headers.filter(isPseudo).map(([name]) => name),
          ...(authority === undefined ? {} : { authority }),
          ...(priority === undefined ? {} : { priority }),
        },
        headers: withoutPseudo(headers),
      },
    });
    return stream;
  }

  #onResponse({ exchange, backend }: Stream, headers: HeaderList): void {
    const status = Number(headerValue(headers, ':status'));
    if (!Number.isInteger(status)) {
      this.#stop('backend', 'a response without :status');
      return;
    }
    // An interim response: the final one follows.
    if (status < 200) return;
    backend.headers = withoutPseudo(headers);
    const head = { status, reason: '', version: '2', headers: backend.headers } as const;
    this.#options.observe({ type: 'response', exchange, head });
  }

  #onContent(from: Side, { stream: id, bytes, endStream }: Extract<Http2Event, { type: 'data' }>): void {
    const stream = this.#streams.get(id);
    const half = stream?.[from];
    if (stream === undefined || half?.headers === undefined || half.over) return;
    this.#content += bytes.length;
    if (this.#content > mostContent) {
      this.#stop(from, 'more than 64 MiB in open HTTP/2 streams');
      return;
    }
    half.content.push(bytes);
    if (from === 'backend') this.#options.onResponseData?.(stream.exchange, bytes);
    half.frames.count += 1;
    half.frames.largest = Math.max(half.frames.largest, bytes.length);
    half.frames.last = bytes.length;
    if (endStream) this.#endHalf(stream, from, true);
    this.#release(id, stream);
  }

  #onReset(from: Side, id: number, code: string): void {
    const stream = this.#streams.get(id);
    // What both sides have ended is complete, whatever a side says afterwards.
    if (stream === undefined) return;
    this.#endHalf(stream, 'client', false);
    this.#endHalf(stream, 'backend', false);
    this.#options.observe({ type: 'reset', exchange: stream.exchange, from, code });
    this.#streams.delete(id);
    this.#resets += 1;
    if (this.#resets > mostResets) this.#stop(from, `more than ${mostResets} resets of HTTP/2 streams`);
  }

  #endHalf(stream: Stream, from: Side, complete: boolean): void {
    const { exchange, target } = stream;
    const half = stream[from];
    const { headers, content, trailers, frames } = half;
    if (headers === undefined || half.over) return;
    half.over = true;
    this.#content -= content.length;
    if (content.length === 0 && complete && trailers === undefined) return;
    this.#options.observe({
      ...{ type: 'body', exchange, from, target, headers },
      bytes: content.take(),
      complete,
      ...(from === 'client' ? splitOf(frames) : {}),
      ...(trailers === undefined ? {} : { trailers }),
    });
  }

  /** Forgets a stream that both sides have ended. */
  #release(id: number, { client, backend }: Stream): void {
    if (client.over && backend.over) this.#streams.delete(id);
  }

  #stop(from: Side, reason: string): void {
    this.#stopped = true;
    this.#streams.clear();
    this.#options.observe({ type: 'undecodable', connection: this.#options.connection, from, reason });
  }
}

function newHalf(): Half {
  return {
    headers: undefined,
    trailers: undefined,
    over: false,
    content: new ContentCollector(),
    frames: { count: 0, largest: 0, last: 0 },
  };
}

function isPseudo([name]: HeaderList[number]): boolean {
  return name.startsWith(':');
}

function withoutPseudo(headers: HeaderList): HeaderList {
  return headers.filter((header) => !isPseudo(header));
}

/** How a body is split into DATA frames, as far as that does not depend on its length. */
function splitOf({ count, largest, last }: Half['frames']): {
  readonly largestFrame?: number;
  readonly endsEmpty?: true;
} {
  const endsEmpty = count > 0 && last === 0;
  return {
    ...(count - (endsEmpty ? 1 : 0) > 1 ? { largestFrame: largest } : {}),
    ...(endsEmpty ? { endsEmpty } : {}),
  };
}
