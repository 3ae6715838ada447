import { turnStateIn } from './event-fields.ts';
import type { TurnRecorder } from './history.ts';
import type { Turn, TurnOptions } from './turn.ts';

/** Passes the events of a turn to the client and the history, and takes them back before a retry. */
export class Delivery {
  readonly #turn: Turn;
  readonly #recorder: TurnRecorder;
  readonly #options: TurnOptions;
  #begun = false;

  constructor(turn: Turn, recorder: TurnRecorder, options: TurnOptions) {
    this.#turn = turn;
    this.#recorder = recorder;
    this.#options = options;
  }

  get begun(): boolean {
    return this.#begun;
  }

  deliver(type: string, text: string): Promise<void> | undefined {
    this.#begun = true;
    if (type === 'response.metadata') this.#turn.state ??= turnStateIn(text);
    this.#recorder.record(type, text);
    return this.#options.onEvent(type, text);
  }

  /** Takes back all events. Returns false if some have already reached the client, so that a retry is impossible. */
  discard(): boolean {
    if (!this.#begun) return true;
    if (this.#options.discardEvents?.() !== true) return false;
    this.#recorder.discard();
    this.#begun = false;
    return true;
  }
}
