import type { ServerResponse } from 'node:http';
import type { HeaderList } from '../../wire/headers.ts';
import { hasRoom } from './frame-writer.ts';

/**
 * A response of server-sent events. It begins with the first event. All events of one turn of the event loop are sent
 * together, at its end.
 */
export class SseResponse {
  readonly #response: ServerResponse;
  readonly #headers: HeaderList;
  /** The text of the events that wait to be sent. */
  #waiting = '';
  /** One promise for all events that are sent before there is room. */
  #room: Promise<void> | undefined;

  constructor(response: ServerResponse, headers: HeaderList) {
    this.#response = response;
    this.#headers = headers;
  }

  get begun(): boolean {
    return this.#response.headersSent;
  }

  /** Sends an event. Returns a promise for when the client can take more, if it cannot now. */
  send(event: string | undefined, data: string): Promise<void> | undefined {
    const response = this.#response;
    if (response.destroyed) return undefined;
    if (!response.headersSent) {
      const own: HeaderList = [
        ['content-type', 'text/event-stream; charset=utf-8'],
        ['cache-control', 'no-cache'],
      ];
      response.writeHead(200, [...own, ...this.#headers].flat());
    }
    if (this.#waiting === '') setImmediate(() => this.#flush());
    const name = event === undefined ? '' : `event: ${event}\n`;
    // JSON with line breaks needs a data line for each of its lines.
    const lines = data.includes('\n') ? data.replaceAll(/\r?\n/g, '\ndata: ') : data;
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
    this.#response.end(events);
  }

  #flush(): void {
    const events = this.#waiting;
    this.#waiting = '';
    if (events !== '' && !this.#response.destroyed) this.#response.write(events);
  }
}
