import { encodeFrame, frameFlags, frameTypes, Http2FrameDecoder } from '../wire/http2-frame.ts';
import type { Variation } from './variation.ts';

/** Splits the DATA frames of one direction of an HTTP/2 connection into other frames. All others pass unchanged. */
export class VariedDataFrames {
  readonly #frames = new Http2FrameDecoder();
  readonly #variation: Variation;

  constructor(variation: Variation) {
    this.#variation = variation;
    // The settings of the receiver say how long frames may be. It decides itself whether to accept them.
    this.#frames.allow(2 ** 24);
  }

  /** The frames that are complete with these bytes. */
  push(bytes: Buffer): Buffer {
    const sent: Buffer[] = [];
    this.#frames.push(bytes);
    for (let frame = this.#frames.next(); frame !== null; frame = this.#frames.next()) {
      const { type, flags, stream, payload } = frame;
      // Padding counts for flow control, so a frame that has some keeps it.
      const isSplit = type === frameTypes.DATA && (flags & frameFlags.padded) === 0;
      const parts = isSplit ? this.#variation.fragments(payload) : [];
      for (const [index, part] of parts.entries())
        sent.push(encodeFrame('DATA', part, { flags: index === parts.length - 1 ? flags : 0, stream }));
      if (!isSplit) sent.push(frame.bytes);
    }
    return Buffer.concat(sent);
  }
}
