import { type Golden, jsonMark } from '../golden/golden.ts';
import { kinds } from '../golden/pattern/kinds.ts';
import { eventsOf } from '../golden/trace/exchanges.ts';
import type { BodyEvent, MessageEvent, TraceEvent } from '../trace/trace-event.ts';
import { type JsonNode, member, stringAt } from '../wire/json.ts';
import { terminalLine } from './escape.ts';
import { table } from './text.ts';
import { brief } from './values.ts';

/** A golden as text: its identity, its variables, then its events. */
export function goldenListing({ codex, lane, scenario, runs, varied, variables, exchanges }: Golden): string {
  const rows = [...variables.values()].map(({ name, kind }) => [`  {{${name}}}`, kinds[kind].description]);
  const about = [
    `golden: codex ${codex}, lane ${lane}, scenario ${scenario}, learned from ${runs} runs`,
    ...(varied.length === 0 ? [] : [`varied between the runs: ${varied.join(', ')}`]),
  ];
  return [
    about.map(terminalLine).join('\n'),
    `variables, each with the same value at all its places:\n${table(rows)}`,
    ...exchanges.flatMap(eventsOf).map(eventListing),
  ].join('\n\n');
}

/** An event as text: a heading, and its content below. Events of the backend take one line. */
export function eventListing(event: TraceEvent): string {
  return linesOf(event).map(terminalLine).join('\n');
}

function linesOf(event: TraceEvent): string[] {
  switch (event.type) {
    case 'connection': {
      const tls =
        event.tls === null ? 'plain' : `TLS, ALPN offered: ${event.tls.offered.join(', ') || 'none'}`;
      return [`connection ${event.connection} to ${event.authority} (${tls})`];
    }
    case 'request':
      return [
        `exchange ${event.exchange}: ${event.method} ${plain(event.target)} on connection ${event.connection}`,
        ...event.headers.map(([name, value]) => `  ${name}: ${plain(value)}`),
      ];
    case 'response':
      return [
        `exchange ${event.exchange}: response ${event.status}`,
        ...event.headers.map(([name, value]) => `  ${name}: ${plain(value)}`),
      ];
    case 'body':
      return withContent(`exchange ${event.exchange}: body from the ${event.from}`, event);
    case 'message': {
      const { exchange, from, opcode, compressed, fragments } = event;
      const carried = [
        ...(compressed ? ['compressed'] : []),
        ...(fragments === 1 ? [] : [`${fragments} frames`]),
      ];
      const how = carried.length === 0 ? '' : ` (${carried.join(', ')})`;
      return withContent(`exchange ${exchange}: ${opcode} message from the ${from}${how}`, event);
    }
    case 'end':
      return [`connection ${event.connection} ended by the ${event.by}`];
    case 'undecodable':
      return [
        `connection ${event.connection}: the ${event.from} sent bytes that are neither HTTP/1.1 nor websocket frames: ${event.reason}`,
      ];
  }
}

/** A heading with the content of a message or body: behind it, or below it if it is JSON of the client. */
function withContent(heading: string, { from, content }: BodyEvent | MessageEvent): string[] {
  switch (content.kind) {
    case 'json':
      if (from === 'client') return [heading, ...indented(content.json, '  ')];
      return [`${heading}: ${stringAt(content.json, 'type') ?? 'JSON'} ${brief(content.json)}`];
    case 'text':
      return [`${heading}: ${plain(content.text)}`];
    case 'events':
      return [`${heading}: ${content.events.length} events`];
    case 'bytes':
      return [`${heading}: ${content.bytes} bytes, sha256 ${content.sha256}`];
    case 'close':
      return [
        `${heading}: close ${content.code ?? 'without a code'}${content.reason === undefined ? '' : ` ${plain(content.reason)}`}`,
      ];
  }
}

/** JSON with one member or item per line. What fits on one line stays there. `name` is that of the member. */
function indented(node: JsonNode, indent: string, name = ''): string[] {
  const short = brief(node, Number.POSITIVE_INFINITY);
  if ((node.kind !== 'object' && node.kind !== 'array') || short.length + indent.length <= 100)
    return [`${indent}${name}${short}`];
  const deeper = `${indent}  `;
  if (node.kind === 'array')
    return [`${indent}${name}[`, ...node.items.flatMap((item) => indented(item, deeper)), `${indent}]`];
  const members = node.members.flatMap(([key, value]) => indented(value, deeper, `${JSON.stringify(key)}: `));
  return [`${indent}${name}{`, ...members, `${indent}}`];
}

function plain(node: JsonNode): string {
  if (node.kind === 'string') return node.value;
  const inner = member(node, jsonMark);
  return brief(inner ?? node, Number.POSITIVE_INFINITY);
}
