import type { ServerResponse } from 'node:http';
import type { HeaderList } from '../../wire/headers.ts';
import { hasRoom } from './frame-writer.ts';
import { writeHead } from './send.ts';

/**
 * A response of server-sent events. It begins with the first event, or with a comment after a silence: what stands before
 * a proxy ends silent connections after a minute. All events of one turn of the event loop are sent together, at its end.
 */
export class SseResponse {
  readonly #response: ServerResponse;
  readonly #headers: HeaderList;
  /** The text of the events that wait to be sent. */
  #waiting = '';
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
    const response = this.#response;
    if (response.destroyed) return undefined;
    if (this.#waiting === '') {
      this.hasEvents = true;
      this.#silence.refresh();
      this.#begin();
      setImmediate(() => this.#flush());
    }
    const name =
      event === undefined ? '' : `event: ${hasLineEnd(event) ? event.replaceAll(/[\r\n]/g, ' ') : event}\n`;
    // JSON with line ends needs a data line for each of its lines. A lone CR is one too (WHATWG HTML, section 9.2.6).
    const lines = hasLineEnd(data) ? data.replaceAll(/\r\n|\r|\n/g, '\ndata: ') : data;
    this.#waiting += `${name}data: ${lines}\n\n`;
    if (this.#waiting.length >= response.writableHighWaterMark) this.#flush();
    if (!response.writableNeedDrain) return undefined;
    this.#room ??= hasRoom(response).finally(() => {
      this.#room = undefined;
    });
    return this.#room;
  }

  end(): void {
    const events = this.#waiting;
    this.#waiting = '';
    if (events === '') this.#response.end();
    else this.#response.end(Buffer.from(events));
  }

  #flush(): void {
    const events = this.#waiting;
    this.#waiting = '';
    // Node would count the bytes of a string first.
    if (events !== '' && !this.#response.destroyed) this.#response.write(Buffer.from(events));
  }
}

function hasLineEnd(text: string): boolean {
  return text.includes('\n') || text.includes('\r');
}
