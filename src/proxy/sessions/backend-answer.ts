import type { HeaderList } from '../../wire/headers.ts';

/** An answer of the backend that is no stream of events: it reaches the client as it is. */
export class BackendAnswer extends Error {
  override readonly name = 'BackendAnswer';
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: Buffer;

  constructor(status: number, headers: HeaderList, body: Buffer) {
    super(`the backend answered ${status}`);
    this.status = status;
    this.headers = headers;
    this.body = body;
  }
}
