import type { Exchange, Step } from '../golden/dialogue.ts';
import type { Mismatch, Place } from '../golden/mismatch.ts';
import type { Content } from '../trace/event.ts';
import { type JsonNode, jsonString, toNode } from '../wire/json.ts';
import type { Side } from '../wire/message.ts';
import { structuralDiff } from './structural.ts';

/** Members that a proxy shapes, and that parity judges. All others are the client's own words. */
const shaped: ReadonlySet<string> = new Set([
  'type',
  'stream',
  'generate',
  'service_tier',
  'prompt_cache_key',
  'client_metadata',
]);

/**
 * Request neutrality: what the client said in front of the subject, against what the subject said behind it. Only
 * content counts: instructions, input, tools and all else that is not shaped by the protocol.
 */
export function requestNeutrality(front: readonly Exchange[], back: readonly Exchange[]): Mismatch[] {
  return byExchange(front, back, (said, passed, exchange) => {
    const [wanted, found] = [contents(said, 'client'), contents(passed, 'client')];
    return compareInOrder(wanted.map(ownWords), found.map(ownWords), exchange, 'client message');
  });
}

/** Response neutrality: what the backend said behind the subject, against what reached the client, in order. */
export function responseNeutrality(front: readonly Exchange[], back: readonly Exchange[]): Mismatch[] {
  return byExchange(back, front, (said, passed, exchange) => [
    ...statuses(said, passed, exchange),
    ...compareInOrder(contents(said, 'backend'), contents(passed, 'backend'), exchange, 'backend message'),
  ]);
}

function byExchange(
  said: readonly Exchange[],
  passed: readonly Exchange[],
  compare: (said: Exchange, passed: Exchange, exchange: number) => Mismatch[],
): Mismatch[] {
  return said.flatMap((one, at) => {
    const other = passed[at];
    const exchange = at + 1;
    if (other !== undefined) return compare(one, other, exchange);
    return [
      {
        kind: 'missing',
        places: [{ exchange, part: 'request', path: [] }],
        expected: one.request.method,
        actual: null,
      },
    ];
  });
}

function compareInOrder(
  said: readonly JsonNode[],
  passed: readonly JsonNode[],
  exchange: number,
  name: string,
): Mismatch[] {
  const place: Place = { exchange, part: `${name}s`, path: [] };
  const list = (items: readonly JsonNode[]): JsonNode => ({ kind: 'array', items });
  return structuralDiff(list(said), list(passed), place).map((mismatch) => ({
    ...mismatch,
    places: mismatch.places.map(({ path: [at, ...path] }) => ({
      exchange,
      part: `${name} ${Number(at) + 1}`,
      path,
    })),
  }));
}

function statuses(said: Exchange, passed: Exchange, exchange: number): Mismatch[] {
  const status = ({ steps }: Exchange) => steps.find((step) => step.type === 'response')?.status ?? null;
  const [wanted, found] = [status(said), status(passed)];
  return structuralDiff(toNode(wanted), toNode(found), { exchange, part: 'response', path: ['status'] });
}

function contents({ steps }: Exchange, side: Side): JsonNode[] {
  return steps.flatMap((step: Step) => {
    if (step.type === 'response' || step.from !== side) return [];
    // Pings and closes belong to a connection, and each side of a subject has connections of its own.
    if (step.type === 'message' && step.opcode !== 'text' && step.opcode !== 'binary') return [];
    return contentNodes(step.content);
  });
}

function contentNodes(content: Content): JsonNode[] {
  switch (content.kind) {
    case 'json':
      return [content.json];
    case 'text':
      return [content.text];
    case 'events':
      return content.events.map(({ data }) => data);
    case 'bytes':
      return [jsonString(`${content.bytes} bytes, sha256 ${content.sha256}`)];
    case 'close':
      return [];
  }
}

function ownWords(node: JsonNode): JsonNode {
  if (node.kind !== 'object') return node;
  return { kind: 'object', members: node.members.filter(([key]) => !shaped.has(key)) };
}
