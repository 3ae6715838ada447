import { isLastEvent } from '../http/upstream-events.ts';
import { printMembers, type RawMember, rawMember, rawMembers, rawString } from '../shape/raw-json.ts';
import { responseId } from './event-fields.ts';
import type { TurnRequest } from './turn-request.ts';

/** A response, and all items up to it as JSON texts. Undefined: they are not known. */
export type LastResponse = { readonly id: string; readonly items: readonly string[] | undefined };

/** Records one turn for the history. */
export type TurnRecorder = ReturnType<History['startTurn']>;

/**
 * The input and output items up to the last response, as JSON texts. With them, a session can continue on another
 * connection. Items that are too long together are forgotten.
 */
export class History {
  readonly #limit: number;
  #last: LastResponse | undefined;

  /** @param limit the maximum length of all items, in UTF-16 code units */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get last(): LastResponse | undefined {
    return this.#last;
  }

  get lastResponseId(): string | undefined {
    return this.#last?.id;
  }

  /** The length of all items, in UTF-16 code units. */
  get length(): number {
    return lengthOf(this.#last?.items ?? []);
  }

  /** Forgets the items. The session can still continue on the connection that has the last response. */
  forgetItems(): void {
    if (this.#last !== undefined) this.#last = { id: this.#last.id, items: undefined };
  }

  /** Takes over the last response of another session, or of another process. */
  continueFrom(last: LastResponse | undefined): void {
    this.#last = last;
  }

  /**
   * Returns a request with what the client expects the backend to have stored, which stores nothing: the earlier turns of a
   * named conversation, and the items that it refers to.
   */
  continued(request: TurnRequest): TurnRequest {
    const { hasConversation, previousResponseId = hasConversation ? this.#last?.id : undefined } = request;
    const isSame = previousResponseId === request.previousResponseId;
    return this.#withItems(isSame ? request : { ...request, previousResponseId });
  }

  #withItems(request: TurnRequest): TurnRequest {
    if (!request.input.some(mayBeReference)) return request;
    const known = new Map(this.#last?.items?.map((item) => [rawString(rawMembers(item) ?? [], 'id'), item]));
    const input = request.input.map((item) => {
      const members = mayBeReference(item) ? (rawMembers(item) ?? []) : [];
      if (rawString(members, 'type') !== 'item_reference') return item;
      return known.get(rawString(members, 'id')) ?? item;
    });
    const members = request.members.map(
      ([key, value]): RawMember => [key, key === 'input' ? `[${input.join(',')}]` : value],
    );
    return { ...request, input, members };
  }

  startTurn({ input, previousResponseId, clientMembers }: TurnRequest) {
    const known = previousResponseId === this.#last?.id ? this.#last?.items : undefined;
    const before = previousResponseId === undefined ? [] : known;
    const fullInput = before === undefined ? undefined : [...before, ...detachedItems(input, clientMembers)];
    const output: string[] = [];
    return {
      /** All items up to and including the request; undefined if the request continues from an unknown response. */
      fullInput,
      /**
       * Returns an event with the response's items, if it is the last one and has none. The backend sends each item before, and
       * none at the end (reported); OpenAI's libraries return those of the end.
       */
      withOutput: (type: string, text: string): string =>
        isLastEvent(type) && output.length > 0 ? filledOutput(text, output) : text,
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

function filledOutput(text: string, items: readonly string[]): string {
  const event = rawMembers(text) ?? [];
  const response = rawMembers(rawMember(event, 'response') ?? '');
  if (response === undefined || !/^(?:null|\[\s*\])$/.test(rawMember(response, 'output') ?? 'null'))
    return text;
  const output: RawMember = ['output', `[${items.join(',')}]`];
  const filled = [...new Map([...response, output])];
  return printMembers(event.map(([key, value]) => [key, key === 'response' ? printMembers(filled) : value]));
}

/** UTF-16 code units. A reference has a type and an id. */
const longestReference = 1024;

function mayBeReference(item: string): boolean {
  return item.length <= longestReference && item.includes('"item_reference"');
}

/** A substring keeps its whole text in memory. So copy the items if they are the smaller part of the request. */
function detachedItems(input: readonly string[], members: readonly RawMember[]): readonly string[] {
  const isMost = 2 * lengthOf(input) > lengthOf(members.map(([, value]) => value));
  return isMost ? input : input.map(copyOf);
}

function lengthOf(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + text.length, 0);
}

/** A text with memory of its own: a part of a longer text keeps all of that in memory. */
export function copyOf(text: string): string {
  return Buffer.from(text).toString();
}
