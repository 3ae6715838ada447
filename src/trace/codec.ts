import { type JsonArray, type JsonNode, jsonObject, jsonString, toNode } from '../wire/json.ts';
import { FieldError, Fields } from '../wire/json-fields.ts';
import type { Opcode, Side } from '../wire/message.ts';
import type { Content, HeaderField, TraceEvent } from './trace-event.ts';

/**
 * The JSON form of an event, which is one line of a trace or golden. The order of keys is fixed, so files are
 * deterministic.
 */
export function encodeEvent(event: TraceEvent): JsonNode {
  switch (event.type) {
    case 'request': {
      const { type, connection, exchange, method, target, headers, unordered } = event;
      return jsonObject({
        type,
        connection,
        exchange,
        method,
        target: target,
        ...(unordered ? { unordered } : {}),
        headers: encodeHeaders(headers),
      });
    }
    case 'response': {
      const { type, exchange, status, headers } = event;
      return jsonObject({ type, exchange, status, headers: encodeHeaders(headers) });
    }
    case 'body': {
      const { type, exchange, from, complete, content } = event;
      return jsonObject({ type, exchange, from, complete, ...encodeContent(content) });
    }
    case 'message': {
      const { type, exchange, from, opcode, compressed, fragments, content } = event;
      return jsonObject({ type, exchange, from, opcode, compressed, fragments, ...encodeContent(content) });
    }
    case 'connection': {
      const { type, connection, authority, tls } = event;
      const alpn = tls === null ? null : jsonObject({ offered: toNode(tls.offered), chosen: tls.chosen });
      return jsonObject({ type, connection, authority, tls: alpn });
    }
    case 'end': {
      const { type, connection, by } = event;
      return jsonObject({ type, connection, by });
    }
    case 'undecodable': {
      const { type, connection, from, reason } = event;
      return jsonObject({ type, connection, from, reason });
    }
  }
}

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
        from: side(read),
        complete: read.flag('complete'),
        content: decodeContent(read),
      };
    case 'message':
      return {
        type,
        exchange: read.integer('exchange'),
        from: side(read),
        opcode: read.oneOf<Opcode>('opcode', ['text', 'binary', 'close', 'ping', 'pong']),
        compressed: read.flag('compressed'),
        fragments: read.integer('fragments'),
        content: decodeContent(read),
      };
    case 'end':
      return {
        type,
        connection: read.integer('connection'),
        by: read.oneOf<Side>('by', ['client', 'backend']),
      };
    case 'undecodable':
      return { type, connection: read.integer('connection'), from: side(read), reason: read.text('reason') };
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
      return {
        events: {
          kind: 'array',
          items: content.events.map(({ event, data }) => jsonObject({ event, data })),
        },
      };
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
  if (read.has('close')) return { kind: 'close', code: read.integerOrNull('close') };
  return { kind: 'bytes', bytes: read.integer('bytes'), sha256: read.text('sha256') };
}

function decodeTls(read: Fields) {
  const tls = read.node('tls');
  if (tls.kind === 'literal' && tls.value === null) return null;
  const fields = new Fields(tls);
  return { offered: fields.texts('offered'), chosen: fields.textOrNull('chosen') };
}

function side(read: Fields): Side {
  return read.oneOf<Side>('from', ['client', 'backend']);
}
