/** A queue of bytes to decode. Joins chunks only when a value spans them, so a long payload is copied once. */
export class ByteQueue {
  #chunks: Buffer[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#chunks.push(bytes);
    this.#length += bytes.length;
  }

  /**
   * The first `count` bytes, which stay in the queue. Throws RangeError when there are fewer. May share pushed memory.
   */
  peek(count: number): Buffer {
    const first = this.#chunks[0];
    if (first !== undefined && first.length >= count) return first.subarray(0, count);
    if (count > this.#length)
      throw new RangeError(`requested ${count} bytes, but the queue holds ${this.#length}`);
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined.subarray(0, count);
  }

  /** Removes and returns the first `count` bytes, like peek. */
  take(count: number): Buffer {
    const taken = this.peek(count);
    if (count === 0) return taken;
    const [first, ...others] = this.#chunks;
    const left = first?.subarray(count);
    this.#chunks = left === undefined || left.length === 0 ? others : [left, ...others];
    this.#length -= count;
    return taken;
  }
}
