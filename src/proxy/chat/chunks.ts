import { type JsonNode, type JsonObject, member, stringAt } from '../../wire/json.ts';
import { type BackendEvent, indexAt } from '../http/backend-events.ts';
import { ResponseCollector } from '../http/response-collector.ts';
import { finishReason, heading, usage } from './completion.ts';
import { list, nothing, number, object } from './nodes.ts';
import { callOf, itemsAt, type Piece, piecesOf, type Slot } from './pieces.ts';

/** The events that bring words, and where these go. */
const deltas: ReadonlyMap<string, Slot> = new Map([
  ['response.output_text.delta', 'content'],
  ['response.refusal.delta', 'refusal'],
  ['response.function_call_arguments.delta', 'function'],
  ['response.custom_tool_call_input.delta', 'custom'],
]);

/** Follows the events of one response and makes them chunks of a chat completion. */
export class ChatChunks {
  readonly #includesUsage: boolean;
  readonly #collector = new ResponseCollector();
  /** As it was told last. */
  #response: JsonNode | undefined;
  #begun = false;
  /** The index among the tool calls, by output index. */
  readonly #calls = new Map<number, number>();
  /** What was passed on so far, by output index and content index. */
  readonly #said = new Map<string, string>();

  constructor(includesUsage: boolean) {
    this.#includesUsage = includesUsage;
  }

  /**
   * The chunks that an event becomes. The first ones come with the first output item: before it nothing need be
   * answered yet, so that a response that fails at once can have its HTTP status. Throws ApiError where it fails.
   */
  take(event: BackendEvent): JsonObject[] {
    const { type, node } = event;
    const response = this.#collector.take(event);
    if (response !== undefined) return this.#end(response);
    const place = indexAt(node, 'output_index') ?? 0;
    if (type === 'response.created') this.#response = member(node, 'response');
    if (type === 'response.output_item.added') {
      return [...this.#opening(), ...this.#call(place, member(node, 'item'))];
    }
    if (type === 'response.output_item.done') return this.#item(place, member(node, 'item'));
    const slot = deltas.get(type);
    if (slot === undefined) return [];
    const contentIndex = indexAt(node, 'content_index') ?? 0;
    return this.#piece(place, { slot, contentIndex, text: stringAt(node, 'delta') ?? '' });
  }

  /** Tells who speaks, once. */
  #opening(): JsonObject[] {
    if (this.#begun) return [];
    this.#begun = true;
    return [this.#chunk({ role: 'assistant', content: nothing, refusal: nothing })];
  }

  /** Announces the tool call that an item is, once. */
  #call(place: number, item: JsonNode | undefined): JsonObject[] {
    const call = callOf(item);
    if (call === undefined || this.#calls.has(place)) return [];
    const index = this.#calls.size;
    this.#calls.set(place, index);
    const { id, type, name } = call;
    const given = object({ name, [toolText[type]]: '' });
    return [this.#chunk({ tool_calls: list([object({ index: number(index), id, type, [type]: given })]) })];
  }

  /** What of a finished item was not said yet: all of it where the backend sends no deltas. */
  #item(place: number, item: JsonNode | undefined): JsonObject[] {
    const begun = [...this.#opening(), ...this.#call(place, item)];
    const pieces = piecesOf(item).flatMap((piece) => {
      const said = this.#said.get(`${place}/${piece.contentIndex}`) ?? '';
      const text = piece.text.startsWith(said) ? piece.text.slice(said.length) : '';
      return text === '' ? [] : this.#piece(place, { ...piece, text });
    });
    return [...begun, ...pieces];
  }

  #piece(place: number, { slot, contentIndex, text }: Piece): JsonObject[] {
    const call = this.#calls.get(place);
    const isMessage = slot === 'content' || slot === 'refusal';
    // What a call is given before the call is announced is told when its item is done.
    if (!isMessage && call === undefined) return [];
    const begun = this.#opening();
    const key = `${place}/${contentIndex}`;
    this.#said.set(key, (this.#said.get(key) ?? '') + text);
    if (isMessage) return [...begun, this.#chunk({ [slot]: text })];
    const given = object({ [toolText[slot]]: text });
    return [
      ...begun,
      this.#chunk({ tool_calls: list([object({ index: number(call ?? 0), [slot]: given })]) }),
    ];
  }

  #end(response: JsonNode): JsonObject[] {
    const finish = finishReason(response);
    this.#response = response;
    const words = [...this.#opening(), ...this.#untold(response)];
    const told = this.#includesUsage ? usage(response) : undefined;
    return [...words, this.#chunk({}, finish), ...(told === undefined ? [] : [this.#framed([], told)])];
  }

  /** All that a response says whose items were not told one by one. */
  #untold(response: JsonNode): JsonObject[] {
    if (this.#said.size + this.#calls.size > 0) return [];
    return itemsAt(response, 'output').flatMap((item, place) => this.#item(place, item));
  }

  #chunk(delta: Parameters<typeof object>[0], finish?: string): JsonObject {
    const choice = {
      index: number(0),
      delta: object(delta),
      logprobs: nothing,
      finish_reason: finish ?? nothing,
    };
    return this.#framed([object(choice)], nothing);
  }

  #framed(choices: readonly JsonNode[], told: JsonNode): JsonObject {
    return object({
      ...heading(this.#response, 'chat.completion.chunk'),
      service_tier: member(this.#response, 'service_tier'),
      choices: list(choices),
      usage: this.#includesUsage ? told : undefined,
    });
  }
}

/** Where a call of a tool has what the tool is given. */
const toolText = { function: 'arguments', custom: 'input' } as const;
