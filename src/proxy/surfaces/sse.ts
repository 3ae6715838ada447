import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { HeaderList } from '../../wire/headers.ts';

/**
 * An answer of server-sent events, begun with its first one. Events that come in one turn of the event loop go out
 * together, at its end.
 */
export class SseAnswer {
  readonly #response: ServerResponse;
  readonly #headers: HeaderList;
  /** Events that have not gone out yet. */
  #gathered = '';

  constructor(response: ServerResponse, headers: HeaderList) {
    this.#response = response;
    this.#headers = headers;
  }

  get begun(): boolean {
    return this.#response.headersSent;
  }

  /** Sends an event; the promise, where there is one, is kept when the client has room for more. */
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
    if (this.#gathered === '') setImmediate(() => this.#flush());
    const name = event === undefined ? '' : `event: ${event}\n`;
    // A JSON text that was written with line ends takes a data line for each.
    const lines = data.includes('\n') ? data.replaceAll(/\r?\n/g, '\ndata: ') : data;
    this.#gathered += `${name}data: ${lines}\n\n`;
    if (this.#gathered.length >= response.writableHighWaterMark) this.#flush();
    if (!response.writableNeedDrain) return undefined;
    return Promise.race([once(response, 'drain'), once(response, 'close')]).then(() => undefined);
  }

  end(): void {
    const events = this.#gathered;
    this.#gathered = '';
    this.#response.end(events);
  }

  #flush(): void {
    const events = this.#gathered;
    this.#gathered = '';
    if (events !== '' && !this.#response.destroyed) this.#response.write(events);
  }
}
