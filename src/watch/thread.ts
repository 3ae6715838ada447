import { type HistoryItem, mostItems, type RequestFacts } from './request-facts.ts';

/** A part of the prompt that a request changes; of the messages, the ordinal of the first that differs. */
type ChangedPart =
  | { readonly kind: 'tools' | 'instructions' }
  | { readonly kind: 'message'; readonly item: number };

/** What is known of a thread: what the next turn is judged by. */
export class Thread {
  /** How many turns of it were seen. */
  turns = 0;
  /** The last request that got a whole response. */
  last: RequestFacts | undefined;
  lastResponse: string | undefined;
  /** The prewarm that the next request continues. */
  prewarmed: string | undefined;
  /** The input tokens of the last response: what the next one can find in the cache. */
  lastInput: number | undefined;
  /** When the last response ended. */
  lastEnd: number | undefined;
  connection: number | undefined;
  hasFailed = false;
  /** It continues the history of another session. */
  isMoved = false;
  /** What the model was given so far, without its own output. */
  #history: readonly HistoryItem[] = [];
  #prompt: Pick<RequestFacts, 'tools' | 'instructions'> | undefined;

  /** What of the prompt the request changes; undefined if it keeps all that the model was given before. */
  changedPart({ previousResponse, tools, instructions, history }: RequestFacts): ChangedPart | undefined {
    if (this.#prompt === undefined) return undefined;
    if (tools !== this.#prompt.tools) return { kind: 'tools' };
    if (instructions !== this.#prompt.instructions) return { kind: 'instructions' };
    if (previousResponse !== undefined) return undefined;
    const index = this.#history.findIndex(({ digest }, at) => history[at]?.digest !== digest);
    if (index === -1) return undefined;
    const kind = this.#history[index]?.kind ?? 'message';
    return kind === 'message' ? { kind, item: index + 1 } : { kind };
  }

  onRequest(facts: RequestFacts, connection: number): void {
    this.connection = connection;
    this.#prompt = facts;
    this.#history =
      facts.previousResponse === undefined
        ? facts.history
        : [...this.#history, ...facts.history].slice(0, mostItems);
  }

  onResponse(response: {
    readonly facts: RequestFacts;
    readonly id: string | undefined;
    readonly isComplete: boolean;
    readonly at: number | undefined;
  }): void {
    const { facts, id, isComplete, at } = response;
    this.lastEnd = at;
    this.hasFailed = !isComplete;
    if (!isComplete) return;
    if (facts.prewarm) this.prewarmed = id;
    else {
      this.last = facts;
      this.lastResponse = id;
    }
  }
}
