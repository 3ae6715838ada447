import { jsonMark } from '../golden/golden.ts';
import type {
  BodyEvent,
  ConnectionEvent,
  Content,
  MessageEvent,
  RequestEvent,
  ResponseEvent,
  TraceEvent,
} from '../trace/trace-event.ts';
import { type JsonNode, member, printJson } from '../wire/json.ts';
import type { Opcode } from '../wire/message.ts';

/** The websocket opcode of a message (RFC 6455, section 11.8). */
const opcodes: Readonly<Record<Opcode, number>> = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

const comment =
  'Exported from a sealed recording: secrets and texts are replaced. It has no times: each event is a millisecond after the one before.';

/** What is collected of an exchange. `at` is the number of an event in the recording. */
type Entry = {
  readonly connection: ConnectionEvent | undefined;
  readonly request: RequestEvent;
  readonly at: number;
  last: number;
  response?: ResponseEvent;
  readonly bodies: BodyEvent[];
  readonly messages: { readonly message: MessageEvent; readonly at: number }[];
};

/** Events as HAR 1.2, with `_webSocketMessages` as Chrome and mitmproxy write them. `version` is that of this program. */
export function har(events: Iterable<TraceEvent>, version: string): object {
  return {
    log: {
      version: '1.2',
      creator: { name: 'codex-parity', version },
      pages: [],
      entries: entriesOf(events).map(harEntry),
      comment,
    },
  };
}

function entriesOf(events: Iterable<TraceEvent>): Entry[] {
  const connections = new Map<number, ConnectionEvent>();
  const entries = new Map<number, Entry>();
  let at = 0;
  for (const event of events) {
    at += 1;
    if (event.type === 'connection') connections.set(event.connection, event);
    if (event.type === 'request') {
      const connection = connections.get(event.connection);
      entries.set(event.exchange, { connection, request: event, at, last: at, bodies: [], messages: [] });
    }
    const entry = 'exchange' in event ? entries.get(event.exchange) : undefined;
    if (entry === undefined) continue;
    entry.last = at;
    if (event.type === 'response') entry.response = event;
    if (event.type === 'body') entry.bodies.push(event);
    if (event.type === 'message') entry.messages.push({ message: event, at });
  }
  return [...entries.values()];
}

function harEntry({ connection, request, response, bodies, messages, at, last }: Entry): object {
  const isWebSocket = response?.status === 101;
  const sent = bodies.find(({ from }) => from === 'client')?.content;
  const received = bodies.find(({ from }) => from === 'backend')?.content;
  return {
    startedDateTime: new Date(at).toISOString(),
    time: last - at,
    request: {
      method: request.method,
      url: `${isWebSocket ? 'ws' : 'http'}${isSecure(connection) ? 's' : ''}://${connection?.authority ?? 'unknown'}${textOf(request.target)}`,
      httpVersion: `HTTP/${request.version ?? '1.1'}`,
      cookies: [],
      headers: headersOf(request),
      queryString: queryOf(textOf(request.target)),
      ...(sent === undefined
        ? {}
        : { postData: { mimeType: headerOf(request, 'content-type'), ...kept(sent) } }),
      headersSize: -1,
      bodySize: sizeOf(sent),
    },
    response: {
      status: response?.status ?? 0,
      statusText: '',
      httpVersion: `HTTP/${response?.version ?? '1.1'}`,
      cookies: [],
      headers: response === undefined ? [] : headersOf(response),
      content: {
        size: sizeOf(received),
        mimeType: response === undefined ? '' : headerOf(response, 'content-type'),
        ...(received === undefined ? {} : kept(received)),
      },
      redirectURL: '',
      headersSize: -1,
      bodySize: -1,
    },
    cache: {},
    timings: { send: 0, wait: last - at, receive: 0 },
    ...(isWebSocket
      ? {
          _resourceType: 'websocket',
          _webSocketMessages: messages.map(({ message, at }) => ({
            type: message.from === 'client' ? 'send' : 'receive',
            time: at / 1000,
            opcode: opcodes[message.opcode],
            data: contentText(message.content) ?? '',
          })),
        }
      : {}),
  };
}

/** Connections of which that is not known are, unless they stay on the machine. */
function isSecure(connection: ConnectionEvent | undefined): boolean {
  if (connection?.imported === undefined) return connection?.tls !== null;
  return !/^(?:localhost|127\.|\[::1\])/.test(connection.authority);
}

function headersOf({ headers }: RequestEvent | ResponseEvent) {
  return headers.map(([name, value]) => ({ name, value: textOf(value) }));
}

function headerOf({ headers }: RequestEvent | ResponseEvent, name: string): string {
  const found = headers.find(([key]) => key.toLowerCase() === name);
  return found === undefined ? '' : textOf(found[1]);
}

function queryOf(target: string) {
  const query = new URLSearchParams(target.replace(/^[^?]*\??/, ''));
  return [...query].map(([name, value]) => ({ name, value }));
}

function kept(
  content: Content,
): { readonly text: string } | { readonly text: string; readonly comment: string } {
  const text = contentText(content);
  if (text !== undefined) return { text };
  return {
    text: '',
    comment: content.kind === 'bytes' ? `not kept: ${content.bytes} bytes, sha256 ${content.sha256}` : '',
  };
}

function sizeOf(content: Content | undefined): number {
  if (content === undefined) return 0;
  return content.kind === 'bytes' ? content.bytes : Buffer.byteLength(contentText(content) ?? '');
}

/** Undefined for content that is not kept. */
function contentText(content: Content): string | undefined {
  switch (content.kind) {
    case 'json':
      return printJson(content.json);
    case 'text':
      return textOf(content.text);
    case 'events':
      return content.events
        .map(({ event, data }) => `${event === '' ? '' : `event: ${event}\n`}data: ${textOf(data)}\n\n`)
        .join('');
    case 'close':
      return [content.code ?? '', content.reason === undefined ? '' : textOf(content.reason)]
        .join(' ')
        .trim();
    case 'bytes':
      return undefined;
  }
}

/** A text; the document in it if a golden has a pattern for one. */
function textOf(node: JsonNode): string {
  return node.kind === 'string' ? node.value : printJson(member(node, jsonMark) ?? node);
}
