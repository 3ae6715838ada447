import type { Settings } from 'node:http2';

/** How the official client connects for requests over HTTP, as a golden shows it. It counts for https only. */
export type HttpForm = {
  /** The ALPN protocols that it offers. Without any there is HTTP/1.1 only. */
  readonly alpn: readonly string[];
  /** How it uses HTTP/2. Undefined if `alpn` does not have `h2`. */
  readonly http2: Http2Form | undefined;
};

export type Http2Form = {
  /** Node sends them in an order of its own, whatever the order here. */
  readonly settings: Settings;
  /** By how many bytes it makes the window of the connection larger, right after its settings. */
  readonly window: number;
  /** The names of the pseudo-headers in their order. */
  readonly pseudo: readonly string[];
};
