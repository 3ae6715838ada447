import { type RawMember, rawMember, rawMembers } from '../shape/raw-json.ts';
import { responseId } from './event-fields.ts';
import type { TurnRequest } from './turn-request.ts';

/** Records one turn for the history. */
export type TurnRecorder = ReturnType<History['startTurn']>;

/**
 * The input and output items up to the last response, as JSON texts. With them, a session can continue on another
 * connection. Items that are too long together are forgotten.
 */
export class History {
  readonly #limit: number;
  #last: { readonly id: string; readonly items: readonly string[] | undefined } | undefined;

  /** @param limit the maximum length of all items, in UTF-16 code units */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get lastResponseId(): string | undefined {
    return this.#last?.id;
  }

  startTurn({ input, previousResponseId, clientMembers }: TurnRequest) {
    const known = previousResponseId === this.#last?.id ? this.#last?.items : undefined;
    const before = previousResponseId === undefined ? [] : known;
    const fullInput = before === undefined ? undefined : [...before, ...detachedItems(input, clientMembers)];
    const output: string[] = [];
    return {
      /** All items up to and including the request; undefined if the request continues from an unknown response. */
      fullInput,
      /** Forgets all recorded events before a retry. */
      discard: () => void output.splice(0),
      record: (type: string, text: string): void => {
        if (type === 'response.output_item.done') {
          const item = rawMember(rawMembers(text) ?? [], 'item');
          if (item !== undefined) output.push(copyOf(item));
        }
        if (type !== 'response.completed') return;
        const id = responseId(text);
        if (id === undefined) return;
        const items = [...(fullInput ?? []), ...output];
        const isKept = fullInput !== undefined && lengthOf(items) <= this.#limit;
        this.#last = { id, items: isKept ? items : undefined };
      },
    };
  }
}

/** A substring keeps its whole text in memory. So copy the items if they are the smaller part of the request. */
function detachedItems(input: readonly string[], members: readonly RawMember[]): readonly string[] {
  const isMost = 2 * lengthOf(input) > lengthOf(members.map(([, value]) => value));
  return isMost ? input : input.map(copyOf);
}

function lengthOf(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + text.length, 0);
}

function copyOf(text: string): string {
  return Buffer.from(text).toString();
}
