import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { HeaderList } from '../../wire/headers.ts';

/** An answer of server-sent events, begun with its first one. */
export class SseAnswer {
  readonly #response: ServerResponse;
  readonly #headers: HeaderList;

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
    this.#gather();
    const name = event === undefined ? '' : `event: ${event}\n`;
    // A JSON text that was written with line ends takes a data line for each.
    const lines = data.includes('\n') ? data.replaceAll(/\r?\n/g, '\ndata: ') : data;
    if (response.write(`${name}data: ${lines}\n\n`)) return undefined;
    return Promise.race([once(response, 'drain'), once(response, 'close')]).then(() => undefined);
  }

  end(): void {
    this.#flush();
    this.#response.end();
  }

  /** Events that come together go out together. */
  #gather(): void {
    const response = this.#response;
    if (response.writableCorked > 0) return;
    response.cork();
    process.nextTick(() => this.#flush());
  }

  #flush(): void {
    if (this.#response.writableCorked > 0) this.#response.uncork();
  }
}
