import type { ServerResponse } from 'node:http';
import type { HeaderList } from '../../wire/headers.ts';
import { copyWords, viewOf } from './byte-words.ts';
import type { Deltas } from './deltas.ts';
import { hasRoom } from './frame-writer.ts';
import { writeHead } from './send.ts';

/**
 * A response of server-sent events. It begins with the first event, or with a comment after a silence: what stands before
 * a proxy ends silent connections after a minute. All events of one turn of the event loop are sent together, at its end.
 */
export class SseResponse {
  readonly #response: ServerResponse;
  readonly #headers: HeaderList;
  /** The events that wait to be sent: the first `#length` bytes. */
  #waiting = noBytes;
  #length = 0;
  /** One promise for all events that are sent before there is room. */
  #room: Promise<void> | undefined;

  readonly #silence: NodeJS.Timeout;
  /** Whether an event was sent, and not only comments. */
  hasEvents = false;

  /** @param silence milliseconds without an event after which a comment is sent */
  constructor(response: ServerResponse, headers: HeaderList, silence: number) {
    this.#response = response;
    this.#headers = headers;
    this.#silence = setInterval(() => this.#comment(), silence).unref();
    if (response.closed) clearInterval(this.#silence);
    response.once('close', () => clearInterval(this.#silence));
  }

  get begun(): boolean {
    return this.#response.headersSent;
  }

  #comment(): void {
    const response = this.#response;
    if (response.writableEnded || response.destroyed || response.writableNeedDrain) return;
    this.#begin();
    response.write(': silence\n\n');
  }

  #begin(): void {
    if (this.#response.headersSent) return;
    const own: HeaderList = [
      ['content-type', 'text/event-stream; charset=utf-8'],
      ['cache-control', 'no-cache'],
    ];
    writeHead(this.#response, { status: 200, headers: [...own, ...this.#headers] });
  }

  /** Sends an event. Returns a promise for when the client can take more, if it cannot now. */
  send(event: string | undefined, data: string): Promise<void> | undefined {
    if (this.#response.destroyed) return undefined;
    const name =
      event === undefined ? '' : `event: ${hasLineEnd(event) ? event.replaceAll(/[\r\n]/g, ' ') : event}\n`;
    // JSON with line ends needs a data line for each of its lines. A lone CR is one too (WHATWG HTML, section 9.2.6).
    const lines = hasLineEnd(data) ? data.replaceAll(/\r\n|\r|\n/g, '\ndata: ') : data;
    const text = `${name}data: ${lines}\n\n`;
    this.#reserve(Buffer.byteLength(text));
    this.#length += this.#waiting.write(text, this.#length);
    return this.#sent();
  }

  /** As `send`, for each of the deltas. */
  sendDeltas({ type, bytes, starts, ends }: Deltas): Promise<void> | undefined {
    if (this.#response.destroyed) return undefined;
    const all = bytes.subarray(starts[0], ends.at(-1));
    if (all.includes(lineFeed) || all.includes(carriageReturn)) {
      let room: Promise<void> | undefined;
      for (const [n, start] of starts.entries())
        room = this.send(type, bytes.toString('utf8', start, ends[n]));
      return room;
    }
    const before = Buffer.from(`event: ${type}\ndata: `);
    this.#reserve(all.length + starts.length * (before.length + 2));
    const [head, from, waiting] = [viewOf(before), viewOf(bytes), viewOf(this.#waiting)];
    let at = this.#length;
    for (let n = 0; n < starts.length; n += 1) {
      at = copyWords(head, 0, before.length, waiting, at);
      at = copyWords(from, starts[n] ?? 0, ends[n] ?? 0, waiting, at);
      waiting.setUint16(at, twoLineFeeds);
      at += 2;
    }
    this.#length = at;
    return this.#sent();
  }

  /** Makes room for further events. */
  #reserve(size: number): void {
    if (this.#length === 0) {
      this.hasEvents = true;
      this.#silence.refresh();
      this.#begin();
      setImmediate(() => this.#flush());
    }
    if (this.#length + size <= this.#waiting.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#length + size, 2 * this.#waiting.length));
    this.#waiting.copy(larger, 0, 0, this.#length);
    this.#waiting = larger;
  }

  #sent(): Promise<void> | undefined {
    const response = this.#response;
    if (this.#length >= response.writableHighWaterMark) this.#flush();
    if (!response.writableNeedDrain) return undefined;
    this.#room ??= hasRoom(response).finally(() => {
      this.#room = undefined;
    });
    return this.#room;
  }

  end(): void {
    const events = this.#take();
    if (events.length === 0) this.#response.end();
    else this.#response.end(events);
  }

  #flush(): void {
    const events = this.#take();
    if (events.length > 0 && !this.#response.destroyed) this.#response.write(events);
  }

  #take(): Buffer {
    const events = this.#waiting.subarray(0, this.#length);
    this.#waiting = noBytes;
    this.#length = 0;
    return events;
  }
}

const noBytes: Buffer = Buffer.alloc(0);

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const twoLineFeeds = 0x0a0a;

function hasLineEnd(text: string): boolean {
  return text.includes('\n') || text.includes('\r');
}
