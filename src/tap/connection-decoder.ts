import type { Observe } from '../trace/observation.ts';
import { headerValue } from '../wire/headers.ts';
import {
  asksToUpgrade,
  type Http1Event,
  RequestDecoder,
  ResponseDecoder,
  type StreamEnding,
} from '../wire/http1.ts';
import type { RequestHead, ResponseHead, Side } from '../wire/message.ts';
import { WebSocketDecoder, type WebSocketEvent } from '../wire/websocket.ts';
import { negotiatedDeflate } from '../wire/websocket-deflate.ts';

/** A request whose response is not over. */
type PendingExchange = { readonly number: number; readonly asksToUpgrade: boolean };

type BodySoFar = { readonly exchange: number; readonly parts: Buffer[] };

type WebSocketSides = {
  readonly exchange: number;
  readonly decoders: Readonly<Record<Side, WebSocketDecoder>>;
};

/** Which connection of the tap it is, where the numbers of exchanges come from, and who is told. */
export type ConnectionDecoderOptions = {
  readonly connection: number;
  readonly nextExchange: () => number;
  /** Must not throw. */
  readonly observe: Observe;
};

/**
 * Understands both sides of one connection from a copy of their bytes: HTTP/1.1 exchanges, and websocket messages
 * once an upgrade is accepted. What it cannot decode is one `undecodable` observation, and then no more of it: of
 * that side on a websocket, of both in HTTP, where one side makes no sense without the other.
 */
export class ConnectionDecoder {
  readonly #options: ConnectionDecoderOptions;
  readonly #requests = new RequestDecoder();
  readonly #responses = new ResponseDecoder();
  readonly #open: PendingExchange[] = [];
  readonly #bodies: Record<Side, BodySoFar> = {
    client: { exchange: 0, parts: [] },
    backend: { exchange: 0, parts: [] },
  };
  #webSocket: WebSocketSides | null = null;
  #lost = false;
  #endedBy: Side | null = null;

  constructor(options: ConnectionDecoderOptions) {
    this.#options = options;
  }

  /** Takes the next bytes of a side. What the client says must be told before the answer to it. */
  said(side: Side, bytes: Buffer): void {
    if (this.#lost) return;
    if (this.#webSocket !== null) this.#webSocketEvents(side, this.#webSocket.decoders[side].push(bytes));
    else if (side === 'client') this.#requestEvents(this.#requests.push(bytes));
    else this.#responseEvents(this.#responses.push(bytes));
  }

  /** A side has said its last byte; the other one may go on. */
  finished(side: Side): void {
    const first = this.#endedBy === null;
    this.#endedBy ??= side;
    this.#end(side, 'finished');
    if (first) this.#tellEnd(side);
  }

  /** A side broke the connection off, or the tap did (null): both directions are over. */
  cut(by: Side | null): void {
    const first = this.#endedBy === null && by !== null;
    this.#endedBy ??= by;
    this.#end('client', 'cut');
    this.#end('backend', 'cut');
    if (first) this.#tellEnd(by);
  }

  #tellEnd(by: Side): void {
    this.#options.observe({ type: 'end', connection: this.#options.connection, by });
  }

  /**
   * Ends a direction. That it stopped inside a head or a message is worth telling only of the side that ended the
   * connection: how far the other one had come by then is chance.
   */
  #end(side: Side, ending: StreamEnding): void {
    if (this.#lost) return;
    const worthTelling = ({ type }: { type: string }) => type !== 'undecodable' || side === this.#endedBy;
    if (this.#webSocket !== null) {
      this.#webSocketEvents(side, this.#webSocket.decoders[side].end().filter(worthTelling));
    } else if (side === 'client') {
      this.#requestEvents(this.#requests.end(ending).filter(worthTelling));
    } else {
      this.#responseEvents(this.#responses.end(ending).filter(worthTelling));
    }
  }

  #requestEvents(events: readonly Http1Event<RequestHead>[]): void {
    for (const event of events) {
      if (this.#lost) return;
      if (event.type === 'head') this.#request(event.head);
      else this.#event('client', event);
    }
  }

  #request(head: RequestHead): void {
    const { connection, nextExchange, observe } = this.#options;
    const exchange = nextExchange();
    this.#open.push({ number: exchange, asksToUpgrade: asksToUpgrade(head) });
    this.#bodies.client = { exchange, parts: [] };
    this.#responses.expect(head);
    observe({ type: 'request', connection, exchange, head });
  }

  #responseEvents(events: readonly Http1Event<ResponseHead>[]): void {
    for (const event of events) {
      if (this.#lost) return;
      if (event.type === 'head') this.#response(event.head);
      else this.#event('backend', event);
    }
  }

  #response(head: ResponseHead): void {
    // The decoder gives no response head without a request for it.
    const { number: exchange, asksToUpgrade: mayUpgrade } = this.#open.shift() ?? {
      number: 0,
      asksToUpgrade: false,
    };
    this.#bodies.backend = { exchange, parts: [] };
    this.#options.observe({ type: 'response', exchange, head });
    if (head.status === 101) this.#upgrade(exchange, head);
    else if (mayUpgrade) this.#requestEvents(this.#requests.settleUpgrade(false));
  }

  #upgrade(exchange: number, head: ResponseHead): void {
    const protocol = headerValue(head.headers, 'upgrade')?.toLowerCase();
    if (protocol !== 'websocket') {
      this.#undecodable('backend', 'the connection was upgraded to something else than a websocket');
      return;
    }
    const deflate = negotiatedDeflate(head.headers);
    const decoders = {
      client: new WebSocketDecoder('client', deflate),
      backend: new WebSocketDecoder('backend', deflate),
    };
    this.#webSocket = { exchange, decoders };
    this.#requestEvents(this.#requests.settleUpgrade(true));
  }

  /** What both sides have alike. */
  #event(side: Side, event: Exclude<Http1Event<unknown>, { type: 'head' }>): void {
    switch (event.type) {
      case 'interim':
        return;
      case 'data':
        this.#bodies[side].parts.push(event.bytes);
        return;
      case 'end':
        this.#body(side, event.complete);
        return;
      case 'upgraded':
        if (this.#webSocket === null) this.#undecodable(side, 'the connection became a tunnel');
        else this.said(side, event.bytes);
        return;
      case 'undecodable':
        this.#undecodable(side, event.reason);
    }
  }

  #body(from: Side, complete: boolean): void {
    const { exchange, parts } = this.#bodies[from];
    if (parts.length === 0 && complete) return;
    this.#options.observe({ type: 'body', exchange, from, bytes: Buffer.concat(parts), complete });
  }

  #webSocketEvents(from: Side, events: readonly WebSocketEvent[]): void {
    const exchange = this.#webSocket?.exchange ?? 0;
    const { connection, observe } = this.#options;
    for (const event of events) {
      if (event.type === 'message') observe({ type: 'message', exchange, from, message: event.message });
      else observe({ type: 'undecodable', connection, from, reason: event.reason });
    }
  }

  #undecodable(from: Side, reason: string): void {
    this.#lost = true;
    this.#options.observe({ type: 'undecodable', connection: this.#options.connection, from, reason });
  }
}
