import { beginsHttp2 } from '../wire/http2-frame.ts';
import type { Side } from '../wire/message.ts';
import { type ConnectionDecoderOptions, Http1ConnectionDecoder } from './http1-connection-decoder.ts';
import { Http2ConnectionDecoder } from './http2-connection-decoder.ts';
import type { RelayListener } from './relay-bytes.ts';

/** What one side sent before it was clear which version of HTTP the connection speaks. */
type Early = { readonly side: Side; readonly bytes: Buffer };

/**
 * Decodes both sides of one connection from a copy of their bytes. The first bytes say whether it is HTTP/2; otherwise it is
 * HTTP/1.1, websockets included.
 */
export class ConnectionDecoder implements RelayListener {
  readonly #options: ConnectionDecoderOptions;
  #decoder: RelayListener | null = null;
  readonly #early: Early[] = [];

  constructor(options: ConnectionDecoderOptions) {
    this.#options = options;
  }

  /** Takes the next bytes of a side. Bytes of a request must be passed before those of its response. */
  onData(side: Side, bytes: Buffer): void {
    if (this.#decoder !== null) {
      this.#decoder.onData(side, bytes);
      return;
    }
    this.#early.push({ side, bytes });
    const isHttp2 = this.#isHttp2();
    if (isHttp2 !== undefined) this.#decide(isHttp2);
  }

  /** A side sent its last byte. The other side may go on. */
  onFinished(side: Side): void {
    this.#decide(false).onFinished(side);
  }

  /** A side broke off the connection, or the tap did (null). Both directions are over. */
  onCut(by: Side | null): void {
    this.#decide(false).onCut(by);
  }

  /** Undefined while the bytes can be either. A server may send its settings before the client sends anything. */
  #isHttp2(): boolean | undefined {
    const sent = (side: Side) =>
      Buffer.concat(this.#early.filter((part) => part.side === side).map(({ bytes }) => bytes));
    const client = sent('client');
    if (client.length > 0) return beginsHttp2(client);
    const [first] = sent('backend');
    // The length of a first frame, which is one of settings: below 64 KiB.
    return first === undefined ? undefined : first === 0;
  }

  #decide(isHttp2: boolean): RelayListener {
    if (this.#decoder !== null) return this.#decoder;
    const decoder = isHttp2
      ? new Http2ConnectionDecoder(this.#options)
      : new Http1ConnectionDecoder(this.#options);
    this.#decoder = decoder;
    for (const { side, bytes } of this.#early.splice(0)) decoder.onData(side, bytes);
    return decoder;
  }
}
