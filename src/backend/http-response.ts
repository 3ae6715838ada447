import type { HeaderList } from '../wire/headers.ts';

export type HttpResponse = {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: string | Buffer;
  /**
   * Absent: the body is complete, and sent with its length. `hold`: the body is the start of a stream that then sends
   * nothing more. `cut`: the connection ends after the body, in the middle of the stream.
   */
  readonly ending?: 'hold' | 'cut';
};

export function jsonResponse(status: number, value: unknown): HttpResponse {
  return { status, headers: [['content-type', 'application/json']], body: JSON.stringify(value) };
}
