import type { Observe } from '../trace/observation.ts';
import { ContentCollector } from '../wire/content-collector.ts';
import { type HeaderList, headerValue } from '../wire/headers.ts';
import {
  type Http1Event,
  mayLeaveHttp,
  RequestDecoder,
  ResponseDecoder,
  type StreamEnding,
} from '../wire/http1.ts';
import type { RequestHead, ResponseHead, Side } from '../wire/message.ts';
import { WebSocketDecoder, type WebSocketEvent } from '../wire/websocket.ts';
import { negotiatedDeflate } from '../wire/websocket-deflate.ts';
import type { RelayListener } from './relay-bytes.ts';

/** A request whose response head has not arrived. */
type PendingExchange = { readonly number: number; readonly target: string; readonly mayLeaveHttp: boolean };

type PartialBody = {
  readonly exchange: number;
  readonly target: string;
  readonly headers: HeaderList;
  readonly content: ContentCollector;
};

type WebSocketDecoders = { readonly exchange: number } & Readonly<Record<Side, WebSocketDecoder>>;

export type ConnectionDecoderOptions = {
  /** The number of this connection within its tap. */
  readonly connection: number;
  /** Returns the next number for an exchange of the tap. */
  readonly nextExchange: () => number;
  /** Must not throw. */
  readonly observe: Observe;
  /** Receives the bytes of a response body as they arrive; the observation of the body follows its end. */
  readonly onResponseData?: (exchange: number, bytes: Buffer) => void;
};

/**
 * Decodes both sides of one connection from a copy of their bytes: HTTP/1.1 exchanges, then websocket messages once an
 * upgrade is accepted. Bytes it cannot decode give one `undecodable` observation. After that it stops decoding that
 * side of a websocket, or both sides of HTTP, where neither side can be understood without the other.
 */
export class Http1ConnectionDecoder implements RelayListener {
  readonly #options: ConnectionDecoderOptions;
  readonly #http = { client: new RequestDecoder(), backend: new ResponseDecoder() };
  readonly #pending: PendingExchange[] = [];
  readonly #bodies: Partial<Record<Side, PartialBody>> = {};
  #webSocket: WebSocketDecoders | null = null;
  #stopped = false;
  #endedBy: Side | null = null;

  constructor(options: ConnectionDecoderOptions) {
    this.#options = options;
  }

  /** Takes the next bytes of a side. Bytes of a request must be passed before those of its response. */
  onData(side: Side, bytes: Buffer): void {
    if (this.#stopped) return;
    if (this.#webSocket !== null) this.#onWebSocketEvents(side, this.#webSocket[side].push(bytes));
    else this.#onHttpEvents(side, this.#http[side].push(bytes));
  }

  /** A side sent its last byte. The other side may go on. */
  onFinished(side: Side): void {
    const first = this.#endedBy === null;
    this.#endedBy ??= side;
    this.#endSide(side, 'finished');
    if (first) this.#observeEnd(side);
  }

  /** A side broke off the connection, or the tap did (null). Both directions are over. */
  onCut(by: Side | null): void {
    const first = this.#endedBy === null && by !== null;
    this.#endedBy ??= by;
    this.#endSide('client', 'cut');
    this.#endSide('backend', 'cut');
    if (first) this.#observeEnd(by);
  }

  #observeEnd(by: Side): void {
    this.#options.observe({ type: 'end', connection: this.#options.connection, by });
  }

  /**
   * Ends a direction. A head or message that was cut off is reported only for the side that ended the connection: how
   * far the other side had come by then is chance.
   */
  #endSide(side: Side, ending: StreamEnding): void {
    if (this.#stopped) return;
    const isReported = ({ type }: { type: string }) => type !== 'undecodable' || side === this.#endedBy;
    if (this.#webSocket !== null)
      this.#onWebSocketEvents(side, this.#webSocket[side].end().filter(isReported));
    else this.#onHttpEvents(side, this.#http[side].end(ending).filter(isReported));
  }

  #onHttpEvents(side: Side, events: readonly Http1Event<RequestHead | ResponseHead>[]): void {
    for (const event of events) if (!this.#stopped) this.#onHttpEvent(side, event);
  }

  #onHttpEvent(side: Side, event: Http1Event<RequestHead | ResponseHead>): void {
    switch (event.type) {
      case 'head':
        if ('method' in event.head) this.#onRequest(event.head);
        else this.#onResponse(event.head);
        return;
      case 'interim':
        return;
      case 'data':
        this.#onBodyData(side, event.bytes);
        return;
      case 'end':
        this.#onBodyEnd(side, event.complete);
        return;
      case 'upgraded':
        if (this.#webSocket === null) this.#stop(side, 'the connection became a tunnel');
        else this.onData(side, event.bytes);
        return;
      case 'undecodable':
        this.#stop(side, event.reason);
    }
  }

  #onRequest(head: RequestHead): void {
    const { connection, nextExchange, observe } = this.#options;
    const exchange = nextExchange();
    const { target, headers } = head;
    this.#pending.push({ number: exchange, target, mayLeaveHttp: mayLeaveHttp(head) });
    this.#bodies.client = { exchange, target, headers, content: new ContentCollector() };
    this.#http.backend.expect(head);
    observe({ type: 'request', connection, exchange, head });
  }

  #onResponse(head: ResponseHead): void {
    // ResponseDecoder returns no response head without a request for it.
    const pending = this.#pending.shift() ?? { number: 0, target: '', mayLeaveHttp: false };
    const { number: exchange, target } = pending;
    this.#bodies.backend = { exchange, target, headers: head.headers, content: new ContentCollector() };
    this.#options.observe({ type: 'response', exchange, head });
    if (head.status === 101) this.#onUpgrade(exchange, head);
    else if (pending.mayLeaveHttp) this.#onHttpEvents('client', this.#http.client.settleUpgrade(false));
  }

  #onUpgrade(exchange: number, head: ResponseHead): void {
    if (headerValue(head.headers, 'upgrade')?.toLowerCase() !== 'websocket') {
      this.#stop('backend', 'the connection was upgraded to a protocol other than websocket');
      return;
    }
    const deflate = negotiatedDeflate(head.headers);
    this.#webSocket = {
      exchange,
      client: new WebSocketDecoder('client', deflate),
      backend: new WebSocketDecoder('backend', deflate),
    };
    this.#onHttpEvents('client', this.#http.client.settleUpgrade(true));
  }

  #onBodyData(side: Side, bytes: Buffer): void {
    const body = this.#bodies[side];
    body?.content.push(bytes);
    if (side === 'backend' && body !== undefined) this.#options.onResponseData?.(body.exchange, bytes);
  }

  #onBodyEnd(from: Side, complete: boolean): void {
    const body = this.#bodies[from];
    if (body === undefined || (body.content.length === 0 && complete)) return;
    const { content, ...message } = body;
    this.#options.observe({ type: 'body', ...message, from, bytes: content.take(), complete });
  }

  #onWebSocketEvents(from: Side, events: readonly WebSocketEvent[]): void {
    const exchange = this.#webSocket?.exchange ?? 0;
    const { connection, observe } = this.#options;
    for (const event of events) {
      if (event.type === 'message') observe({ type: 'message', exchange, from, message: event.message });
      else observe({ type: 'undecodable', connection, from, reason: event.reason });
    }
  }

  #stop(from: Side, reason: string): void {
    this.#stopped = true;
    this.#options.observe({ type: 'undecodable', connection: this.#options.connection, from, reason });
  }
}
