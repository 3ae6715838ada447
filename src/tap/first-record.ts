import type { Socket } from 'node:net';
import { peek } from '../wire/peek.ts';

/** The type of TLS records that carry a handshake (RFC 8446, section 5.1). */
const handshake = 22;
const headerLength = 5;

/**
 * Reads the first TLS record of a connection and puts all bytes back, so that a TLS server can read them again. Resolves
 * to null if the client sends something else, or ends before. Nothing may read from the socket meanwhile.
 */
export async function firstTlsRecord(socket: Socket): Promise<Buffer | null> {
  const isOther = (bytes: Buffer) => bytes.length > 0 && bytes[0] !== handshake;
  const bytes = await peek(socket, (some) => isOther(some) || some.length >= endOf(some));
  return isOther(bytes) || bytes.length < endOf(bytes) ? null : bytes.subarray(0, endOf(bytes));
}

/** The length of the record that these bytes begin. */
function endOf(bytes: Buffer): number {
  return bytes.length < headerLength ? Number.POSITIVE_INFINITY : headerLength + bytes.readUInt16BE(3);
}
