import { type JsonNode, member } from '../../wire/json.ts';
import { type ApiError, backendError, errorFromFrame } from './errors.ts';
import { indexAt, isLastEvent, type UpstreamEvent } from './upstream-events.ts';

/**
 * Collects the events of a response into what a client without streaming receives: the final response. A failed or
 * incomplete response is a response too; its status says so, as the API documents.
 */
export class ResponseCollector {
  /** By output index. */
  readonly #items = new Map<number, JsonNode>();

  /** Adds an event. Returns the response after the last one. Throws ApiError for an error frame. */
  take({ type, node }: UpstreamEvent): JsonNode | undefined {
    if (type === 'error') throw errorFromFrame(node);
    if (type === 'response.output_item.done') this.#addItem(node);
    if (!isLastEvent(type)) return undefined;
    const response = member(node, 'response');
    if (response === undefined) {
      throw backendError(`the backend sent ${type} without a response`, 'bad_event');
    }
    return this.#withOutput(response);
  }

  #addItem(event: JsonNode): void {
    const item = member(event, 'item');
    if (item !== undefined) this.#items.set(indexAt(event, 'output_index') ?? this.#items.size, item);
  }

  /** The backend may leave `output` empty in the last event, since it has sent each item before. */
  #withOutput(response: JsonNode): JsonNode {
    const output = member(response, 'output');
    const hasItems = output?.kind === 'array' && output.items.length > 0;
    if (response.kind !== 'object' || hasItems || this.#items.size === 0) return response;
    const items = [...this.#items].sort(([a], [b]) => a - b).map(([, item]) => item);
    const collected = { kind: 'array', items } as const;
    const { members } = response;
    if (output === undefined) return { kind: 'object', members: [...members, ['output', collected]] };
    return {
      kind: 'object',
      members: members.map(([key, value]) => [key, key === 'output' ? collected : value]),
    };
  }
}

/** The error for a stream that ended before the response did. */
export function streamEndedEarly(): ApiError {
  return backendError('the backend ended the stream before the response was complete', 'stream_ended');
}
