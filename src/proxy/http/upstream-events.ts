import { type JsonNode, member, stringAt, tryParseJson } from '../../wire/json.ts';

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

/** Whether an event of this type ends a response. */
export function isLastEvent(type: string): boolean {
  return lastEvents.has(type);
}

/** An index in an event, such as `output_index`. */
export function indexAt(event: JsonNode, key: string): number | undefined {
  const index = member(event, key);
  return index?.kind === 'number' ? Number(index.text) : undefined;
}
