import type { Socket } from 'node:net';

/**
 * Reads the first bytes of a connection until they are enough, and puts them back, so that a server can read them again.
 * Resolves to fewer if the client ends before. Nothing may read from the socket meanwhile.
 */
export async function peek(socket: Socket, areEnough: (bytes: Buffer) => boolean): Promise<Buffer> {
  let bytes = Buffer.alloc(0);
  while (!areEnough(bytes) && !socket.readableEnded && !socket.destroyed) {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) await readableOrEnded(socket);
    else bytes = Buffer.concat([bytes, chunk]);
  }
  if (bytes.length > 0 && !socket.readableEnded) socket.unshift(bytes);
  return bytes;
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
