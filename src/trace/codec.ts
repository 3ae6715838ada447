import type { ClientHello } from '../wire/client-hello.ts';
import { type JsonArray, type JsonNode, jsonObject, jsonString, toNode } from '../wire/json.ts';
import { FieldError, Fields } from '../wire/json-fields.ts';
import type { Http2Priority, Http2Setting, Opcode, Side } from '../wire/message.ts';
import type { SseLineEnds } from '../wire/sse.ts';
import type {
  BlockForm,
  ConnectionTls,
  Content,
  HeaderField,
  RequestEvent,
  SealedHttp2Request,
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
  const { version, http2, headers, content, at }: AnyOf<TraceEvent> = event;
  const { code, largestFrame, endsEmpty, trailers }: AnyOf<TraceEvent> = event;
  return jsonObject({
    ...{ type, connection, exchange, authority },
    imported,
    tls: tls && encodeTls(tls),
    ...{
      method,
      target,
      version,
      http2: http2 && encodeHttp2(http2),
      unordered,
      from,
      by,
      opcode,
      complete,
      compressed,
      fragments,
      reason,
      status,
      code,
      largestFrame,
      endsEmpty,
    },
    headers: headers && encodeHeaders(headers),
    trailers: trailers && encodeHeaders(trailers),
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
        ...(read.has('http2') ? { http2: decodeHttp2(new Fields(read.node('http2'))) } : {}),
        ...(read.has('unordered') && read.flag('unordered') ? { unordered: true } : {}),
        headers: decodeHeaders(read, 'headers'),
      };
    case 'response':
      return {
        type,
        exchange: read.integer('exchange'),
        ...decodeVersion(read),
        status: read.integer('status'),
        headers: decodeHeaders(read, 'headers'),
      };
    case 'body':
      return {
        type,
        exchange: read.integer('exchange'),
        from: read.oneOf('from', sides),
        complete: read.flag('complete'),
        ...(read.has('largestFrame') ? { largestFrame: read.integer('largestFrame') } : {}),
        ...(read.has('endsEmpty') && read.flag('endsEmpty') ? { endsEmpty: true } : {}),
        ...(read.has('trailers') ? { trailers: decodeHeaders(read, 'trailers') } : {}),
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
    case 'reset':
      return {
        type,
        exchange: read.integer('exchange'),
        from: read.oneOf('from', sides),
        code: read.text('code'),
      };
    case 'goaway':
      return {
        type,
        connection: read.integer('connection'),
        from: read.oneOf('from', sides),
        code: read.text('code'),
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

function decodeVersion(read: Fields): Pick<RequestEvent, 'version'> {
  return read.has('version') ? { version: read.oneOf('version', ['1.0', '2'] as const) } : {};
}

function encodeHttp2({ settings, window, pseudo, authority, priority }: SealedHttp2Request): JsonNode {
  return jsonObject({
    settings: toNode(settings),
    window,
    pseudo: toNode(pseudo),
    authority,
    priority: priority && toNode(priority),
  });
}

function decodeHttp2(read: Fields): SealedHttp2Request {
  return {
    settings: read.list('settings').map(decodeSetting),
    window: read.integer('window'),
    pseudo: read.texts('pseudo'),
    ...(read.has('authority') ? { authority: read.node('authority') } : {}),
    ...(read.has('priority') ? { priority: decodePriority(new Fields(read.node('priority'))) } : {}),
  };
}

function decodeSetting(item: JsonNode): Http2Setting {
  const [name, value, ...rest] = item.kind === 'array' ? item.items : [];
  if (name?.kind !== 'string' || value?.kind !== 'number' || rest.length > 0)
    throw new FieldError('"settings" must contain only [name, number] pairs');
  return [name.value, Number(value.text)];
}

function decodePriority(read: Fields): Http2Priority {
  return {
    exclusive: read.flag('exclusive'),
    dependsOn: read.integer('dependsOn'),
    weight: read.integer('weight'),
  };
}

function encodeHeaders(headers: readonly HeaderField[]): JsonNode {
  const items = headers.map(
    ([name, value]): JsonArray => ({ kind: 'array', items: [jsonString(name), value] }),
  );
  return { kind: 'array', items };
}

function decodeHeaders(read: Fields, name: 'headers' | 'trailers'): HeaderField[] {
  return read.list(name).map((item) => {
    const [key, value, ...rest] = item.kind === 'array' ? item.items : [];
    if (key?.kind !== 'string' || value === undefined || rest.length > 0) {
      throw new FieldError(`"${name}" must contain only [name, value] pairs`);
    }
    return [key.value, value];
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
