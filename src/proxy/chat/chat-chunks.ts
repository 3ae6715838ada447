import { type JsonNode, type JsonObject, member, stringAt } from '../../wire/json.ts';
import { indexAt, ResponseCollector, type UpstreamEvent } from '../http/upstream-events.ts';
import {
  chatToolCall,
  chatUsage,
  completionHead,
  finishReason,
  type OutputText,
  outputItems,
  type TextSlot,
  textsOf,
  toolArgumentsKey,
} from './chat-completion.ts';
import { objectNode } from './object-node.ts';

/** The events with text, and the member of a chat message that the text belongs to. */
const deltaSlots: ReadonlyMap<string, TextSlot> = new Map([
  ['response.output_text.delta', 'content'],
  ['response.refusal.delta', 'refusal'],
  ['response.function_call_arguments.delta', 'function'],
  ['response.custom_tool_call_input.delta', 'custom'],
]);

/** Translates the events of one response into chunks of a chat completion. */
export class ChatChunks {
  readonly #includesUsage: boolean;
  readonly #collector = new ResponseCollector();
  /** As in the last event that has it. */
  #response: JsonNode | undefined;
  #begun = false;
  /** The index among the tool calls, by output index. */
  readonly #calls = new Map<number, number>();
  /** The text that was sent so far, by output index and content index. */
  readonly #sent = new Map<string, string>();

  constructor(includesUsage: boolean) {
    this.#includesUsage = includesUsage;
  }

  /**
   * Returns the chunks for an event. There are none before the first output item, so that a response that fails at once
   * can still get an HTTP status of its own. Throws ApiError for a failed response.
   */
  take(event: UpstreamEvent): JsonObject[] {
    const { type, node } = event;
    const response = this.#collector.take(event);
    if (response !== undefined) return this.#end(response);
    const outputIndex = indexAt(node, 'output_index') ?? 0;
    if (type === 'response.created') this.#response = member(node, 'response');
    if (type === 'response.output_item.added') {
      return [...this.#begin(), ...this.#beginCall(outputIndex, member(node, 'item'))];
    }
    if (type === 'response.output_item.done') return this.#item(outputIndex, member(node, 'item'));
    const slot = deltaSlots.get(type);
    if (slot === undefined) return [];
    const contentIndex = indexAt(node, 'content_index') ?? 0;
    return this.#text(outputIndex, { slot, contentIndex, text: stringAt(node, 'delta') ?? '' });
  }

  /** Returns the first chunk, which names the role, once. */
  #begin(): JsonObject[] {
    if (this.#begun) return [];
    this.#begun = true;
    return [this.#chunk({ role: 'assistant', content: null, refusal: null })];
  }

  /** Returns the first chunk of a tool call, once. */
  #beginCall(outputIndex: number, item: JsonNode | undefined): JsonObject[] {
    const call = chatToolCall(item, '', this.#calls.size);
    if (call === undefined || this.#calls.has(outputIndex)) return [];
    this.#calls.set(outputIndex, this.#calls.size);
    return [this.#chunk({ tool_calls: [call] })];
  }

  /** Returns chunks for what no delta had of a complete item. If the backend sends no deltas, that is all of it. */
  #item(outputIndex: number, item: JsonNode | undefined): JsonObject[] {
    const begun = [...this.#begin(), ...this.#beginCall(outputIndex, item)];
    const rest = textsOf(item).flatMap((text) => {
      const sent = this.#sent.get(`${outputIndex}/${text.contentIndex}`) ?? '';
      const unsent = text.text.startsWith(sent) ? text.text.slice(sent.length) : '';
      return unsent === '' ? [] : this.#text(outputIndex, { ...text, text: unsent });
    });
    return [...begun, ...rest];
  }

  #text(outputIndex: number, { slot, contentIndex, text }: OutputText): JsonObject[] {
    const index = this.#calls.get(outputIndex);
    const isMessage = slot === 'content' || slot === 'refusal';
    // Arguments that come before their call are sent when the item is complete.
    if (!isMessage && index === undefined) return [];
    const begun = this.#begin();
    const key = `${outputIndex}/${contentIndex}`;
    this.#sent.set(key, (this.#sent.get(key) ?? '') + text);
    if (isMessage) return [...begun, this.#chunk({ [slot]: text })];
    const called = objectNode({ [toolArgumentsKey[slot]]: text });
    return [...begun, this.#chunk({ tool_calls: [objectNode({ index, [slot]: called })] })];
  }

  #end(response: JsonNode): JsonObject[] {
    const finish = finishReason(response);
    this.#response = response;
    const chunks = this.#begin();
    if (this.#sent.size + this.#calls.size === 0) {
      // The items had no events of their own.
      chunks.push(...outputItems(response).flatMap((item, index) => this.#item(index, item)));
    }
    const usage = this.#includesUsage ? chatUsage(response) : undefined;
    return [...chunks, this.#chunk({}, finish), ...(usage === undefined ? [] : [this.#chunkWith([], usage)])];
  }

  #chunk(delta: Parameters<typeof objectNode>[0], finish: string | null = null): JsonObject {
    const choice = objectNode({ index: 0, delta: objectNode(delta), logprobs: null, finish_reason: finish });
    return this.#chunkWith([choice], null);
  }

  #chunkWith(choices: readonly JsonNode[], usage: JsonNode | null): JsonObject {
    return objectNode({
      ...completionHead(this.#response, 'chat.completion.chunk'),
      service_tier: member(this.#response, 'service_tier'),
      choices,
      usage: this.#includesUsage ? usage : undefined,
    });
  }
}
