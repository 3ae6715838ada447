import { type JsonArray, type JsonNode, jsonObject, jsonString, toNode } from '../wire/json.ts';
import { FieldError, Fields } from '../wire/json-fields.ts';
import type { Opcode, Side } from '../wire/message.ts';
import type { Content, HeaderField, TraceEvent } from './trace-event.ts';

/** All members that some type of a union has. */
type AnyOf<T> = {
  readonly [K in T extends unknown ? keyof T : never]?: T extends { [key in K]?: infer V } ? V : never;
};

/**
 * The JSON form of an event, which is one line of a trace or golden. The order of keys is fixed, so files are
 * deterministic.
 */
export function encodeEvent(event: TraceEvent): JsonNode {
  const { type, connection, exchange, authority, tls, method, target, unordered }: AnyOf<TraceEvent> = event;
  const { from, by, opcode, complete, compressed, fragments, reason, status }: AnyOf<TraceEvent> = event;
  const { headers, content }: AnyOf<TraceEvent> = event;
  return jsonObject({
    ...{ type, connection, exchange, authority },
    tls: tls && jsonObject({ offered: toNode(tls.offered), chosen: tls.chosen }),
    ...{ method, target, unordered, from, by, opcode, complete, compressed, fragments, reason, status },
    headers: headers && encodeHeaders(headers),
    ...(content && encodeContent(content)),
  });
}

const sides: readonly Side[] = ['client', 'backend'];
const opcodes: readonly Opcode[] = ['text', 'binary', 'close', 'ping', 'pong'];

/** The event with this JSON form. Throws a FieldError that names the missing or wrong member. */
export function decodeEvent(node: JsonNode): TraceEvent {
  const read = new Fields(node);
  const type = read.text('type');
  switch (type) {
    case 'connection':
      return {
        type,
        connection: read.integer('connection'),
        authority: read.text('authority'),
        tls: decodeTls(read),
      };
    case 'request':
      return {
        type,
        connection: read.integer('connection'),
        exchange: read.integer('exchange'),
        method: read.text('method'),
        target: read.node('target'),
        ...(read.has('unordered') && read.flag('unordered') ? { unordered: true } : {}),
        headers: decodeHeaders(read),
      };
    case 'response':
      return {
        type,
        exchange: read.integer('exchange'),
        status: read.integer('status'),
        headers: decodeHeaders(read),
      };
    case 'body':
      return {
        type,
        exchange: read.integer('exchange'),
        from: read.oneOf('from', sides),
        complete: read.flag('complete'),
        content: decodeContent(read),
      };
    case 'message':
      return {
        type,
        exchange: read.integer('exchange'),
        from: read.oneOf('from', sides),
        opcode: read.oneOf('opcode', opcodes),
        compressed: read.flag('compressed'),
        fragments: read.integer('fragments'),
        content: decodeContent(read),
      };
    case 'end':
      return { type, connection: read.integer('connection'), by: read.oneOf('by', sides) };
    case 'undecodable':
      return {
        type,
        connection: read.integer('connection'),
        from: read.oneOf('from', sides),
        reason: read.text('reason'),
      };
    default:
      throw new FieldError(`"${type}" is not an event type`);
  }
}

function encodeHeaders(headers: readonly HeaderField[]): JsonNode {
  const items = headers.map(
    ([name, value]): JsonArray => ({ kind: 'array', items: [jsonString(name), value] }),
  );
  return { kind: 'array', items };
}

function decodeHeaders(read: Fields): HeaderField[] {
  return read.list('headers').map((item) => {
    const [name, value, ...rest] = item.kind === 'array' ? item.items : [];
    if (name?.kind !== 'string' || value === undefined || rest.length > 0) {
      throw new FieldError('"headers" must contain only [name, value] pairs');
    }
    return [name.value, value];
  });
}

function encodeContent(content: Content): Record<string, JsonNode | boolean | number | string | null> {
  switch (content.kind) {
    case 'json':
      return content.spaced ? { spaced: true, json: content.json } : { json: content.json };
    case 'text':
      return { text: content.text };
    case 'events':
      return { events: { kind: 'array', items: content.events.map((event) => jsonObject(event)) } };
    case 'bytes':
      return { bytes: content.bytes, sha256: content.sha256 };
    case 'close':
      return { close: content.code };
  }
}

function decodeContent(read: Fields): Content {
  if (read.has('json')) {
    return { kind: 'json', json: read.node('json'), spaced: read.has('spaced') && read.flag('spaced') };
  }
  if (read.has('text')) return { kind: 'text', text: read.node('text') };
  if (read.has('events')) {
    const events = read.list('events').map((item) => {
      const event = new Fields(item);
      return { event: event.text('event'), data: event.node('data') };
    });
    return { kind: 'events', events };
  }
  if (read.has('close')) return { kind: 'close', code: read.isNull('close') ? null : read.integer('close') };
  return { kind: 'bytes', bytes: read.integer('bytes'), sha256: read.text('sha256') };
}

function decodeTls(read: Fields) {
  if (read.isNull('tls')) return null;
  const tls = new Fields(read.node('tls'));
  return { offered: tls.texts('offered'), chosen: tls.isNull('chosen') ? null : tls.text('chosen') };
}
