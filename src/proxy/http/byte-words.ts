/** Bytes per word. */
const word = 8;

/** Returns what `copyWords` and `areSameWords` read and write. */
export function viewOf({ buffer, byteOffset, length }: Buffer): DataView {
  return new DataView(buffer, byteOffset, length);
}

/**
 * Copies the bytes from `start` to `end`, at least eight of them, to `at`. Returns the offset after them in `to`. Eight at a time: for some
 * hundred bytes that takes a third of the time of Buffer#copy (measured: node 24.21.0).
 */
export function copyWords(from: DataView, start: number, end: number, to: DataView, at: number): number {
  const distance = at - start;
  const last = end - word;
  for (let n = start; n < last; n += word) to.setBigUint64(n + distance, from.getBigUint64(n, true), true);
  to.setBigUint64(last + distance, from.getBigUint64(last, true), true);
  return end + distance;
}

/** Whether the `length` bytes at `one` and at `other`, at least eight, are the same. */
export function areSameWords(bytes: DataView, one: number, other: number, length: number): boolean {
  const last = length - word;
  for (let n = 0; n < last; n += word) {
    if (bytes.getBigUint64(one + n) !== bytes.getBigUint64(other + n)) return false;
  }
  return bytes.getBigUint64(one + last) === bytes.getBigUint64(other + last);
}
