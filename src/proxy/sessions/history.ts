import { type RawMember, rawMember, rawMembers } from '../shape/raw-json.ts';
import { responseId } from './event.ts';
import type { TurnRequest } from './turn-request.ts';

/** A turn that is being taken down. */
export type Notes = {
  /** All that was said up to and with this request; undefined where it goes on from a response nobody here knows. */
  readonly full: readonly string[] | undefined;
  readonly hear: (type: string, text: string) => void;
  /** Strikes out what was heard: the turn is asked for again. */
  readonly forget: () => void;
};

/**
 * What was said up to the last response, as the texts of its items, so that a conversation can be taken up on another
 * connection. The items are forgotten where they grow too long.
 */
export class History {
  readonly #limit: number;
  #last: { readonly id: string; readonly items: readonly string[] | undefined } | undefined;

  /** @param limit the most that is remembered, in characters */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The id of the last response. */
  get last(): string | undefined {
    return this.#last?.id;
  }

  begin({ input, previous, said }: TurnRequest): Notes {
    const before = previous === undefined ? [] : previous === this.#last?.id ? this.#last.items : undefined;
    const full = before === undefined ? undefined : [...before, ...itemsOf(input, said)];
    const output: string[] = [];
    return {
      full,
      forget: () => void output.splice(0),
      hear: (type, text) => {
        if (type === 'response.output_item.done') {
          const item = rawMember(rawMembers(text) ?? [], 'item');
          if (item !== undefined) output.push(copyOf(item));
        }
        if (type !== 'response.completed') return;
        const id = responseId(text);
        if (id !== undefined) this.#remember(id, full === undefined ? undefined : [...full, ...output]);
      },
    };
  }

  #remember(id: string, items: readonly string[] | undefined): void {
    this.#last = { id, items: lengthOf(items ?? []) > this.#limit ? undefined : items };
  }
}

/** The items of a request, apart from it where they are its lesser part: a part of a text keeps all of it in memory. */
function itemsOf(input: readonly string[], said: readonly RawMember[]): readonly string[] {
  const isMost = 2 * lengthOf(input) > lengthOf(said.map(([, value]) => value));
  return isMost ? input : input.map(copyOf);
}

function lengthOf(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + text.length, 0);
}

function copyOf(text: string): string {
  return Buffer.from(text).toString();
}
