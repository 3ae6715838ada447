/**
 * Bytes that are not what a decoder decodes. The decoders of this room throw it inside and hand it out as an
 * `undecodable` event: what was decoded before the bad byte, even in the same chunk, must not be lost with it.
 */
export class UndecodableError extends Error {
  override readonly name = 'UndecodableError';
}

/** The last event of a decoder: `reason` is one clause in plain words, without any of the bytes. */
export type Undecodable = { readonly type: 'undecodable'; readonly reason: string };

/** Turns what a decoder threw into its last event; anything but an UndecodableError is a bug and goes on up. */
export function undecodable(error: unknown): Undecodable {
  if (!(error instanceof UndecodableError)) throw error;
  return { type: 'undecodable', reason: error.message };
}
