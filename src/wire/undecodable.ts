/**
 * Bytes that a decoder cannot decode. Decoders throw it internally and return it as an `undecodable` event, so that
 * events decoded before the bad byte, even in the same chunk, are not lost.
 */
export class UndecodableError extends Error {
  override readonly name = 'UndecodableError';
}

/** The last event of a decoder. `reason` is one clause in plain words, without any of the bytes. */
export type Undecodable = { readonly type: 'undecodable'; readonly reason: string };

/** Converts an UndecodableError into the last event of a decoder. Rethrows any other error. */
export function undecodable(error: unknown): Undecodable {
  if (!(error instanceof UndecodableError)) throw error;
  return { type: 'undecodable', reason: error.message };
}
