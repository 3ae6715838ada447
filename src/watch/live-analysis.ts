import { ConnectionDecoder } from '../tap/connection-decoder.ts';
import { Sealer } from '../trace/seal.ts';
import { TraceRecorder } from '../trace/trace-recorder.ts';
import type { Analysis, AnalysisUpdate } from './analysis.ts';
import type { ByteBatch, ByteEntry } from './byte-queue.ts';
import { FirstDelta } from './first-delta.ts';

/** After so many secrets the numbers of their seals begin again, so that their memory does not grow. */
const mostSecrets = 2000;

/** Decodes, seals and analyses what a relay saw. Nothing unsealed leaves it. */
export class LiveAnalysis {
  readonly #analysis: Analysis;
  readonly #onUpdate: (update: AnalysisUpdate) => void;
  readonly #decoders = new Map<number, ConnectionDecoder>();
  #sealer = new Sealer();
  #recorder: TraceRecorder;
  #exchanges = 0;
  #at = 0;

  constructor(analysis: Analysis, onUpdate: (update: AnalysisUpdate) => void) {
    this.#analysis = analysis;
    this.#onUpdate = onUpdate;
    this.#recorder = this.#newRecorder();
  }

  take({ bytes, entries }: ByteBatch): void {
    let from = 0;
    for (const entry of entries) {
      this.#at = entry.at;
      if (entry.type === 'bytes') {
        this.#decoders.get(entry.connection)?.onData(entry.side, Buffer.from(bytes, from, entry.length));
        from += entry.length;
      } else this.#other(entry);
    }
    if (this.#sealer.secrets <= mostSecrets) return;
    this.#sealer = new Sealer();
    this.#recorder = this.#newRecorder();
  }

  #other(entry: Exclude<ByteEntry, { type: 'bytes' }>): void {
    switch (entry.type) {
      case 'observation': {
        const { observation } = entry;
        if (observation.type === 'connection') this.#begin(observation.connection);
        this.#recorder.observe(observation);
        return;
      }
      case 'finished':
        this.#decoders.get(entry.connection)?.onFinished(entry.side);
        return;
      case 'cut':
        this.#decoders.get(entry.connection)?.onCut(entry.by);
        return;
      case 'closed':
        this.#decoders.delete(entry.connection);
        return;
      case 'skipped':
        this.#decoders.delete(entry.connection);
        for (const update of this.#analysis.skip(entry.connection)) this.#onUpdate(update);
    }
  }

  #begin(connection: number): void {
    const firstDelta = new FirstDelta((exchange) => {
      for (const update of this.#analysis.firstDelta(exchange, this.#at)) this.#onUpdate(update);
    });
    const decoder = new ConnectionDecoder({
      connection,
      nextExchange: () => ++this.#exchanges,
      observe: (observation) => {
        this.#recorder.observe(observation);
        if (observation.type === 'response') firstDelta.onResponse(observation.exchange, observation.head);
      },
      onResponseData: (exchange, bytes) => firstDelta.onData(exchange, bytes),
    });
    this.#decoders.set(connection, decoder);
  }

  #newRecorder(): TraceRecorder {
    return new TraceRecorder(this.#sealer, (event) => {
      for (const update of this.#analysis.add(event, this.#at)) this.#onUpdate(update);
    });
  }
}
