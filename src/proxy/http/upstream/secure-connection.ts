import type { TLSSocket } from 'node:tls';
import type { BackendMessage } from './backend-message.ts';
import type { HttpForm } from './http-form.ts';
import { Http2Connection } from './http2-connection.ts';
import { KeptConnection, type KeptRequest, NotServed, statesLength } from './kept-connection.ts';
import { openSecure } from './open-secure.ts';
import { longestTunnel } from './way-out.ts';

/**
 * A connection to the backend over TLS for one request after the other: over HTTP/2 if the backend chooses it, else over HTTP/1.1.
 * It is opened when it is needed, through a forward proxy if there is one.
 */
export class SecureConnection {
  readonly #form: HttpForm;
  readonly #idle: number;
  #isOpening = false;
  #kept: KeptConnection | Http2Connection | undefined;

  /** The connection ends when it is unused for `idle` milliseconds. */
  constructor(form: HttpForm, idle: number) {
    this.#form = form;
    this.#idle = idle;
  }

  /** Whether a request can be sent over it now: it has one at a time, and only bodies of stated length. */
  takes(request: KeptRequest): boolean {
    if (this.#isOpening) return false;
    return this.#kept instanceof KeptConnection
      ? this.#kept.takes(request)
      : this.#kept?.isFree !== false && statesLength(request);
  }

  /**
   * Sends a request. Resolves to the response's head, before its body. What the backend has certainly not begun, because it
   * refuses it or had ended the connection, is sent once more over a new one.
   */
  async send(request: KeptRequest): Promise<BackendMessage> {
    for (let attempts = 1; ; attempts += 1) {
      const connection = this.#kept ?? (await this.#open(request));
      try {
        return await connection.send(request);
      } catch (error) {
        if (!(error instanceof NotServed)) throw error;
        this.#kept = undefined;
        if (attempts === 2) throw error;
      }
    }
  }

  destroy(): void {
    this.#kept?.destroy();
  }

  async #open({ url, signal }: KeptRequest): Promise<KeptConnection | Http2Connection> {
    this.#isOpening = true;
    try {
      const opened = await openConnection(url, { form: this.#form, signal, idle: this.#idle });
      this.#kept = opened instanceof Http2Connection ? opened : new KeptConnection(this.#idle, opened);
      return this.#kept;
    } finally {
      this.#isOpening = false;
    }
  }
}

export type OpenOptions = {
  readonly form: HttpForm;
  readonly signal: AbortSignal;
  /** See Http2Connection. */
  readonly idle: number;
  /** Milliseconds for a forward proxy to open a tunnel. */
  readonly tunnelTime?: number;
};

/** Opens a connection to the backend over TLS: for HTTP/2 if the backend chooses it, else a socket for HTTP/1.1. */
export async function openConnection(
  url: URL,
  { form, idle, signal, tunnelTime = longestTunnel }: OpenOptions,
): Promise<Http2Connection | TLSSocket> {
  const socket = await openSecure(url, { alpn: form.alpn, tunnelTime, signal });
  const isHttp2 = form.http2 !== undefined && socket.alpnProtocol === 'h2';
  return isHttp2 ? new Http2Connection(socket, { url, form: form.http2, idle }) : socket;
}
