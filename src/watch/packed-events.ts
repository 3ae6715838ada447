import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { decodeEvent, encodeEvent } from '../trace/codec.ts';
import type { TraceEvent } from '../trace/trace-event.ts';
import { lineDepth, parseJson, printJson } from '../wire/json.ts';

/** After so many bytes of lines, they are compressed into a block. */
const blockLength = 8 * 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Events that are kept until somebody wants to see them, as compressed lines of a trace: the objects of an event take
 * twenty times as much memory (measured: node 24.21.0, turns of `npm run bench -- watch`).
 */
export class PackedEvents {
  readonly #blocks: Uint8Array[] = [];
  #lines: Uint8Array[] = [];
  #lineBytes = 0;
  #blockBytes = 0;
  /** How many events it has. */
  count = 0;

  /** How many bytes it keeps. */
  get bytes(): number {
    return this.#blockBytes + this.#lineBytes;
  }

  add(event: TraceEvent): void {
    // A trace has its times in whole milliseconds. A page shows tenths.
    const at = 'at' in event ? event.at : undefined;
    // Not a Buffer: it would keep the whole pool that it is a part of.
    const line = encoder.encode(`${at ?? ''} ${printJson(encodeEvent(event))}\n`);
    this.#lines.push(line);
    this.#lineBytes += line.length;
    this.count += 1;
    if (this.#lineBytes >= blockLength) this.#pack();
  }

  /** The events in their order. Only what is read is unpacked. */
  *unpack(): Generator<TraceEvent> {
    for (const block of this.#blocks) yield* eventsIn(inflateRawSync(block));
    for (const line of this.#lines) yield* eventsIn(line);
  }

  #pack(): void {
    // A copy, because zlib returns a part of a larger buffer.
    const block = new Uint8Array(deflateRawSync(Buffer.concat(this.#lines), { level: 1 }));
    this.#blocks.push(block);
    this.#blockBytes += block.length;
    this.#lines = [];
    this.#lineBytes = 0;
  }
}

function* eventsIn(lines: Uint8Array): Generator<TraceEvent> {
  for (const line of decoder.decode(lines).split('\n').slice(0, -1)) yield eventOf(line);
}

function eventOf(line: string): TraceEvent {
  const start = line.indexOf(' ') + 1;
  const event = decodeEvent(parseJson(line.slice(start), lineDepth).node);
  return start === 1 || !('exchange' in event) ? event : { ...event, at: Number(line.slice(0, start)) };
}
