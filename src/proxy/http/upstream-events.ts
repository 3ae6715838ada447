import { itemsOf, type JsonMember, type JsonNode, member, stringAt, tryParseJson } from '../../wire/json.ts';
import { type ApiError, backendError, errorFromFrame } from './errors.ts';

/** One event of a response, as the backend sent it: a websocket message, or the data of a server-sent event. */
export type UpstreamEvent = {
  readonly type: string;
  readonly node: JsonNode;
  /** The JSON text, unchanged. */
  readonly text: string;
};

/** Parses an event. Returns undefined for anything else, which the official client ignores (measured: codex 0.169.0). */
export function readEvent(text: string): UpstreamEvent | undefined {
  const node = tryParseJson(text)?.node;
  const type = stringAt(node, 'type');
  return node === undefined || type === undefined ? undefined : { type, node, text };
}

const lastEvents: ReadonlySet<string> = new Set([
  'response.completed',
  'response.incomplete',
  'response.failed',
  'error',
]);

const longestLast = 'response.incomplete'.length;

/** Whether an event of this type ends a response. */
export function isLastEvent(type: string): boolean {
  // To find a new string in a set takes longer than to read its length.
  return type.length <= longestLast && lastEvents.has(type);
}

/** An index in an event, such as `output_index`. */
export function indexAt(event: JsonNode, key: string): number | undefined {
  const index = member(event, key);
  return index?.kind === 'number' ? Number(index.text) : undefined;
}

/**
 * Collects the events of a response into what a client without streaming receives: the final response. A failed or
 * incomplete response is a response too; its status says so, as the API documents.
 */
export class ResponseCollector {
  /** By output index. */
  readonly #items = new Map<number, JsonNode>();
  /** The most UTF-16 code units of items to keep. */
  readonly #limit: number;
  #length = 0;

  constructor(limit = Number.POSITIVE_INFINITY) {
    this.#limit = limit;
  }

  /** Adds an event. Returns the response after the last one. Throws ApiError for an error frame or too many items. */
  take({ type, node, text }: UpstreamEvent): JsonNode | undefined {
    if (type === 'error') throw errorFromFrame(node);
    if (type === 'response.output_item.done') {
      this.#length += text.length;
      if (this.#length > this.#limit) throw backendError('the response is too large', 'response_too_large');
      this.#addItem(node);
    }
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
    if (response.kind !== 'object' || itemsOf(output).length > 0 || this.#items.size === 0) return response;
    const items = [...this.#items].sort(([a], [b]) => a - b).map(([, item]) => item);
    const collected: JsonMember = ['output', { kind: 'array', items }];
    const others = response.members.map((one) => (one[0] === 'output' ? collected : one));
    return { kind: 'object', members: output === undefined ? [...others, collected] : others };
  }
}

/** The error for a stream that ended before the response did. */
export function streamEndedEarly(): ApiError {
  return backendError('the backend ended the stream before the response was complete', 'stream_ended');
}
