import { once } from 'node:events';
import type { Socket } from 'node:net';

/** The sockets of a tap, so that closing it leaves none behind. */
export class OpenSockets {
  readonly #sockets = new Set<Socket>();
  #closed = false;

  /** Tracks a socket and returns it. Destroys it at once when the tap is already closed. */
  add<S extends Socket>(socket: S): S {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    // Users of the socket react to its close. Without a listener an error would end the process.
    socket.on('error', () => {});
    if (this.#closed) socket.destroy();
    return socket;
  }

  /** Destroys all sockets, and any added later. Resolves when all are closed. */
  async destroyAll(): Promise<void> {
    this.#closed = true;
    const open = [...this.#sockets].filter((socket) => !socket.closed);
    await Promise.all(
      open.map((socket) => {
        const closed = once(socket, 'close');
        socket.destroy();
        return closed;
      }),
    );
  }
}
