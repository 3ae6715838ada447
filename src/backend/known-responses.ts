import { itemsOf, type JsonNode, member, stringAt, toNode } from '../wire/json.ts';
import type { ScriptedResponse } from './scripted-response.ts';

/** The items of a conversation up to a response, and with the output of it. */
export type Conversation = readonly JsonNode[];

/** How many responses a connection remembers: a client continues one of the last. */
const remembered = 16;

/** The last responses of one connection. The backend stores none, so no other connection knows them. */
export class KnownResponses {
  readonly #byId = new Map<string, Conversation>();

  /** The conversation that a request continues; undefined if it names no response, or an unknown one. */
  previousOf(request: JsonNode): Conversation | undefined {
    return this.#byId.get(stringAt(request, 'previous_response_id') ?? '');
  }

  /** Remembers the response to a request. `conversation` includes the request's input. */
  add(conversation: Conversation, response: ScriptedResponse): void {
    if (response.kind !== 'stream') return;
    const items = [...conversation];
    let id: string | undefined;
    for (const part of response.parts) {
      if (typeof part === 'string' || Buffer.isBuffer(part)) continue;
      const event = toNode(part);
      id ??= stringAt(event, 'response', 'id');
      const item = part.type === 'response.output_item.done' ? member(event, 'item') : undefined;
      if (item !== undefined) items.push(item);
    }
    if (id === undefined) return;
    this.#byId.set(id, items);
    const [oldest] = this.#byId.keys();
    if (this.#byId.size > remembered && oldest !== undefined) this.#byId.delete(oldest);
  }
}

/** The items of a request, after those of the conversation that it continues. */
export function conversationOf(request: JsonNode, previous: Conversation = []): Conversation {
  return [...previous, ...itemsOf(member(request, 'input'))];
}
