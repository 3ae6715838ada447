import type { Place } from '../../src/golden/match/mismatch.ts';
import type { Exchange, Step } from '../../src/golden/trace/exchanges.ts';
import type { MessageEvent } from '../../src/trace/trace-event.ts';
import { type JsonNode, jsonString, printJson, tryParseJson } from '../../src/wire/json.ts';

/** What the client says, as documents: the headers of the handshake as members of an object, then each message. */
export type Document = { readonly part: string; readonly node: JsonNode };

/** A node of a document: the keys a reader would name, and the way to it; JSON in a string is part of the tree. */
export type Site = {
  readonly document: Document;
  readonly names: readonly string[];
  readonly node: JsonNode;
  /** Whether it stands in JSON, and not in a header by itself. */
  readonly inJson: boolean;
  readonly replace: (node: JsonNode) => Exchange;
};

/** Whether a place is at a key of a document, or below it. */
export function isAt(place: Place, part: string, names: readonly string[]): boolean {
  const own = place.part === 'message' ? `${place.side} message ${place.number}` : place.part;
  return own === part && names.every((name, depth) => String(place.path[depth]) === name);
}

export function clientMessages({ steps }: Exchange): MessageEvent[] {
  return steps.flatMap((step) => (step.type === 'message' && step.from === 'client' ? [step] : []));
}

/** The exchange with other client messages; those of the backend stay where they are between them. */
export function withClientMessages(
  exchange: Exchange,
  change: (step: MessageEvent, number: number) => readonly MessageEvent[],
): Exchange {
  let number = 0;
  const steps = exchange.steps.flatMap((step): readonly Step[] => {
    if (step.type !== 'message' || step.from !== 'client') return [step];
    number += 1;
    return change(step, number);
  });
  return { ...exchange, steps };
}

/** Every node of everything that the client says in an exchange, from the outside inwards. */
export function sites(exchange: Exchange): Site[] {
  const headers: JsonNode = { kind: 'object', members: exchange.request.headers };
  const handshake = sitesIn({ part: 'handshake', node: headers }, headers, [], false, (node) => ({
    ...exchange,
    request: {
      ...exchange.request,
      headers: node.kind === 'object' ? node.members.map(([name, value]) => [name, value]) : [],
    },
  }));
  const messages = clientMessages(exchange).flatMap((message, index) => {
    if (message.content.kind !== 'json') return [];
    const { json } = message.content;
    return sitesIn({ part: `client message ${index + 1}`, node: json }, json, [], true, (node) =>
      withClientMessages(exchange, (step, number) => [
        number === index + 1 ? { ...step, content: { kind: 'json', json: node, spaced: false } } : step,
      ]),
    );
  });
  return [...handshake, ...messages];
}

function sitesIn(
  document: Document,
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
  const opened = node.kind === 'string' && /^[{[]/.test(node.value) ? tryParseJson(node.value) : undefined;
  if (opened === undefined) return [own];
  const inside = sitesIn(document, opened.node, names, true, (changed) =>
    replace(jsonString(printJson(changed))),
  );
  return [own, ...inside];
}
