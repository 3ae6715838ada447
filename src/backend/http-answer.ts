import type { HeaderList } from '../wire/headers.ts';

/** A whole plain HTTP answer; the body's length is added when it is written. */
export type HttpAnswer = {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: string;
};

/** An answer with a JSON body. */
export function json(status: number, value: unknown): HttpAnswer {
  return { status, headers: [['content-type', 'application/json']], body: JSON.stringify(value) };
}

/** An answer without a body. */
export function empty(status: number): HttpAnswer {
  return { status, headers: [], body: '' };
}
