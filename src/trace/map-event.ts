import type { JsonNode } from '../wire/json.ts';
import type { Content, HeaderField, TraceEvent } from './trace-event.ts';

/**
 * The event with `change` applied to each value in it: the target, header values, and the content of a body or message.
 * `change` receives the root of each value; wrap it in mapJson to reach every node below. Header names, names of
 * server-sent events, lengths and hashes stay. Events without values are returned as they are.
 */
export function mapEvent<T extends TraceEvent>(event: T, change: (value: JsonNode) => JsonNode): T;
export function mapEvent(event: TraceEvent, change: (value: JsonNode) => JsonNode): TraceEvent {
  const mapHeader = ([name, value]: HeaderField): HeaderField => [name, change(value)];
  switch (event.type) {
    case 'request':
      return { ...event, target: change(event.target), headers: event.headers.map(mapHeader) };
    case 'response':
      return { ...event, headers: event.headers.map(mapHeader) };
    case 'body':
    case 'message':
      return { ...event, content: mapContent(event.content, change) };
    default:
      return event;
  }
}

function mapContent(content: Content, change: (value: JsonNode) => JsonNode): Content {
  switch (content.kind) {
    case 'json':
      return { ...content, json: change(content.json) };
    case 'text':
      return { ...content, text: change(content.text) };
    case 'events':
      return { ...content, events: content.events.map(({ event, data }) => ({ event, data: change(data) })) };
    default:
      return content;
  }
}
