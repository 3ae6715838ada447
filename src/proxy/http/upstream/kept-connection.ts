import type { IncomingHttpHeaders } from 'node:http';
import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { HeaderList } from '../../../wire/headers.ts';
import { ResponseDecoder } from '../../../wire/http1.ts';
import type { ResponseHead } from '../../../wire/message.ts';
import { validateHeaderValue } from '../../../wire/node-http.ts';
import { type BackendMessage, longestHead } from './backend-message.ts';
import { connectionError } from './way-out.ts';

export type KeptRequest = {
  readonly url: URL;
  readonly method: string;
  /** Sent in this order and case. They state the length of the body. */
  readonly headers: HeaderList;
  readonly body: Buffer;
  readonly signal: AbortSignal;
};

/** Why a request over a connection that was kept, or that refuses it, was not served. It can be sent again over another one. */
export class NotServed extends Error {
  override readonly name = 'NotServed';
}

/**
 * A connection to the backend for one request after the other, over HTTP/1.1 and without a forward proxy on the way. It takes a
 * third of the time that Node's own HTTP client takes (measured: node 24.21.0).
 */
export class KeptConnection {
  readonly #idle: number;
  readonly #isGiven: boolean;
  #isUsed = false;
  #socket: Socket | undefined;
  #exchange: Exchange | undefined;

  /**
   * The connection ends when it is unused for `idle` milliseconds. It is opened again when it is needed; a given socket is not:
   * a request that it has not served then rejects with NotServed.
   */
  constructor(idle: number, socket?: Socket) {
    this.#idle = idle;
    this.#isGiven = socket !== undefined;
    if (socket !== undefined) this.#use(socket);
  }

  /** Whether a request can be sent over it now: it has one at a time, and only bodies of stated length. */
  takes(request: KeptRequest): boolean {
    return this.#exchange === undefined && statesLength(request);
  }

