import { type Golden, jsonMark } from '../golden/golden.ts';
import { choicesOf } from '../golden/match/http2-mismatches.ts';
import { kinds } from '../golden/pattern/kinds.ts';
import { eventsOf } from '../golden/trace/exchanges.ts';
import { encodeEvent } from '../trace/codec.ts';
import type {
  BodyEvent,
  ConnectionEvent,
  Content,
  MessageEvent,
  SealedHttp2Request,
  ServerSentEvent,
  TraceEvent,
} from '../trace/trace-event.ts';
import { type JsonNode, member, printJson } from '../wire/json.ts';
import type { Side } from '../wire/message.ts';
import { count } from './count.ts';
import { jsonLine, terminalLine } from './escape.ts';
import { foldedLine, indentedJson } from './indented-json.ts';
import { table } from './text.ts';

/**
 * An event. `number` counts the messages and bodies of a side in its exchange, as in the places of findings; it is 0 for
 * other events.
 */
export type NumberedEvent = { readonly event: TraceEvent; readonly number: number };

export function numbered(events: Iterable<TraceEvent>): NumberedEvent[] {
  const last = new Map<string, number>();
  return Array.from(events, (event) => {
    if (event.type !== 'message' && event.type !== 'body') return { event, number: 0 };
    const side = `${event.exchange} ${event.from}`;
    const number = (last.get(side) ?? 0) + 1;
    last.set(side, number);
    return { event, number };
  });
}

/** Events as JSON: a list with an event per line, as a file has it. */
export function eventsJson(events: readonly NumberedEvent[]): string {
  return `[\n${events.map(({ event }) => jsonLine(printJson(encodeEvent(event)))).join(',\n')}\n]`;
}

export type ListingOptions = {
  /** Do not fold long values. */
  readonly full: boolean;
  /** The sides whose messages take several lines; those of the others take one line each. */
  readonly expanded: ReadonlySet<Side>;
};

/** A golden as text: its identity, its variables, then its events. */
export function goldenListing(golden: Golden, options: ListingOptions): string {
  const { codex, lane, scenario, runs, varied, variables, exchanges } = golden;
  const rows = [...variables.values()].map(({ name, kind }) => [`  {{${name}}}`, kinds[kind].description]);
  const about = [
    `golden: codex ${codex}, lane ${lane}, scenario ${scenario}, learned from ${runs} runs`,
    ...(varied.length === 0 ? [] : [`varied between the runs: ${varied.join(', ')}`]),
  ];
  return [
    about.map(terminalLine).join('\n'),
    `variables, each with the same value at all its places:\n${table(rows)}`,
    eventsListing(numbered(exchanges.flatMap(eventsOf)), options),
  ].join('\n\n');
}

/** Events as text: a heading for each, and its content below. */
export function eventsListing(events: readonly NumberedEvent[], options: ListingOptions): string {
  return events
    .map(({ event, number }) =>
      event.type === 'message' || event.type === 'body'
        ? payloadListing(event, number, options)
        : linesOf(event).map(terminalLine).join('\n'),
    )
    .join('\n\n');
}

function linesOf(event: Exclude<TraceEvent, BodyEvent | MessageEvent>): string[] {
  switch (event.type) {
    case 'connection': {
      return [`connection ${event.connection} to ${event.authority} (${transportOf(event)})`];
    }
    case 'request':
      return [
        `exchange ${event.exchange}: ${event.method} ${plain(event.target)} on connection ${event.connection}`,
        ...(event.http2 === undefined ? [] : http2Lines(event.http2)),
        ...event.headers.map(([name, value]) => `  ${name}: ${plain(value)}`),
      ];
    case 'response':
      return [
        `exchange ${event.exchange}: response ${event.status}`,
        ...event.headers.map(([name, value]) => `  ${name}: ${plain(value)}`),
      ];
    case 'reset':
      return [`exchange ${event.exchange}: broken off by the ${event.from} (${event.code})`];
    case 'goaway':
      return [`connection ${event.connection}: no more streams, says the ${event.from} (${event.code})`];
    case 'end':
      return [`connection ${event.connection} ended by the ${event.by}`];
    case 'undecodable':
      return [
        `connection ${event.connection}: the ${event.from} sent bytes that are neither HTTP nor websocket frames: ${event.reason}`,
      ];
  }
}

function http2Lines(http2: SealedHttp2Request): string[] {
  const { settings, window, pseudo, priority } = choicesOf(http2);
  const authority = http2.authority === undefined ? '' : `; :authority is ${plain(http2.authority)}`;
  return [
    `  HTTP/2 settings: ${settings}; window of the connection: ${window}`,
    `  HTTP/2 pseudo-headers: ${pseudo}${authority}`,
    ...(http2.priority === undefined ? [] : [`  HTTP/2 priority: ${priority}`]),
  ];
}

function transportOf({ tls, imported }: ConnectionEvent): string {
  if (imported !== undefined)
    return `imported from ${imported}: TLS, frames, closes and its end are not known`;
  return tls ? `TLS, ALPN offered: ${tls.offered.join(', ') || 'none'}` : 'plain';
}

function payloadListing(payload: BodyEvent | MessageEvent, number: number, options: ListingOptions): string {
  const { exchange, from, content } = payload;
  const part = payload.type === 'body' ? 'body' : `message ${number}`;
  const notes = payload.type === 'body' ? framesOf(payload) : notesOf(payload);
  const heading = terminalLine(
    `exchange ${exchange}: ${from} ${part}${notes.length === 0 ? '' : ` (${notes.join(', ')})`}`,
  );
  if (content.kind !== 'json' && content.kind !== 'events')
    return `${heading}: ${terminalLine(textOf(content))}`;
  const json = content.kind === 'json' ? content.json : dataOf(content.events);
  if (options.expanded.has(from))
    return [heading, ...indentedJson(json, options).map((line) => `  ${jsonLine(line)}`)].join('\n');
  return `${heading}: ${content.kind === 'json' ? jsonLine(foldedLine(json)) : count(content.events.length, 'event')}`;
}

function framesOf({ largestFrame, endsEmpty, trailers }: BodyEvent): string[] {
  return [
    ...(largestFrame === undefined ? [] : [`DATA frames of up to ${largestFrame} bytes`]),
    ...(endsEmpty ? ['an empty DATA frame at the end'] : []),
    ...(trailers === undefined ? [] : [`trailers ${trailers.map(([name]) => name).join(', ')}`]),
  ];
}

function notesOf({ opcode, compressed, fragments, content }: MessageEvent): string[] {
  return [
    ...(opcode === 'text' || content.kind === 'close' ? [] : [opcode]),
    ...(compressed ? ['compressed'] : []),
    ...(fragments === undefined || fragments === 1 ? [] : [`${fragments} frames`]),
  ];
}

/** The data of server-sent events, as a list. */
function dataOf(events: readonly ServerSentEvent[]): JsonNode {
  return { kind: 'array', items: events.map(({ data }) => data) };
}

function textOf(content: Exclude<Content, { kind: 'json' | 'events' }>): string {
  switch (content.kind) {
    case 'text':
      return plain(content.text);
    case 'bytes':
      return `${content.bytes} bytes, sha256 ${content.sha256}`;
    case 'close':
      return `close ${content.code ?? 'without a code'}${content.reason === undefined ? '' : ` ${plain(content.reason)}`}`;
  }
}

function plain(node: JsonNode): string {
  if (node.kind === 'string') return node.value;
  return printJson(member(node, jsonMark) ?? node);
}
