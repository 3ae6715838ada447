import type { HeaderList } from '../../wire/headers.ts';
import { headerValue } from '../../wire/headers.ts';
import type { ResponseHead, WebSocketMessage } from '../../wire/message.ts';
import { SseDecoder } from '../../wire/sse.ts';

/** What a connection receives, in order. */
export type ReceivedEvent =
  | { readonly type: 'response'; readonly head: ResponseHead }
  /** A websocket message, except for ping (it gets its pong) and pong. */
  | { readonly type: 'message'; readonly message: WebSocketMessage }
  /** A server-sent event. */
  | { readonly type: 'event'; readonly data: string }
  /** The end of an HTTP body, complete or cut off. */
  | { readonly type: 'body' }
  /** The connection ended, or cannot be decoded any further. Every later call of `next` returns it again. */
  | { readonly type: 'end'; readonly undecodable?: string };

/** A request that is sent exactly as given: no header is added. */
export type RawRequest = {
  readonly method: string;
  readonly target: string;
  readonly headers: HeaderList;
  readonly body: Buffer;
};

/** Collects what a connection receives, for a reader that waits for one event after the other. */
export class ReceivedEvents {
  readonly #received: ReceivedEvent[] = [];
  #end: ReceivedEvent | undefined;
  #sse: SseDecoder | undefined;
  /** Called when `next` may have an event. */
  #wake = () => {};

  push(event: ReceivedEvent): void {
    this.#received.push(event);
    this.#wake();
  }

  /** A response whose body may be server-sent events. */
  head(head: ResponseHead): void {
    const isEvents = headerValue(head.headers, 'content-type')?.startsWith('text/event-stream') === true;
    this.#sse = isEvents ? new SseDecoder() : undefined;
    this.push({ type: 'response', head });
  }

  /** Bytes of the body of a response. */
  content(bytes: Buffer): void {
    for (const { data } of this.#sse?.push(bytes) ?? []) this.push({ type: 'event', data });
  }

  end(undecodable?: string): void {
    this.#end ??= { type: 'end', ...(undecodable === undefined ? {} : { undecodable }) };
    this.#wake();
  }

  /** Resolves with the next event. */
  async next(): Promise<ReceivedEvent> {
    for (;;) {
      const next = this.#received.shift() ?? this.#end;
      if (next !== undefined) return next;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
