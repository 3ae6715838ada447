import { connect, type Socket } from 'node:net';
import type { HeaderList } from '../../wire/headers.ts';
import { headerValue } from '../../wire/headers.ts';
import { encodeHeaders } from '../../wire/hpack-encode.ts';
import { encodeSettings, errorCode, Http2Decoder, type Http2Event } from '../../wire/http2.ts';
import {
  encodeFrame,
  frameFlags,
  http2Preface,
  initialFrameSize,
  numberPayload,
} from '../../wire/http2-frame.ts';
import type { Http2Request, Http2Setting } from '../../wire/message.ts';
import { type RawRequest, type ReceivedEvent, ReceivedEvents } from './received-events.ts';

/** A request over HTTP/2, with all that its client chooses. */
export type RawHttp2Request = RawRequest & {
  readonly scheme: string;
  readonly http2: Http2Request;
  /** As in a recording: the largest DATA frame, whether an empty one ends the body, and the headers after it. */
  readonly largestFrame?: number | undefined;
  readonly endsEmpty?: boolean | undefined;
  readonly trailers?: HeaderList | undefined;
};

/** The window that both sides begin with (RFC 9113, section 6.9.2). */
const initialWindow = 65_535;

/** The number of the only stream. */
const stream = 1;

/**
 * A connection for one HTTP/2 request, without TLS. Settings, window, order of pseudo-headers and split into frames are those of the
 * request, which HTTP libraries decide themselves.
 */
export class RawHttp2Connection {
  readonly #socket: Socket;
  readonly #received = new ReceivedEvents();
  readonly #decoder = new Http2Decoder('backend');
  /** What the other side still accepts: on the connection, and on the stream. */
  readonly #accepts = { connection: initialWindow, stream: initialWindow };
  #initialWindow = initialWindow;
  #largestFrame = initialFrameSize;
  /** The contents of the DATA frames that are left to send. */
  #frames: Buffer[] = [];
  #trailers: HeaderList | undefined;
  #isEndedByClient = false;
  /** Whether the head of the response arrived. */
  #hasHead = false;
  /** Whether the response ended, or the stream was reset. */
  #isOver = true;

