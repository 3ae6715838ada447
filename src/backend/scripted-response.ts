import type { HeaderList } from '../wire/headers.ts';
import type { CloseCode } from './script.ts';

/** One event of a response stream, in the shape the public Responses API documents. */
export type StreamEvent = { readonly type: string; readonly [member: string]: unknown };

/** What a response is made of: a message, or a call of a tool. */
export type OutputItem = { readonly id: string; readonly [member: string]: unknown };

/** One output item: as it stands when it is announced, the events that fill it, and as it stands at its end. */
export type ScriptedOutput = {
  readonly begun: OutputItem;
  readonly events: readonly StreamEvent[];
  readonly item: OutputItem;
};

/** One thing that is said in a stream: an event, a text that is none, or bytes that are no text. */
export type StreamPart = StreamEvent | string | Buffer;

/** What is said to one message that asks for a response, whatever it travels over. */
export type ScriptedResponse =
  /** The error frame, or the status and body, that it gets instead; `error` is JSON text: the object under "error". */
  | {
      readonly kind: 'refused';
      readonly status: number;
      readonly error: string;
      readonly headers?: HeaderList;
    }
  | {
      readonly kind: 'said';
      readonly turnState?: string;
      readonly said: readonly StreamPart[];
      /** The items that the response is made of; absent where it does not come to its end. */
      readonly output?: readonly OutputItem[];
      /**
       * What follows: nothing, though more is expected, until the client interrupts the response and is told the
       * rest; or the connection ends. Absent: all is said, and well.
       */
      readonly ending?: { readonly hold: readonly StreamPart[] } | { readonly close: CloseCode };
    };
