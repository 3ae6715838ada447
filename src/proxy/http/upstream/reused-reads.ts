import type { OnReadOpts, Socket } from 'node:net';
import { countPassedBytes } from '../passed-bytes.ts';

/** What other connections than the owners read short chunks into. Memory of its own for each idle one would be too much. */
const shared: Buffer = Buffer.allocUnsafeSlow(16 * 1024);

/** Bytes of the memory that a connection has for itself: an owner after its first read, another one while its reads fill it. */
const longRead = 64 * 1024;

/** The most connections that are owners: the first ones that are open. */
const mostOwners = 16;

let owners = 0;

/** The most pieces of memory to keep that no connection has. */
const mostKept = 4;

const kept: Buffer[] = [];

/** Receives bytes. Returns whether nothing refers to them any more: then their memory is used again. */
export type ChunkReceiver = (chunk: Buffer) => boolean;

/**
 * Reads a connection into memory that is used again. Node would provide new memory for each read, and V8 free it: to pass on long
 * responses then takes up to half more CPU time (measured: node 24.21.0).
 */
export class ReusedReads {
  /** Options of the connection. */
  readonly onread: OnReadOpts = {
    buffer: () => this.#memory,
    callback: (length) => this.#read(this.#memory.subarray(0, length)),
  };
  #memory = shared;
  #isOwner = false;
  #socket: Socket | undefined;
  #receiver: ChunkReceiver | undefined;

  /** Emits what is read as `data` of the socket, as usual. Call it before the socket is connected. */
  emitFrom(socket: Socket): void {
    this.#socket = socket;
  }

  /** Passes what is read from now on to a receiver. What waits to be emitted is emitted first. */
  passTo(receiver: ChunkReceiver): void {
    this.#receiver = receiver;
    if (this.#socket === undefined || this.#socket.closed || owners === mostOwners) return;
    this.#isOwner = true;
    owners += 1;
    this.#socket.once('close', () => {
      owners -= 1;
    });
  }

  /** Returns false if the socket has to stop reading. */
  #read(chunk: Buffer): boolean {
    const socket = this.#socket;
    const receiver = this.#receiver;
    if (receiver === undefined || socket?.readableLength !== 0)
      return socket?.push(Buffer.from(chunk)) === true;
    const memory = this.#memory;
    const isShared = memory === shared;
    const isFree = receiver(isShared ? Buffer.from(chunk) : chunk);
    if (isShared || !isFree) countPassedBytes(isShared ? chunk.length : memory.length);
    const isUsable = isFree && !isShared;
    if (this.#isOwner || chunk.length === memory.length) {
      if (!isUsable) this.#memory = kept.pop() ?? Buffer.allocUnsafeSlow(longRead);
    } else {
      if (isUsable && kept.length < mostKept) kept.push(memory);
      this.#memory = shared;
    }
    return true;
  }
}
