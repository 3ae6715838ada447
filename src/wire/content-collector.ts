import { createHash, type Hash } from 'node:crypto';

/** Length and SHA-256 of content that is too long to keep. */
export type ContentDigest = { readonly length: number; readonly sha256: string };

/** The longest body or message that is kept: far above those of the protocol, and far below what exhausts memory. */
export const contentLimit = 16 * 1024 * 1024;

/** Collects content that arrives in parts of any size. Of content above the limit it keeps only length and hash. */
export class ContentCollector {
  #bytes: Buffer = Buffer.alloc(0);
  #length = 0;
  /** Set above the limit. */
  #hash: Hash | undefined;

  get length(): number {
    return this.#length;
  }

  push(part: Buffer): void {
    const length = this.#length + part.length;
    if (length > contentLimit) {
      this.#hash ??= createHash('sha256').update(this.#bytes.subarray(0, this.#length));
      this.#hash.update(part);
      this.#bytes = Buffer.alloc(0);
    } else {
      if (length > this.#bytes.length) this.#grow(length);
      part.copy(this.#bytes, this.#length);
    }
    this.#length = length;
  }

  /** The content. Call it once, at the end. */
  take(): Buffer | ContentDigest {
    if (this.#hash !== undefined) return { length: this.#length, sha256: this.#hash.digest('hex') };
    return this.#bytes.subarray(0, this.#length);
  }

  #grow(length: number): void {
    const bytes = Buffer.allocUnsafeSlow(this.#length === 0 ? length : Math.max(length, 2 * this.#length));
    this.#bytes.copy(bytes, 0, 0, this.#length);
    this.#bytes = bytes;
  }
}

/** The text of content; empty if only its digest is known. */
export function textOf(content: Buffer | ContentDigest): string {
  return Buffer.isBuffer(content) ? content.toString('utf8') : '';
}

/** The content, or its digest if it is above the limit. */
export function limited(content: Buffer): Buffer | ContentDigest {
  if (content.length <= contentLimit) return content;
  return { length: content.length, sha256: createHash('sha256').update(content).digest('hex') };
}
