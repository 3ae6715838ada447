import { headerValue } from '../wire/headers.ts';
import { stringAt, tryParseJson } from '../wire/json.ts';
import type { ResponseHead } from '../wire/message.ts';
import { isEventStream, SseDecoder } from '../wire/sse.ts';

/** The most bytes before the first delta that are read: the first event repeats instructions and tools. */
const mostBytes = 4 * 1024 * 1024;

/**
 * Finds the first delta in the event streams of a connection while they arrive. Streams with a content encoding are left
 * out: how much of one can be decoded depends on the encoder, and not on the backend.
 */
export class FirstDelta {
  readonly #onFirst: (exchange: number) => void;
  /** The stream whose first delta is awaited. */
  #awaited: { readonly exchange: number; readonly events: SseDecoder; bytes: number } | undefined;

  constructor(onFirst: (exchange: number) => void) {
    this.#onFirst = onFirst;
  }

  onResponse(exchange: number, { headers }: ResponseHead): void {
    const isPlain = /^(?:identity)?$/i.test(headerValue(headers, 'content-encoding') ?? '');
    this.#awaited =
      isPlain && isEventStream(headers) ? { exchange, events: new SseDecoder(), bytes: 0 } : undefined;
  }

  onData(exchange: number, bytes: Buffer): void {
    const awaited = this.#awaited;
    if (awaited?.exchange !== exchange) return;
    awaited.bytes += bytes.length;
    const isFirst = awaited.events.push(bytes).some(({ data }) => isDelta(data));
    if (isFirst || awaited.bytes > mostBytes) this.#awaited = undefined;
    if (isFirst) this.#onFirst(exchange);
  }
}

function isDelta(data: string): boolean {
  return stringAt(tryParseJson(data)?.node, 'type')?.endsWith('.delta') === true;
}
