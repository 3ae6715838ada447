import { type JsonNode, member, stringAt, tryParseJson } from '../../wire/json.ts';
import { backendError, errorFromFrame } from '../http/errors.ts';

/** One event of a response as the backend sent it: a message of its websocket, or the data of a server-sent event. */
export type ResponseEvent = {
  readonly type: string;
  readonly node: JsonNode;
  /** The JSON text, as it came. */
  readonly text: string;
};

/** Undefined for what is no event, which the official client passes over too (measured: codex 0.169.0). */
export function responseEvent(text: string): ResponseEvent | undefined {
  const node = tryParseJson(text)?.node;
  const type = stringAt(node, 'type');
  return node === undefined || type === undefined ? undefined : { type, node, text };
}

/** The events that end a response of which nothing follows. */
const last: ReadonlySet<string> = new Set([
  'response.completed',
  'response.incomplete',
  'response.failed',
  'error',
]);

export function isLast(type: string): boolean {
  return last.has(type);
}

/**
 * Follows the events of a response to what a request without streaming gets: the response as it stands at its end.
 * A response that failed or is incomplete is one as well; its status says so, as the API documents.
 */
export class ResponseCollector {
  /** By output index. */
  readonly #items = new Map<number, JsonNode>();

  /** The response, once an event ends it. Throws ApiError for an error frame. */
  take({ type, node }: ResponseEvent): JsonNode | undefined {
    if (type === 'error') throw errorFromFrame(node);
    if (type === 'response.output_item.done') this.#done(node);
    if (!last.has(type)) return undefined;
    const response = member(node, 'response');
    if (response === undefined)
      throw backendError(`the backend sent ${type} without a response`, 'bad_event');
    return this.#filled(response);
  }

  #done(event: JsonNode): void {
    const item = member(event, 'item');
    if (item !== undefined) this.#items.set(indexAt(event, 'output_index') ?? this.#items.size, item);
  }

  /** The backend may leave `output` empty at the end, having told of each item already. */
  #filled(response: JsonNode): JsonNode {
    const output = member(response, 'output');
    const isTold = output?.kind === 'array' && output.items.length > 0;
    if (response.kind !== 'object' || isTold || this.#items.size === 0) return response;
    const items = [...this.#items].sort(([one], [other]) => one - other).map(([, item]) => item);
    const filled = { kind: 'array', items } as const;
    const { members } = response;
    if (output === undefined) return { kind: 'object', members: [...members, ['output', filled]] };
    return {
      kind: 'object',
      members: members.map(([key, value]) => [key, key === 'output' ? filled : value]),
    };
  }
}

/** What a client is told when the backend leaves before the last event. */
export function endedEarly() {
  return backendError('the backend ended the stream before the response was complete', 'stream_ended');
}

/** An index in an event, such as `output_index`. */
export function indexAt(event: JsonNode, key: string): number | undefined {
  const index = member(event, key);
  return index?.kind === 'number' ? Number(index.text) : undefined;
}
