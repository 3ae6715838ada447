import { setTimeout as delay, setImmediate } from 'node:timers/promises';
import { randomFrom } from './random.ts';

/** The most pauses of a connection, so that a variation never takes long. Each is some milliseconds at most. */
const mostPauses = 100;

/**
 * How one connection varies without a fault: what RFC 9112 and RFC 6455 leave to the sender and to the network. The same
 * seed and connection give the same variation.
 */
export class Variation {
  readonly #random: () => number;
  #pauses = 0;

  constructor(seed: number, connection: number) {
    // Neighbouring seeds must not give the same connections.
    this.#random = randomFrom(Math.imul(seed, 2_654_435_761) + connection);
  }

  /** The bytes in pieces, as TCP may deliver them: at most twelve, some of a single byte. */
  pieces(bytes: Buffer): Buffer[] {
    const cuts = new Set<number>();
    const count = this.#below(12);
    for (let n = 0; n < count; n += 1) {
      const cut = 1 + this.#below(bytes.length);
      cuts.add(cut);
      if (this.#random() < 0.3) cuts.add(cut + 1);
    }
    const ends = [...cuts].filter((cut) => cut < bytes.length).sort((a, b) => a - b);
    return [...ends, bytes.length].map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
  }

  /** Waits between two pieces, so that they arrive apart. */
  async pause(): Promise<void> {
    if (this.#pauses >= mostPauses || this.#random() < 0.7) {
      await setImmediate();
      return;
    }
    this.#pauses += 1;
    await delay(1 + this.#below(4));
  }

  /** The contents of a message's frames. Most messages have one. */
  fragments(content: Buffer): Buffer[] {
    return this.#random() < 0.5 ? [content] : this.pieces(content);
  }

  /** The payload of a ping that comes now; undefined for none. */
  ping(): Buffer | undefined {
    return this.#random() < 0.25 ? Buffer.from(`varied ${this.#below(1000)}`) : undefined;
  }

  /** Whether a backend declines the compression that the client of this connection offers. */
  declinesCompression(): boolean {
    return this.#random() < 0.25;
  }

  /** Whether a message is compressed, where both sides agreed that messages may be. */
  compresses(): boolean {
    return this.#random() < 0.5;
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }
}
