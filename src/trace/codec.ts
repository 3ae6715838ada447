import type { ClientHello } from '../wire/client-hello.ts';
import { type JsonArray, type JsonNode, jsonObject, jsonString, toNode } from '../wire/json.ts';
import { FieldError, Fields } from '../wire/json-fields.ts';
import type { Opcode, Side } from '../wire/message.ts';
import type { SseLineEnds } from '../wire/sse.ts';
import type {
  BlockForm,
  ConnectionTls,
  Content,
  HeaderField,
  ServerSentEvent,
  SilentBlock,
  TraceEvent,
} from './trace-event.ts';

/** All members that some type of a union has. */
type AnyOf<T> = {
  readonly [K in T extends unknown ? keyof T : never]?: T extends { [key in K]?: infer V } ? V : never;
};

/**
 * The JSON form of an event, which is one line of a trace or golden. The order of keys is fixed, so files are
 * deterministic.
 */
export function encodeEvent(event: TraceEvent): JsonNode {
  const {
    type,
    connection,
    exchange,
    authority,
    imported,
    tls,
    method,
    target,
    unordered,
  }: AnyOf<TraceEvent> = event;
  const { from, by, opcode, complete, compressed, fragments, reason, status }: AnyOf<TraceEvent> = event;
  const { version, headers, content, at }: AnyOf<TraceEvent> = event;
  return jsonObject({
    ...{ type, connection, exchange, authority },
    imported,
    tls: tls && encodeTls(tls),
    ...{
      method,
      target,
      version,
      unordered,
      from,
      by,
      opcode,
      complete,
      compressed,
      fragments,
      reason,
      status,
    },
    headers: headers && encodeHeaders(headers),
    ...(content && encodeContent(content)),
    at: at === undefined ? undefined : Math.round(at),
  });
}

const sides: readonly Side[] = ['client', 'backend'];
const lineEnds: readonly SseLineEnds[] = ['LF', 'CRLF', 'CR', 'mixed'];
const opcodes: readonly Opcode[] = ['text', 'binary', 'close', 'ping', 'pong'];

/** The event with this JSON form. Throws a FieldError that names the missing or wrong member. */
export function decodeEvent(node: JsonNode): TraceEvent {
  const read = new Fields(node);
  const event = decodeUntimed(read);
  return read.has('at') ? { ...event, at: read.integer('at') } : event;
}

function decodeUntimed(read: Fields): TraceEvent {
  const type = read.text('type');
  switch (type) {
    case 'connection':
      return {
        type,
        connection: read.integer('connection'),
        authority: read.text('authority'),
        ...(read.has('imported')
          ? { imported: read.oneOf('imported', ['HAR'] as const) }
          : { tls: decodeTls(read) }),
      };
    case 'request':
      return {
        type,
        connection: read.integer('connection'),
        exchange: read.integer('exchange'),
        method: read.text('method'),
        target: read.node('target'),
        ...decodeVersion(read),
        ...(read.has('unordered') && read.flag('unordered') ? { unordered: true } : {}),
        headers: decodeHeaders(read),
      };
    case 'response':
      return {
        type,
        exchange: read.integer('exchange'),
        ...decodeVersion(read),
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
        ...(read.has('compressed') ? { compressed: read.flag('compressed') } : {}),
        ...(read.has('fragments') ? { fragments: read.integer('fragments') } : {}),
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

function decodeVersion(read: Fields): { readonly version?: '1.0' } {
  return read.has('version') ? { version: read.oneOf('version', ['1.0'] as const) } : {};
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
        events: { kind: 'array', items: content.events.map(encodeServerSentEvent) },
        ...(content.silent && { silent: { kind: 'array', items: content.silent.map(encodeSilentBlock) } }),
      };
    case 'bytes':
      return { bytes: content.bytes, sha256: content.sha256 };
    case 'close':
      return { ...(content.reason === undefined ? {} : { reason: content.reason }), close: content.code };
  }
}

function decodeContent(read: Fields): Content {
  if (read.has('json')) {
    return { kind: 'json', json: read.node('json'), spaced: read.has('spaced') && read.flag('spaced') };
  }
  if (read.has('text')) return { kind: 'text', text: read.node('text') };
  if (read.has('events')) {
    const events = read.list('events').map(decodeServerSentEvent);
    if (!read.has('silent')) return { kind: 'events', events };
    return { kind: 'events', events, silent: read.list('silent').map(decodeSilentBlock) };
  }
  if (read.has('close')) {
    const code = read.isNull('close') ? null : read.integer('close');
    return { kind: 'close', code, ...(read.has('reason') ? { reason: read.node('reason') } : {}) };
  }
  return { kind: 'bytes', bytes: read.integer('bytes'), sha256: read.text('sha256') };
}

function encodeServerSentEvent({ event, data, spaced, form, unfinished }: ServerSentEvent): JsonNode {
  return jsonObject({ event, data, spaced, ...encodeForm(form), unfinished });
}

function decodeServerSentEvent(item: JsonNode): ServerSentEvent {
  const read = new Fields(item);
  return {
    event: read.text('event'),
    data: read.node('data'),
    ...(read.has('spaced') && read.flag('spaced') ? { spaced: true } : {}),
    ...(read.has('lines') ? { form: decodeForm(read) } : {}),
    ...(read.has('unfinished') && read.flag('unfinished') ? { unfinished: true } : {}),
  };
}

function encodeSilentBlock({ before, form }: SilentBlock): JsonNode {
  return jsonObject({ before, ...encodeForm(form) });
}

function decodeSilentBlock(item: JsonNode): SilentBlock {
  const read = new Fields(item);
  return { before: read.integer('before'), form: decodeForm(read) };
}

function encodeForm(form: BlockForm | undefined) {
  return form && { lines: toNode(form.lines), ends: form.ends };
}

function decodeForm(read: Fields): BlockForm {
  return { lines: read.texts('lines'), ends: read.oneOf('ends', lineEnds) };
}

function decodeTls(read: Fields): ConnectionTls | null {
  if (read.isNull('tls')) return null;
  const tls = new Fields(read.node('tls'));
  return {
    offered: tls.texts('offered'),
    chosen: tls.isNull('chosen') ? null : tls.text('chosen'),
    ...(tls.has('hello') ? { hello: decodeClientHello(new Fields(tls.node('hello'))) } : {}),
  };
}

function encodeTls({ offered, chosen, hello }: ConnectionTls): JsonNode {
  return jsonObject({ offered: toNode(offered), chosen, hello: hello && toNode(hello) });
}

/** Throws a FieldError that names the missing or wrong member. */
export function decodeClientHello(read: Fields): ClientHello {
  return {
    versions: read.texts('versions'),
    ciphers: read.texts('ciphers'),
    groups: read.texts('groups'),
    keyShares: read.texts('keyShares'),
    signatures: read.texts('signatures'),
    extensions: read.texts('extensions'),
    ...(read.has('anyOrder') && read.flag('anyOrder') ? { anyOrder: true } : {}),
    ja4: read.text('ja4'),
  };
}
