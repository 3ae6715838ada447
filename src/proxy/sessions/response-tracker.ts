import { isLastEvent } from '../http/upstream-events.ts';
import { rawMember, rawMembers, rawString } from '../shape/raw-json.ts';
import { responseId } from './event-fields.ts';

/** Ids of earlier responses and their items to remember. The oldest are forgotten first. */
const mostIds = 256;

/**
 * Tells the events of a connection's response from late events of earlier ones, by the ids of responses and items.
 * `response.created` begins a response, whatever its id. Events without ids are taken for the current response.
 */
export class ResponseTracker {
  readonly #earlier = new Set<string>();
  readonly #current = new Set<string>();
  #begun = false;

  /** Whether the response has begun. Then all events but a last one belong to it. */
  get hasBegun(): boolean {
    return this.#begun;
  }

  /** Marks that the next response is another one. */
  startRequest(): void {
    for (const id of this.#current) this.#earlier.add(id);
    for (const id of this.#earlier) {
      if (this.#earlier.size <= mostIds) break;
      this.#earlier.delete(id);
    }
    this.#current.clear();
    this.#begun = false;
  }

  /**
   * Whether an event belongs to an earlier response. `response` is the id in the first and last event of a response. Other
   * events are parsed only before the response begins, and where an item begins.
   */
  isOfEarlier(type: string, text: string, response: string | undefined): boolean {
    const begins = type === 'response.created';
    if (begins || isLastEvent(type)) {
      if (!begins && this.#isEarlier(response)) return true;
      this.#begun = true;
      this.#add(response);
      return false;
    }
    if (!this.#begun && this.#earlier.size > 0 && idsIn(text).some((id) => this.#isEarlier(id))) return true;
    if (type === 'response.output_item.added') for (const id of idsIn(text)) this.#add(id);
    return false;
  }

  #isEarlier(id: string | undefined): boolean {
    return id !== undefined && this.#earlier.has(id) && !this.#current.has(id);
  }

  #add(id: string | undefined): void {
    if (id !== undefined && this.#current.size < mostIds) this.#current.add(id);
  }
}

/** The ids of the response and of the item that an event is about. */
function idsIn(text: string): (string | undefined)[] {
  const members = rawMembers(text) ?? [];
  const item = rawMembers(rawMember(members, 'item') ?? '') ?? [];
  const ids = [responseId(text), rawString(members, 'response_id'), rawString(members, 'item_id')];
  return [...ids, rawString(item, 'id')].filter((id) => id === undefined || id.length <= 256);
}
