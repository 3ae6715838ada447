import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import type { Readable } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { type HeaderList, headerValue, pairHeaders } from '../../../wire/headers.ts';
import { validateHeaderValue } from '../../../wire/node-http.ts';
import { type BackendMessage, longestHead } from './backend-message.ts';
import type { Http2Form } from './http-form.ts';
import { KeptResponse, NotServed } from './kept-connection.ts';
import { connectionError } from './way-out.ts';

export type SentRequest = {
  readonly url: URL;
  readonly method: string;
  /** Sent in this order, but for those that HTTP/2 has other means for. */
  readonly headers: HeaderList;
  readonly body: Buffer | Readable;
  readonly signal: AbortSignal;
  /** Called when the whole request is sent. */
  readonly onSent?: () => void;
};

/** Loaded when it is needed: it takes megabytes. */
const http2 = () => process.getBuiltinModule('node:http2');

/** The window of a connection before it is made larger (RFC 9113, section 6.9.2). */
const firstWindow = 65_535;

/** Options that Node's types lack. A client may send a header twice, as over HTTP/1.1. */
const furtherOptions = { strictSingleValueFields: false };

/** Milliseconds for the other side to end a connection that is ended here. */
const endTime = 500;

/**
 * An HTTP/2 connection to the backend for one request after the other, as the official client uses it: each of its HTTP clients has
 * its own (measured: codex 0.171.0).
 */
export class Http2Connection {
  readonly #session: ClientHttp2Session;
  readonly #socket: TLSSocket;
  readonly #form: Http2Form;
  readonly #idle: number;
  #isBusy = false;

