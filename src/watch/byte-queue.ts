import type { RelayListener } from '../tap/relay-bytes.ts';
import type { Observation } from '../trace/observation.ts';
import type { Side } from '../wire/message.ts';

/** What a relay saw, in order. Bytes are those of the batch, from where the last entry ended. */
export type ByteEntry =
  | {
      readonly type: 'bytes';
      readonly connection: number;
      readonly side: Side;
      readonly length: number;
      readonly at: number;
    }
  | { readonly type: 'finished'; readonly connection: number; readonly side: Side; readonly at: number }
  | { readonly type: 'cut'; readonly connection: number; readonly by: Side | null; readonly at: number }
  | { readonly type: 'observation'; readonly observation: Observation; readonly at: number }
  /** Both directions are over. */
  | { readonly type: 'closed'; readonly connection: number; readonly at: number }
  /** Bytes of the connection were left out: nothing that follows on it can be decoded. */
  | { readonly type: 'skipped'; readonly connection: number; readonly at: number };

export type ByteBatch = { readonly bytes: ArrayBuffer; readonly entries: readonly ByteEntry[] };

/**
 * Milliseconds for which what was seen is collected. A machine with few cores would otherwise analyse a request while the
 * relay still has its response to pass on.
 */
const delay = 25;

/** The most bytes that wait for the analysis. */
const mostWaiting = 32 * 1024 * 1024;

type ByteQueueOptions = {
  /** Takes a batch to the analysis, and its memory with it. */
  readonly post: (batch: ByteBatch) => void;
  /** The bytes that were posted and are not yet analysed: the analysis subtracts what it has taken. */
  readonly waiting: Int32Array;
  readonly limit?: number;
};

/**
 * Copies what passes through a relay, for an analysis in another thread. The relay never waits for it: copies are posted
 * some time after the bytes were passed on, and a connection for which there is no room is left out from then on.
 */
export class ByteQueue {
  readonly #options: ByteQueueOptions;
  #entries: ByteEntry[] = [];
  #chunks: Buffer[] = [];
  #length = 0;
  #isScheduled = false;
  readonly #skipped = new Set<number>();

  constructor(options: ByteQueueOptions) {
    this.#options = options;
  }

  /** For the taps: what is known of a connection besides its bytes. */
  readonly observe = (observation: Observation): void => {
    this.#add({ type: 'observation', observation, at: performance.now() });
  };

  /** For the taps: receives the bytes of a connection. */
  readonly listen = (connection: number): RelayListener => {
    const finished = new Set<Side>();
    return {
      onData: (side, bytes) => this.#bytes(connection, side, bytes),
      onFinished: (side) => {
        this.#add({ type: 'finished', connection, side, at: performance.now() });
        if (finished.add(side).size === 2) this.#close(connection);
      },
      onCut: (by) => {
        this.#add({ type: 'cut', connection, by, at: performance.now() });
        this.#close(connection);
      },
    };
  };

  #close(connection: number): void {
    this.#skipped.delete(connection);
    this.#add({ type: 'closed', connection, at: performance.now() });
  }

  #bytes(connection: number, side: Side, bytes: Buffer): void {
    if (this.#skipped.has(connection)) return;
    const { waiting, limit = mostWaiting } = this.#options;
    if (this.#length + bytes.length + Atomics.load(waiting, 0) > limit) {
      this.#skipped.add(connection);
      this.#add({ type: 'skipped', connection, at: performance.now() });
      return;
    }
    this.#chunks.push(bytes);
    this.#length += bytes.length;
    this.#add({ type: 'bytes', connection, side, length: bytes.length, at: performance.now() });
  }

  #add(entry: ByteEntry): void {
    this.#entries.push(entry);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setTimeout(() => this.#flush(), delay);
  }

  #flush(): void {
    this.#isScheduled = false;
    const bytes = new ArrayBuffer(this.#length);
    const copy = new Uint8Array(bytes);
    let at = 0;
    for (const chunk of this.#chunks) {
      copy.set(chunk, at);
      at += chunk.length;
    }
    Atomics.add(this.#options.waiting, 0, this.#length);
    const entries = this.#entries;
    this.#entries = [];
    this.#chunks = [];
    this.#length = 0;
    this.#options.post({ bytes, entries });
  }
}
