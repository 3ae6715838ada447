import { randomBytes } from 'node:crypto';
import type { HeaderList } from '../wire/headers.ts';

/** One event of a response stream, in the shape that the public Responses API documents. */
export type StreamEvent = { readonly type: string; readonly [member: string]: unknown };

/** An output item of a response: a message or a tool call. */
export type OutputItem = { readonly id: string; readonly [member: string]: unknown };

/** How an output item is sent: announced as `begun`, filled by `events`, and ended as `item`. */
export type ScriptedOutput = {
  readonly begun: OutputItem;
  readonly events: readonly StreamEvent[];
  readonly item: OutputItem;
};

/** One part of a stream: an event, or text or bytes that are not one. */
export type StreamPart = StreamEvent | string | Buffer;

/** The code of the close message; null ends the connection without one. */
export type CloseCode = number | null;

/** What the backend sends for one request, over either transport. */
export type ScriptedResponse =
  | {
      /** An error frame, or an HTTP status and body. */
      readonly kind: 'refused';
      readonly status: number;
      /** JSON text: the object under "error". */
      readonly error: string;
      readonly headers: HeaderList;
    }
  | {
      /** A refusal by the strict backend's front: a status with `{"detail":…}`, or the detail as the error's message. */
      readonly kind: 'rejected';
      readonly status: number;
      readonly detail: string;
    }
  | {
      readonly kind: 'stream';
      readonly turnState?: string;
      readonly parts: readonly StreamPart[];
      /** The output items of a response that completes; absent for any other. */
      readonly output?: readonly OutputItem[];
      /**
       * What follows the parts. `hold` sends nothing more until the client interrupts the response, and then these.
       * `close` ends the connection. Absent: the response is complete.
       */
      readonly ending?: { readonly hold: readonly StreamPart[] } | { readonly close: CloseCode };
    };

/**
 * A new id such as `resp_1f0c…`: the prefix and 48 random hex digits. With a counter, two runs that are compared would
 * share ids by accident.
 */
export function newId(prefix: 'resp' | 'msg' | 'rs' | 'ctc' | 'fc' | 'call' | 'cmp'): string {
  return `${prefix}_${randomBytes(24).toString('hex')}`;
}

/** A response over HTTP. */
export type HttpResponse = {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: string | Buffer;
  /**
   * Absent: the body is complete, and sent with its length. `hold`: the body is the start of a stream that then sends
   * nothing more. `cut`: the connection ends after the body, in the middle of the stream; over
   * HTTP/2, the stream is reset.
   */
  readonly ending?: 'hold' | 'cut';
};

export function jsonResponse(status: number, value: unknown): HttpResponse {
  return { status, headers: [['content-type', 'application/json']], body: JSON.stringify(value) };
}
