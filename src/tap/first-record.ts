import type { Socket } from 'node:net';

/** The type of TLS records that carry a handshake (RFC 8446, section 5.1). */
const handshake = 22;
const headerLength = 5;

/**
 * Reads the first TLS record of a connection and puts all bytes back, so that a TLS server can read them again. Resolves
 * to null if the client sends something else, or ends before. Nothing may read from the socket meanwhile.
 */
export async function firstTlsRecord(socket: Socket): Promise<Buffer | null> {
  let bytes = Buffer.alloc(0);
  while (!socket.readableEnded && !socket.destroyed) {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) {
      await readableOrEnded(socket);
      continue;
    }
    bytes = Buffer.concat([bytes, chunk]);
    const isOther = bytes[0] !== handshake;
    const end = bytes.length < headerLength ? Number.POSITIVE_INFINITY : headerLength + bytes.readUInt16BE(3);
    if (!isOther && bytes.length < end) continue;
    socket.unshift(bytes);
    return isOther ? null : bytes.subarray(0, end);
  }
  return null;
}

function readableOrEnded(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const events = ['readable', 'end', 'close'] as const;
    const settle = () => {
      for (const event of events) socket.off(event, settle);
      resolve();
    };
    for (const event of events) socket.on(event, settle);
  });
}
