import type { Place } from '../../src/golden/match/mismatch.ts';
import type { Exchange, Step } from '../../src/golden/trace/exchanges.ts';
import type { BodyEvent, Content, HeaderField, MessageEvent } from '../../src/trace/trace-event.ts';
import { type JsonNode, jsonString, printJson, tryParseJson } from '../../src/wire/json.ts';
import type { Side } from '../../src/wire/message.ts';

/** A message or body of an exchange. */
export type Payload = MessageEvent | BodyEvent;

/** A document that one side sends: the headers, as members of an object, or a message, event or body of JSON. */
export type SentDocument = { readonly part: string; readonly node: JsonNode };

/** A node of a document, the keys that lead to it, and a way to replace it. JSON in a string belongs to the tree. */
export type Site = {
  readonly document: SentDocument;
  readonly names: readonly string[];
  readonly node: JsonNode;
  /** Whether it is inside JSON, and not a header. */
  readonly inJson: boolean;
  readonly replace: (node: JsonNode) => Exchange;
};

/** The messages and bodies that a side sends after the handshake. */
export function payloadsOf({ steps }: Exchange, side: Side): Payload[] {
  return steps.flatMap((step) => (step.type !== 'response' && step.from === side ? [step] : []));
}

/** The exchange with other payloads of one side; those of the other side keep their positions between them. */
export function withPayloads(
  exchange: Exchange,
  side: Side,
  change: (payload: Payload, number: number) => readonly Payload[],
): Exchange {
  let number = 0;
  const steps = exchange.steps.flatMap((step): readonly Step[] => {
    if (step.type === 'response' || step.from !== side) return [step];
    number += 1;
    return change(step, number);
  });
  return { ...exchange, steps };
}

/** The name of a place's part, as in SentDocument. */
export function partName(place: Place): string {
  if (place.part === 'message') return `${place.side} message ${place.number}`;
  return place.part === 'body' ? `${place.side} body` : place.part;
}

/** Whether a place is at a key of a document, or below it. */
export function isAt(place: Place, part: string, names: readonly string[]): boolean {
  return partName(place) === part && names.every((name, depth) => String(place.path[depth]) === name);
}

/** Every node that one side sends in an exchange, from the outside inwards. */
export function sites(exchange: Exchange, side: Side = 'client'): Site[] {
  return [...headSites(exchange, side), ...payloadSites(exchange, side)];
}

function headSites(exchange: Exchange, side: Side): Site[] {
  const headersOf = (node: JsonNode): HeaderField[] =>
    node.kind === 'object' ? node.members.map(([name, value]) => [name, value]) : [];
  if (side === 'client') {
    const headers: JsonNode = { kind: 'object', members: exchange.request.headers };
    return sitesIn({ part: 'handshake', node: headers }, headers, [], false, (node) => ({
      ...exchange,
      request: { ...exchange.request, headers: headersOf(node) },
    }));
  }
  const head = exchange.steps.find((step) => step.type === 'response');
  if (head === undefined) return [];
  const headers: JsonNode = { kind: 'object', members: head.headers };
  return sitesIn({ part: 'response', node: headers }, headers, [], false, (node) => ({
    ...exchange,
    steps: exchange.steps.map((step) => (step === head ? { ...head, headers: headersOf(node) } : step)),
  }));
}

function payloadSites(exchange: Exchange, side: Side): Site[] {
  let messages = 0;
  return payloadsOf(exchange, side).flatMap((payload, index) => {
    const replaced = (content: Content): Exchange =>
      withPayloads(exchange, side, (step, number) => [number === index + 1 ? { ...step, content } : step]);
    const { content } = payload;
    if (payload.type === 'message') messages += 1;
    if (content.kind === 'json') {
      const part = payload.type === 'body' ? `${side} body` : `${side} message ${messages}`;
      return sitesIn({ part, node: content.json }, content.json, [], true, (json) =>
        replaced({ ...content, json }),
      );
    }
    if (content.kind !== 'events') return [];
    return content.events.flatMap(({ data }, at) => {
      messages += 1;
      const part = `${side} message ${messages}`;
      return sitesIn({ part, node: data }, data, [], true, (node) => {
        const events = content.events.map((event, other) =>
          other === at ? { ...event, data: node } : event,
        );
        return replaced({ ...content, events });
      });
    });
  });
}

function sitesIn(
  document: SentDocument,
  node: JsonNode,
  names: readonly string[],
  inJson: boolean,
  replace: (node: JsonNode) => Exchange,
): Site[] {
  const own: Site = { document, names, node, inJson, replace };
  if (node.kind === 'array') {
    const inner = node.items.map((item, at) =>
      sitesIn(document, item, [...names, String(at)], inJson, (changed) =>
        replace({ kind: 'array', items: node.items.with(at, changed) }),
      ),
    );
    return [own, ...inner.flat()];
  }
  if (node.kind === 'object') {
    const inner = node.members.map(([key, value], at) =>
      sitesIn(document, value, [...names, key], inJson, (changed) =>
        replace({ kind: 'object', members: node.members.with(at, [key, changed]) }),
      ),
    );
    return [own, ...inner.flat()];
  }
  // Responses are compared as plain values: JSON in one of their strings is a string.
  const mayHoldJson =
    !document.part.startsWith('backend') && node.kind === 'string' && /^[{[]/.test(node.value);
  const opened = mayHoldJson ? tryParseJson(node.value) : undefined;
  if (opened === undefined) return [own];
  const inside = sitesIn(document, opened.node, names, true, (changed) =>
    replace(jsonString(printJson(changed))),
  );
  return [own, ...inside];
}
