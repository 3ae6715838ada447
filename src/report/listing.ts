import { type Golden, jsonMark } from '../golden/golden.ts';
import { kinds } from '../golden/pattern/kinds.ts';
import { eventsOf } from '../golden/trace/exchanges.ts';
import type { Content, TraceEvent } from '../trace/trace-event.ts';
import { type JsonNode, member, stringAt } from '../wire/json.ts';
import { table } from './text.ts';
import { brief } from './values.ts';

/** A golden as text: its identity, its variables, then its events. */
export function goldenListing({ codex, lane, scenario, runs, varied, variables, exchanges }: Golden): string {
  const rows = [...variables.values()].map(({ name, kind }) => [`  {{${name}}}`, kinds[kind].description]);
  return [
    `golden: codex ${codex}, lane ${lane}, scenario ${scenario}, learned from ${runs} runs` +
      (varied.length === 0 ? '' : `\nvaried between the runs: ${varied.join(', ')}`),
    `variables, each with the same value at all its places:\n${table(rows)}`,
    ...exchanges.flatMap(eventsOf).map(eventListing),
  ].join('\n\n');
}

/** An event as text: a heading, and its content below. Events of the backend take one line. */
export function eventListing(event: TraceEvent): string {
  switch (event.type) {
    case 'connection': {
      const tls =
        event.tls === null ? 'plain' : `TLS, ALPN offered: ${event.tls.offered.join(', ') || 'none'}`;
      return `connection ${event.connection} to ${event.authority} (${tls})`;
    }
    case 'request':
      return [
        `exchange ${event.exchange}: ${event.method} ${plain(event.target)} on connection ${event.connection}`,
        ...event.headers.map(([name, value]) => `  ${name}: ${plain(value)}`),
      ].join('\n');
    case 'response':
      return [
        `exchange ${event.exchange}: response ${event.status}`,
        ...event.headers.map(([name, value]) => `  ${name}: ${plain(value)}`),
      ].join('\n');
    case 'body':
      return `exchange ${event.exchange}: body from the ${event.from}${contentText(event.from, event.content)}`;
    case 'message': {
      const { exchange, from, opcode, compressed, fragments, content } = event;
      const carried = [
        ...(compressed ? ['compressed'] : []),
        ...(fragments === 1 ? [] : [`${fragments} frames`]),
      ];
      const how = carried.length === 0 ? '' : ` (${carried.join(', ')})`;
      return `exchange ${exchange}: ${opcode} message from the ${from}${how}${contentText(from, content)}`;
    }
    case 'end':
      return `connection ${event.connection} ended by the ${event.by}`;
    case 'undecodable':
      return `connection ${event.connection}: the ${event.from} sent bytes that are neither HTTP/1.1 nor websocket frames: ${event.reason}`;
  }
}

function contentText(from: string, content: Content): string {
  switch (content.kind) {
    case 'json':
      if (from === 'backend') return `: ${stringAt(content.json, 'type') ?? 'JSON'} ${brief(content.json)}`;
      return `\n${indented(content.json, '  ')}`;
    case 'text':
      return `: ${plain(content.text)}`;
    case 'events':
      return `: ${content.events.length} events`;
    case 'bytes':
      return `: ${content.bytes} bytes, sha256 ${content.sha256}`;
    case 'close':
      return `: close ${content.code ?? 'without a code'}${content.reason === undefined ? '' : ` ${plain(content.reason)}`}`;
  }
}

/** JSON with one member or item per line. What fits on one line stays there. */
function indented(node: JsonNode, indent: string): string {
  const short = brief(node, Number.POSITIVE_INFINITY);
  if ((node.kind !== 'object' && node.kind !== 'array') || short.length + indent.length <= 100)
    return `${indent}${short}`;
  const deeper = `${indent}  `;
  if (node.kind === 'array')
    return [`${indent}[`, ...node.items.map((item) => indented(item, deeper)), `${indent}]`].join('\n');
  const members = node.members.map(
    ([key, value]) => `${deeper}${JSON.stringify(key)}: ${indented(value, deeper).trimStart()}`,
  );
  return [`${indent}{`, ...members, `${indent}}`].join('\n');
}

function plain(node: JsonNode): string {
  if (node.kind === 'string') return node.value;
  const inner = member(node, jsonMark);
  return brief(inner ?? node, Number.POSITIVE_INFINITY);
}