  constructor(host: string, port: number) {
    this.#socket = connect({ host, port, noDelay: true });
    this.#socket.on('data', (bytes) => {
      for (const event of this.#decoder.push(bytes)) this.#onEvent(event);
    });
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => {
      this.#endBody();
      this.#received.end();
    });
  }

  request({ http2, body, ...request }: RawHttp2Request): void {
    this.#decoder.allow(http2.settings);
    this.#socket.write(
      Buffer.concat([
        http2Preface,
        encodeFrame('SETTINGS', encodeSettings(http2.settings)),
        ...(http2.window === 0 ? [] : [encodeFrame('WINDOW_UPDATE', numberPayload(http2.window))]),
      ]),
    );
    this.#isOver = false;
    this.#trailers = request.trailers;
    this.#frames = framesOf(body, request);
    this.#isEndedByClient = this.#frames.length === 0 && this.#trailers === undefined;
    this.#writeHeaders([...pseudoHeaders(http2, request), ...request.headers], http2);
    this.#writeBody();
  }

  /** Resolves with the next event. */
  next(): Promise<ReceivedEvent> {
    return this.#received.next();
  }

  /** Resets the stream if it is still open, and ends the connection, as the official client does. */
  destroy(): void {
    if (!this.#socket.writable) return;
    if (!this.#isOver) this.#writeFrame('RST_STREAM', numberPayload(errorCode('CANCEL')), { stream });
    this.#isOver = true;
    const [lastStream, code] = [numberPayload(0), numberPayload(errorCode('NO_ERROR'))];
    this.#writeFrame('GOAWAY', Buffer.concat([lastStream, code]));
    this.#socket.destroySoon();
  }

  #writeFrame(...frame: Parameters<typeof encodeFrame>): void {
    this.#socket.write(encodeFrame(...frame));
  }

  #writeHeaders(headers: HeaderList, { priority }: Pick<Http2Request, 'priority'> = {}): void {
    const block = Buffer.concat([priorityBytes(priority), encodeHeaders(headers)]);
    const first = block.subarray(0, this.#largestFrame);
    const rest = pieces(block.subarray(first.length), this.#largestFrame);
    const flags =
      (rest.length === 0 ? frameFlags.endHeaders : 0) |
      (this.#isEndedByClient ? frameFlags.endStream : 0) |
      (priority === undefined ? 0 : frameFlags.priority);
    this.#writeFrame('HEADERS', first, { flags, stream });
    for (const [index, piece] of rest.entries())
      this.#writeFrame('CONTINUATION', piece, {
        flags: index === rest.length - 1 ? frameFlags.endHeaders : 0,
        stream,
      });
  }

  /** Sends the frames that the other side accepts. */
  #writeBody(): void {
    for (let frame = this.#frames[0]; frame !== undefined; frame = this.#frames[0]) {
      const sent = frame.subarray(0, Math.max(0, Math.min(this.#accepts.connection, this.#accepts.stream)));
      if (sent.length === 0 && frame.length > 0) return;
      this.#accepts.connection -= sent.length;
      this.#accepts.stream -= sent.length;
      this.#frames.splice(0, 1, ...(sent.length < frame.length ? [frame.subarray(sent.length)] : []));
      const isLast = this.#frames.length === 0 && this.#trailers === undefined;
      this.#isEndedByClient ||= isLast;
      this.#writeFrame('DATA', sent, { flags: isLast ? frameFlags.endStream : 0, stream });
    }
    if (this.#trailers === undefined || this.#isEndedByClient) return;
    this.#isEndedByClient = true;
    this.#writeHeaders(this.#trailers);
  }

  #onEvent(event: Http2Event): void {
    switch (event.type) {
      case 'settings':
        this.#onSettings(event.settings);
        break;
      case 'window':
        this.#accepts[event.stream === 0 ? 'connection' : 'stream'] += event.increment;
        this.#writeBody();
        break;
      case 'ping':
        this.#writeFrame('PING', event.payload, { flags: frameFlags.ack });
        break;
      case 'headers':
        if (event.stream === stream) this.#onHeaders(event.headers, event.endStream);
        break;
      case 'data':
        if (event.stream === stream) this.#onData(event.bytes, event.endStream);
        break;
      case 'reset':
        if (event.stream !== stream) break;
        this.#endBody();
        this.#received.end();
        break;
      case 'goaway':
        break;
      case 'undecodable':
        this.#received.end(event.reason);
    }
  }

  #onSettings(settings: readonly Http2Setting[]): void {
    for (const [name, value] of settings) {
      if (name === 'MAX_FRAME_SIZE') this.#largestFrame = value;
      if (name !== 'INITIAL_WINDOW_SIZE') continue;
      this.#accepts.stream += value - this.#initialWindow;
      this.#initialWindow = value;
    }
    this.#writeFrame('SETTINGS', Buffer.alloc(0), { flags: frameFlags.ack });
    this.#writeBody();
  }

  #onHeaders(headers: HeaderList, endStream: boolean): void {
    const status = headerValue(headers, ':status');
    // Without a status they are trailers; below 200, the response is still to come.
    if (status !== undefined && Number(status) >= 200) {
      const ofResponse = headers.filter(([name]) => !name.startsWith(':'));
      this.#hasHead = true;
      this.#received.head({ status: Number(status), reason: '', version: '2', headers: ofResponse });
    }
    if (endStream) this.#endBody();
  }

  #onData(bytes: Buffer, endStream: boolean): void {
    this.#received.content(bytes);
    if (endStream) this.#endBody();
    else if (bytes.length > 0) {
      // What was read may be sent again.
      const increment = numberPayload(bytes.length);
      this.#writeFrame('WINDOW_UPDATE', increment);
      this.#writeFrame('WINDOW_UPDATE', increment, { stream });
    }
  }

  #endBody(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#hasHead) this.#received.push({ type: 'body' });
  }
}

/** The values of the pseudo-headers, in their order. */
function pseudoHeaders(
  { pseudo, authority }: Http2Request,
  { method, scheme, target }: Omit<RawHttp2Request, 'http2' | 'body'>,
): HeaderList {
  const values: Readonly<Record<string, string | undefined>> = {
    ':method': method,
    ':scheme': scheme,
    ':authority': authority,
    ':path': target,
  };
  return pseudo.flatMap((name): HeaderList => {
    const value = values[name];
    return value === undefined ? [] : [[name, value]];
  });
}

function framesOf(
  body: Buffer,
  { largestFrame = initialFrameSize, endsEmpty }: Pick<RawHttp2Request, 'largestFrame' | 'endsEmpty'>,
): Buffer[] {
  return [...pieces(body, largestFrame), ...(endsEmpty ? [Buffer.alloc(0)] : [])];
}

function pieces(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
}

/** The priority in a HEADERS frame (RFC 7540, section 6.2). */
function priorityBytes(priority: Http2Request['priority']): Buffer {
  if (priority === undefined) return Buffer.alloc(0);
  const { exclusive, dependsOn, weight } = priority;
  const parent = numberPayload(exclusive ? dependsOn + 0x8000_0000 : dependsOn);
  return Buffer.concat([parent, Buffer.of(weight - 1)]);
}
