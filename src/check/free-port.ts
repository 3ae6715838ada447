import { randomInt } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { ParityError } from '../errors.ts';
import { listenLocally } from '../listening.ts';

/** The ports for subjects are below the ephemeral range, so that no connection of another program takes one in the meantime. */
const [firstPort, ports] = [20_000, 10_000];

/** The UDP port that reserves a port is so much lower. A subject may use both ports of its own number. */
const reservationOffset = 10_000;

/** How many ports stay reserved: many more than subjects start at once. */
const mostReserved = 256;

/**
 * Free ports for subjects to listen on. No two are the same, and none was just taken by another process: a subject takes a while
 * to listen, and others start beside it.
 */
export class FreePorts {
  #next: number;
  readonly #reservations: Socket[] = [];

  constructor(first = firstPort + randomInt(ports)) {
    this.#next = first;
  }

  async take(): Promise<number> {
    for (;;) {
      const port = this.#next;
      this.#next = firstPort + ((port + 1 - firstPort) % ports);
      if (!(await this.#reserve(port))) continue;
      if (await isFree(port)) return port;
      this.#reservations.pop()?.close();
    }
  }

  /** Reserves a port among all processes that run checks, if none has. The system ends the reservation with the process. */
  async #reserve(port: number): Promise<boolean> {
    const socket = createSocket('udp4').unref();
    try {
      socket.bind({ port: port - reservationOffset, address: '127.0.0.1', exclusive: true });
      await once(socket, 'listening');
    } catch (error) {
      socket.close();
      // Where UDP is not allowed, nothing is reserved.
      return !(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE');
    }
    this.#reservations.push(socket);
    if (this.#reservations.length > mostReserved) this.#reservations.shift()?.close();
    return true;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await listenLocally(server, port);
    server.close();
    await once(server, 'close');
    return true;
  } catch (error) {
    if (error instanceof ParityError) return false;
    throw error;
  }
}

const freePorts = new FreePorts();

export const freePort = (): Promise<number> => freePorts.take();
