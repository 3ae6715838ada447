import { once } from 'node:events';
import type { Socket } from 'node:net';

/** The sockets of a tap, so that closing it leaves none behind. */
export class OpenSockets {
  readonly #sockets = new Set<Socket>();
  #over = false;

  /** Takes a socket into account and returns it; destroys it at once when the tap is already closed. */
  add<S extends Socket>(socket: S): S {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    // Whoever uses the socket hears of an error by its close; without a listener it would end the process.
    socket.on('error', () => {});
    if (this.#over) socket.destroy();
    return socket;
  }

  /** Destroys all, and those still to come; resolves when each is closed. */
  async destroyAll(): Promise<void> {
    this.#over = true;
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
