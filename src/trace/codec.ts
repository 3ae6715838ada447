import { type JsonArray, type JsonMember, type JsonNode, jsonString, member, toNode } from '../wire/json.ts';
import type { Opcode, Side } from '../wire/message.ts';
import type { Content, HeaderField, TraceEvent } from './event.ts';

/**
 * The JSON form of an event: one line of a trace or golden file. Key order is fixed, so that files are deterministic.
 */
export function encodeEvent(event: TraceEvent): JsonNode {
  switch (event.type) {
    case 'request': {
      const { type, connection, exchange, method, target, headers, unordered } = event;
      return object({
        type,
        connection,
        exchange,
        method,
        target: node(target),
        ...(unordered ? { unordered } : {}),
        headers: encodeHeaders(headers),
      });
    }
    case 'response': {
      const { type, exchange, status, headers } = event;
      return object({ type, exchange, status, headers: encodeHeaders(headers) });
    }
    case 'body': {
      const { type, exchange, from, complete, content } = event;
      return object({ type, exchange, from, complete, ...encodeContent(content) });
    }
    case 'message': {
      const { type, exchange, from, opcode, compressed, fragments, content } = event;
      return object({ type, exchange, from, opcode, compressed, fragments, ...encodeContent(content) });
    }
    case 'connection': {
      const { type, connection, authority, tls } = event;
      const alpn = tls === null ? null : object({ offered: toNode(tls.offered), chosen: tls.chosen });
      return object({ type, connection, authority, tls: alpn });
    }
    case 'end': {
      const { type, connection, by } = event;
      return object({ type, connection, by });
    }
    case 'undecodable': {
      const { type, connection, from, reason } = event;
      return object({ type, connection, from, reason });
    }
  }
}

/** The event of a line. Throws a FieldError that names what is missing or wrong. */
export function decodeEvent(line: JsonNode): TraceEvent {
  const read = new Fields(line);
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
      throw new FieldError(`"${type}" is no type of event`);
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
      throw new FieldError('"headers" must hold [name, value] pairs');
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
          items: content.events.map(({ event, data }) => object({ event, data })),
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

/** An object node of the members given, in their order. */
export function object(members: Record<string, JsonNode | boolean | number | string | null>): JsonNode {
  return {
    kind: 'object',
    members: Object.entries(members).map(([key, value]): JsonMember => [key, node(value)]),
  };
}

function node(value: JsonNode | boolean | number | string | null): JsonNode {
  return typeof value === 'object' && value !== null ? value : toNode(value);
}

/** A line that is JSON, but not of the form the format asks for. */
export class FieldError extends Error {
  override readonly name = 'FieldError';
}

/** Typed access to the members of a line. */
export class Fields {
  readonly #line: JsonNode;

  constructor(line: JsonNode) {
    if (line.kind !== 'object') throw new FieldError('an object is expected');
    this.#line = line;
  }

  has(key: string): boolean {
    return member(this.#line, key) !== undefined;
  }

  node(key: string): JsonNode {
    const value = member(this.#line, key);
    if (value === undefined) throw new FieldError(`"${key}" is missing`);
    return value;
  }

  list(key: string): readonly JsonNode[] {
    const value = this.node(key);
    if (value.kind !== 'array') throw new FieldError(`"${key}" must be a list`);
    return value.items;
  }

  texts(key: string): string[] {
    return this.list(key).map((item) => {
      if (item.kind !== 'string') throw new FieldError(`"${key}" must hold strings`);
      return item.value;
    });
  }

  text(key: string): string {
    const value = this.node(key);
    if (value.kind !== 'string') throw new FieldError(`"${key}" must be a string`);
    return value.value;
  }

  textOrNull(key: string): string | null {
    const value = this.node(key);
    return value.kind === 'literal' && value.value === null ? null : this.text(key);
  }

  oneOf<T extends string>(key: string, choices: readonly T[]): T {
    const text = this.text(key);
    const choice = choices.find((one) => one === text);
    if (choice === undefined) throw new FieldError(`"${key}" must be one of ${choices.join(', ')}`);
    return choice;
  }

  integer(key: string): number {
    const value = this.node(key);
    const number = value.kind === 'number' ? Number(value.text) : Number.NaN;
    if (!Number.isSafeInteger(number)) throw new FieldError(`"${key}" must be a whole number`);
    return number;
  }

  integerOrNull(key: string): number | null {
    const value = this.node(key);
    return value.kind === 'literal' && value.value === null ? null : this.integer(key);
  }

  flag(key: string): boolean {
    const value = this.node(key);
    if (value.kind !== 'literal' || value.value === null)
      throw new FieldError(`"${key}" must be true or false`);
    return value.value;
  }
}
