import type { ServerResponse } from 'node:http';
import type { HeaderList } from '../../wire/headers.ts';

/**
 * An answer of server-sent events, begun with its first one. Events that come in one turn of the event loop go out
 * together, at its end.
 */
export class SseResponse {
  readonly #response: ServerResponse;
  readonly #headers: HeaderList;
  /** Events that have not gone out yet. */
  #gathered = '';
  #waiting: Promise<void> | undefined;

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
    return response.writableNeedDrain ? this.#room() : undefined;
  }

  /** One wait for all events that come before there is room. */
  #room(): Promise<void> {
    this.#waiting ??= new Promise<void>((resolve) => {
      const go = () => {
        this.#response.off('drain', go).off('close', go);
        this.#waiting = undefined;
        resolve();
      };
      this.#response.on('drain', go).on('close', go);
    });
    return this.#waiting;
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