  /** The connection ends when it is unused for `idle` milliseconds: after its first request if that is 0. */
  constructor(socket: TLSSocket, { url, form, idle }: { url: URL; form: Http2Form; idle: number }) {
    this.#socket = socket;
    this.#form = form;
    this.#idle = idle;
    const session = http2().connect(url, {
      createConnection: () => socket,
      settings: form.settings,
      maxSendHeaderBlockLength: longestHead,
      ...furtherOptions,
    });
    this.#session = session;
    session.once('connect', () => session.setLocalWindowSize(firstWindow + form.window));
    session.on('error', () => {}).on('timeout', () => this.end());
    // Node then accepts no more requests, and ends it after the one that is running.
    session.once('goaway', () => this.#isBusy || this.#endSoon());
  }

  /** Whether a request can be sent over it now. */
  get isFree(): boolean {
    return !this.#isBusy;
  }

  /**
   * Sends a request. Resolves to the response's head, before its body. Rejects with NotServed if the backend has certainly not
   * begun it.
   */
  async send(request: SentRequest): Promise<BackendMessage> {
    const { body, headers, signal, onSent } = request;
    signal.throwIfAborted();
    // A request that has begun must not be abandoned, so check first what must not be sent.
    for (const [name, value] of headers) validateHeaderValue(name, value);
    const session = this.#session;
    if (session.closed || session.destroyed) throw new NotServed('the connection has ended');
    const hasBody = !Buffer.isBuffer(body) || body.length > 0;
    const stream = session.request(rawHeaders(this.#form, request), { endStream: !hasBody });
    this.#isBusy = true;
    if (onSent !== undefined) stream.once('finish', onSent);
    const response = this.#receive(stream, signal);
    if (hasBody) sendBody(stream, body, Number(headerValue(headers, 'content-length')));
    return response.catch((error: Error) => {
      // A backend that does not accept it says so (RFC 9113, section 8.7), or names a later request as the last one that it serves.
      const isRefused = stream.rstCode === http2().constants.NGHTTP2_REFUSED_STREAM;
      throw isRefused && !signal.aborted ? new NotServed(error.message, { cause: error }) : error;
    });
  }

  /** Accepts no more requests, and ends the connection after the one that is running. */
  end(): void {
    if (this.#session.closed) return;
    this.#session.close();
    if (!this.#isBusy) this.#endSoon();
  }

  destroy(): void {
    this.#session.destroy();
    this.#socket.destroy();
  }

  /** The other side may never end a connection that is ended here. */
  #endSoon(): void {
    const socket = this.#socket;
    if (socket.closed) return;
    const timer = setTimeout(() => this.destroy(), endTime).unref();
    socket.once('close', () => clearTimeout(timer));
  }

  #receive(stream: ClientHttp2Stream, signal: AbortSignal): Promise<BackendMessage> {
    return new Promise((resolve, reject) => {
      let message: KeptResponse | undefined;
      let failure: Error | undefined;
      let isOver = false;
      const finish = (isReusable: boolean) => {
        isOver = true;
        signal.removeEventListener('abort', abort);
        this.#release(isReusable);
      };
      const fail = (error: Error, isReusable = false) => {
        if (isOver) return;
        finish(isReusable);
        reject(connectionError(error));
        message?.destroy(error);
      };
      const cancel = (reason: Error) => {
        if (isOver) return;
        // The official client does the same when it needs no more (measured: codex 0.171.0).
        stream.close(http2().constants.NGHTTP2_CANCEL);
        fail(reason, true);
      };
      const abort = () => cancel(signal.reason);
      signal.addEventListener('abort', abort, { once: true });
      stream.once('response', (_headers, _flags, raw: string[]) => {
        if (isOver) return;
        const [pseudo, headers] = partition(pairHeaders(raw));
        message = new KeptResponse(
          { version: '1.1', status: Number(headerValue(pseudo, ':status')), reason: '', headers },
          {
            onRead: () => stream.resume(),
            onCancel: () => cancel(new Error('the response is not needed any more')),
          },
        );
        resolve(message);
        stream.on('data', (bytes: Buffer) => {
          if (message?.push(bytes) === false) stream.pause();
        });
      });
      stream.once('end', () => {
        // Node also ends what was reset, or cut off.
        if (isOver || message === undefined || stream.rstCode !== http2().constants.NGHTTP2_NO_ERROR) return;
        message.complete = true;
        message.push(null);
        // A response may come before the request was read.
        if (!stream.writableFinished) stream.close(http2().constants.NGHTTP2_CANCEL);
        finish(true);
      });
      stream.on('error', (error) => {
        failure ??= error;
      });
      stream.once('close', () => fail(failure ?? new Error('the connection ended without a response')));
    });
  }

  #release(isReusable: boolean): void {
    this.#isBusy = false;
    const session = this.#session;
    // After a response that the backend cut off, the official client opens a new connection (measured: codex 0.171.0,
    // scenario http-cut-off).
    if (session.closed) this.#endSoon();
    else if (isReusable && this.#idle > 0) session.setTimeout(this.#idle);
    else this.end();
  }
}

/** Names of headers that HTTP/2 does not have (RFC 9113, section 8.2.2), and of the one that it has a pseudo-header for. */
const http1Names: ReadonlySet<string> = new Set([
  ...['connection', 'host', 'http2-settings', 'keep-alive', 'proxy-connection', 'te', 'transfer-encoding'],
  'upgrade',
]);

/** The headers of a request as Node takes them: names and values in their order. */
function rawHeaders({ pseudo }: Http2Form, { url, method, headers }: SentRequest): string[] {
  const values = new Map([
    [':method', method],
    [':scheme', 'https'],
    [':authority', headerValue(headers, 'host') ?? url.host],
    [':path', url.pathname + url.search],
  ]);
  const first = pseudo.flatMap((name) => [name, values.get(name) ?? '']);
  const others = headers.flatMap(([name, value]) => {
    const lower = name.toLowerCase();
    return http1Names.has(lower) ? [] : [lower, value];
  });
  return [...first, ...others];
}

/**
 * Sends a body. The last part of it ends the stream, as with the official client: an empty frame would show another sender. `length`
 * is NaN if it is not known.
 */
function sendBody(stream: ClientHttp2Stream, body: Buffer | Readable, length: number): void {
  if (Buffer.isBuffer(body)) {
    stream.end(body);
    return;
  }
  let rest = length;
  body.on('data', (bytes: Buffer) => {
    rest -= bytes.length;
    // Nobody needs the rest after a response that came early.
    if (!stream.writable) return;
    if (rest === 0) stream.end(bytes);
    else if (!stream.write(bytes)) body.pause();
  });
  body.once('end', () => stream.end());
  stream.on('drain', () => body.resume());
}

function partition(headers: HeaderList): [pseudo: HeaderList, others: HeaderList] {
  const isPseudo = ([name]: HeaderList[number]) => name.startsWith(':');
  return [headers.filter(isPseudo), headers.filter((header) => !isPseudo(header))];
}