  /**
   * Sends a request. Resolves to the response's head, before its body. If the system reports that a connection which was used before
   * has ended already, and takes nothing of the request, it is sent again over a new one. In any other case the backend may have read
   * it, also if it ends the connection without any response. The official client does not send it again then, either.
   */
  async send(request: KeptRequest): Promise<BackendMessage> {
    request.signal.throwIfAborted();
    // A request that has begun must not be abandoned, so check first what must not be sent.
    for (const [name, value] of request.headers) validateHeaderValue(name, value);
    const wasUsed = this.#socket !== undefined && this.#isUsed;
    const exchange = this.#begin(request);
    try {
      return await exchange.response;
    } catch (error) {
      // Another request may have taken the connection meanwhile: two at a time could receive each other's responses.
      const isTaken = this.#exchange !== undefined;
      if (!wasUsed || !exchange.isUnsent || isTaken || request.signal.aborted) throw error;
      if (this.#isGiven) throw new NotServed('the connection has ended', { cause: error });
      return this.#begin(request).response;
    }
  }

  destroy(): void {
    this.#socket?.destroy();
  }

  #begin(request: KeptRequest): Exchange {
    const socket = this.#socket ?? this.#connect(request.url);
    this.#isUsed = true;
    const exchange = new Exchange(socket, request, (isReusable) => {
      if (this.#socket !== socket) return;
      this.#exchange = undefined;
      // A response may take longer than that. What came last may have come long ago.
      if (isReusable) socket.setTimeout(this.#idle);
      else this.#forget(socket);
    });
    this.#exchange = exchange;
    return exchange;
  }

  #connect(url: URL): Socket {
    if (this.#isGiven) throw new NotServed('the connection has ended');
    return this.#use(open(url));
  }

  #use(socket: Socket): Socket {
    this.#socket = socket;
    this.#isUsed = false;
    socket.on('data', (bytes: Buffer) => {
      // Nothing may come before a request.
      if (this.#exchange === undefined) this.#forget(socket);
      else this.#exchange.take(bytes);
    });
    let failure: Error | undefined;
    socket.on('error', (error) => {
      failure = error;
    });
    socket.setTimeout(this.#idle).on('timeout', () => {
      if (this.#exchange === undefined) this.#forget(socket);
    });
    const end = (isFinished: boolean) => {
      if (this.#socket !== socket) return;
      const exchange = this.#exchange;
      this.#forget(socket);
      exchange?.end(isFinished, failure);
    };
    socket.once('end', () => end(true)).once('close', () => end(false));
    return socket;
  }

  #forget(socket: Socket): void {
    if (this.#socket === socket) {
      this.#socket = undefined;
      this.#exchange = undefined;
    }
    socket.destroy();
  }
}

/** Whether headers state the length of a body, and nothing else about where it ends. */
export function statesLength({ headers, body }: Pick<KeptRequest, 'headers' | 'body'>): boolean {
  const [length, ...others] = framingOf(headers);
  return (
    others.length === 0 && length?.[0].toLowerCase() === 'content-length' && length[1] === String(body.length)
  );
}

/** The headers that say where a body ends. Their names have 14 and 17 letters. */
function framingOf(headers: HeaderList): HeaderList {
  return headers.filter(
    ([name]) =>
      (name.length === 14 || name.length === 17) && /^(?:content-length|transfer-encoding)$/i.test(name),
  );
}

function open({ hostname, port }: URL): Socket {
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  return connect({ host, port: Number(port || 80), noDelay: true, keepAlive: true });
}

/** One request, and its response. */
class Exchange {
  readonly response: Promise<BackendMessage>;
  /** Whether the connection has ended before it took any of the request. */
  readonly isUnsent: boolean;
  readonly #socket: Socket;
  readonly #decoder = new ResponseDecoder(longestHead);
  readonly #onEnd: (isReusable: boolean) => void;
  readonly #stopListening: () => void;
  #resolve: (response: KeptResponse) => void = () => {};
  #reject: (error: Error) => void = () => {};
  #message: KeptResponse | undefined;
  #isReusable = false;

  constructor(
    socket: Socket,
    { url, method, headers, body, signal }: KeptRequest,
    onEnd: (isReusable: boolean) => void,
  ) {
    this.#socket = socket;
    this.#onEnd = onEnd;
    this.response = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const target = url.pathname + url.search;
    this.#decoder.expect({ method, target, version: '1.1', headers });
    const abort = () => this.#fail(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    // V8 allocates a function that is assigned to a property in the old generation. There it would keep everything of its
    // request until a collection of the whole heap (measured: node 24.21.0, a seventh of the CPU time of a request).
    const stopListening = () => signal.removeEventListener('abort', abort);
    this.#stopListening = stopListening;
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    socket.cork();
    socket.write(`${method} ${target} HTTP/1.1\r\n${lines}\r\n`, 'latin1');
    socket.write(body);
    socket.uncork();
    this.isUnsent = socket.errored !== null;
  }

  take(bytes: Buffer): void {
    for (const event of this.#decoder.push(bytes)) {
      if (event.type === 'interim') continue;
      if (event.type === 'head') this.#begin(event.head);
      else if (event.type === 'data') this.#push(event.bytes);
      else if (event.type === 'end') this.#complete();
      else this.#fail(new Error(event.type === 'undecodable' ? event.reason : 'bytes after an upgrade'));
    }
  }

  /** The connection has ended. */
  end(isFinished: boolean, failure: Error | undefined): void {
    const [last] = this.#decoder.end(isFinished ? 'finished' : 'cut');
    if (last?.type === 'end' && last.complete) this.#complete();
    else this.#fail(failure ?? new Error('the connection ended without a response'));
  }

  #begin(head: ResponseHead): void {
    // Two readers could take the second one for different bodies (RFC 9112, section 6.3).
    if (head.status === 101 || framingOf(head.headers).length > 1) {
      this.#fail(new Error(head.status === 101 ? 'another protocol' : 'the response states two lengths'));
      return;
    }
    const closes = head.headers.some(
      ([name, value]) => name.toLowerCase() === 'connection' && /\bclose\b/i.test(value),
    );
    this.#isReusable = head.version === '1.1' && !closes;
    const socket = this.#socket;
    this.#message = new KeptResponse(head, {
      onRead: () => socket.resume(),
      onCancel: () => this.#fail(new Error('the response is not needed any more')),
    });
    this.#resolve(this.#message);
  }

  #push(bytes: Buffer): void {
    if (this.#message?.push(bytes) === false) this.#socket.pause();
  }

  #complete(): void {
    this.#stopListening();
    const message = this.#message;
    if (message === undefined) return;
    message.complete = true;
    message.push(null);
    this.#message = undefined;
    this.#socket.resume();
    // A body of which a part is still to be sent would be taken for the next request.
    this.#onEnd(this.#isReusable && this.#socket.writableLength === 0);
  }

  #fail(error: Error): void {
    this.#stopListening();
    const message = this.#message;
    this.#message = undefined;
    this.#reject(connectionError(error));
    message?.destroy(error);
    this.#onEnd(false);
    this.#socket.destroy();
  }
}

/** The response to a request, whose body is pushed as it comes. */
export class KeptResponse extends Readable implements BackendMessage {
  readonly statusCode: number;
  readonly statusMessage: string;
  readonly rawHeaders: string[];
  complete = false;
  readonly #onRead: () => void;
  readonly #onCancel: () => void;

  constructor(
    { status, reason, headers }: ResponseHead,
    { onRead, onCancel }: { readonly onRead: () => void; readonly onCancel: () => void },
  ) {
    super();
    // It may fail before anybody listens, who then finds it destroyed.
    this.on('error', () => {});
    this.statusCode = status;
    this.statusMessage = reason;
    this.rawHeaders = headers.flat();
    this.#onRead = onRead;
    this.#onCancel = onCancel;
  }

  get headers(): IncomingHttpHeaders {
    const { rawHeaders } = this;
    return Object.fromEntries(
      rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [[name.toLowerCase(), rawHeaders[at + 1]]] : [])),
    );
  }

  override _read(): void {
    this.#onRead();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    if (!this.complete) this.#onCancel();
    callback(error);
  }
}
