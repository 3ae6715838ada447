import type { HeaderList } from '../wire/headers.ts';

/** A plain HTTP answer. */
export type HttpResponse = {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: string | Buffer;
  /**
   * How the body ends: complete unless given, its length told before it; or it is a stream of which this is only the
   * beginning, and nothing comes any more (`hold`), or the connection ends within it (`cut`).
   */
  readonly ending?: 'hold' | 'cut';
};

/** An answer with a JSON body. */
export function json(status: number, value: unknown): HttpResponse {
  return { status, headers: [['content-type', 'application/json']], body: JSON.stringify(value) };
}

/** An answer without a body. */
export function empty(status: number): HttpResponse {
  return { status, headers: [], body: '' };
}
