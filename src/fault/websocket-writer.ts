import type { Opcode, Side } from '../wire/message.ts';
import { type DeflateParameters, MessageDeflater } from '../wire/websocket-deflate.ts';
import { encodeFrame, encodeFrames, newMask } from '../wire/websocket-frame.ts';
import type { Variation } from './variation.ts';

/** A message to write. `compressed` counts only if permessage-deflate was negotiated. */
type MessageToWrite = { readonly opcode: Opcode; readonly payload: Buffer; readonly compressed: boolean };

/** Writes the messages of one side of a websocket, as they are or varied, and frames that no endpoint may send. */
export class WebSocketWriter {
  readonly #from: Side;
  readonly #deflater: MessageDeflater | undefined;
  readonly #variation: Variation | undefined;

  constructor(from: Side, deflate: DeflateParameters | null, variation: Variation | undefined) {
    this.#from = from;
    const deflater = deflate === null ? undefined : new MessageDeflater(deflate[from]);
    this.#deflater = deflater?.supported === true ? deflater : undefined;
    // Parity compares what a client sends: its frames, their compression, and that it sends no pings.
    this.#variation = from === 'backend' ? variation : undefined;
  }

  /** The bytes of a message. Calls must be in wire order. */
  message({ opcode, payload, compressed }: MessageToWrite): Buffer {
    const ping = this.#ping();
    if (opcode !== 'text' && opcode !== 'binary')
      return encodeFrames([...ping, { opcode, payload, mask: this.#mask() }]);
    const variation = this.#variation;
    const deflater = (variation?.compresses() ?? compressed) ? this.#deflater : undefined;
    const content = deflater?.deflate(payload) ?? payload;
    const fragments = variation?.fragments(content) ?? [content];
    const frames = fragments.flatMap((fragment, index) => [
      ...(index === 0 ? ping : this.#ping()),
      {
        opcode: index === 0 ? opcode : ('continuation' as const),
        payload: fragment,
        mask: this.#mask(),
        fin: index === fragments.length - 1,
        rsv1: index === 0 && deflater !== undefined,
      },
    ]);
    return encodeFrames(frames);
  }

  close(code: number): Buffer {
    const payload = Buffer.alloc(2);
    payload.writeUInt16BE(code);
    return encodeFrame({ opcode: 'close', payload, mask: this.#mask() });
  }

  /** A text message with these bytes, which need not be UTF-8. */
  uncompressed(opcode: 'text' | 'binary', payload: Buffer): Buffer {
    return encodeFrame({ opcode, payload, mask: this.#mask() });
  }

  /** A message that is marked as compressed and is not. */
  badDeflate(): Buffer {
    // A stored block whose length contradicts its complement (RFC 1951, section 3.2.4).
    const payload = Buffer.from([0x01, 0x05, 0x00, 0x00, 0x00, 0xff]);
    return encodeFrame({ opcode: 'text', payload, mask: this.#mask(), rsv1: true });
  }

  /** A frame that is masked by a server, or not masked by a client (RFC 6455, section 5.1). */
  wronglyMasked(): Buffer {
    const mask = this.#from === 'backend' ? newMask() : undefined;
    return encodeFrame({ opcode: 'text', payload: Buffer.from('{}'), mask });
  }

  #ping() {
    const payload = this.#variation?.ping();
    return payload === undefined ? [] : [{ opcode: 'ping' as const, payload, mask: this.#mask() }];
  }

  #mask(): Buffer | undefined {
    return this.#from === 'client' ? newMask() : undefined;
  }
}
