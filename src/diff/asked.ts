import type { Exchange, Step } from '../golden/dialogue.ts';
import type { Mismatch, Place } from '../golden/mismatch.ts';
import { type JsonMember, type JsonNode, jsonMember, member, stringAt, toNode } from '../wire/json.ts';
import type { Surface } from './envelope.ts';
import { compareInOrder, type Saying, sayings, shaped, spellings } from './neutrality.ts';
import { structuralDiff } from './structural.ts';

/** What a library handed to the program that asked. */
export type Handed = { readonly text: string; readonly ending: string };

/** A request that asked for an answer, and the answer. */
type Turn = { readonly request: JsonNode; readonly events: Saying[] };

/**
 * Request neutrality where every request in front of a subject is a POST of its own, and those behind it share
 * websockets: each request, against the turn upstream that it became. Members come in the golden's order upstream.
 */
export function askedNeutrality(front: readonly Exchange[], back: readonly Exchange[]): Mismatch[] {
  const turns = turnsOf(back);
  return front.flatMap((exchange, at) => {
    const place: Place = { exchange: at + 1, part: 'client body', path: [] };
    const said = sayings(exchange, 'client')[0]?.node;
    const turn = turns[at];
    if (said === undefined || turn === undefined) return [missing(place, 'a turn upstream')];
    return structuralDiff(ownWords(said), ownWords(sinceThen(said, turn.request)), place);
  });
}

/**
 * Response neutrality, the same way: a stream brings every event in order as it was written, a whole answer is the
 * response of the last event. Text that is no JSON is nothing an event stream could bring.
 */
export function answeredNeutrality(front: readonly Exchange[], back: readonly Exchange[]): Mismatch[] {
  const turns = turnsOf(back);
  return front.flatMap((exchange, at) => {
    const place: Place = { exchange: at + 1, part: 'backend body', path: [] };
    const said = (turns[at]?.events ?? []).filter(({ node }) => node.kind === 'object');
    const passed = sayings(exchange, 'backend');
    const [whole] = passed;
    if (whole === undefined) return [missing(place, 'an answer')];
    if (whole.event !== undefined) {
      return [...compareInOrder(said, passed, at + 1), ...spellings(said, passed, at + 1)];
    }
    const response = member(said.at(-1)?.node, 'response');
    return response === undefined ? [] : structuralDiff(response, whole.node, place);
  });
}

/** What the library handed to its program, against what the backend said. */
export function handedNeutrality(
  handed: readonly Handed[],
  back: readonly Exchange[],
  surface: Surface,
): Mismatch[] {
  return turnsOf(back).flatMap(({ events }, at) => {
    const place: Place = { exchange: at + 1, part: "the library's answer", path: [] };
    const response = member(events.at(-1)?.node, 'response');
    const one = handed[at];
    if (one === undefined) return [missing(place, 'an answer')];
    const { text, ending } = one;
    return structuralDiff(toNode(handedOf(response, surface)), toNode({ text, ending }), place);
  });
}

/** What a library is to hand to its program of a response. */
function handedOf(response: JsonNode | undefined, surface: Surface): Handed {
  const output = itemsOf(member(response, 'output'));
  const parts = output.flatMap((item) => itemsOf(member(item, 'content')));
  const text = parts.map((part) => stringAt(part, 'text') ?? '').join('');
  const status = stringAt(response, 'status') ?? 'none';
  if (surface === 'responses') return { text, ending: status };
  const reason = stringAt(response, 'incomplete_details', 'reason');
  if (reason !== undefined) return { text, ending: reason === 'max_output_tokens' ? 'length' : reason };
  const calls = output.some((item) => /_call$/.test(stringAt(item, 'type') ?? ''));
  return { text, ending: calls ? 'tool_calls' : status === 'completed' ? 'stop' : status };
}

/** The turns upstream in their order. Prewarms are none, nor is what got no answer to its end and is said again. */
function turnsOf(exchanges: readonly Exchange[]): Turn[] {
  return exchanges.flatMap((exchange) => {
    const turns: Turn[] = [];
    for (const step of exchange.steps) {
      const request = requestIn(step);
      if (request !== undefined) turns.push({ request, events: [] });
      else turns.at(-1)?.events.push(...sayings({ ...exchange, steps: [step] }, 'backend'));
    }
    return turns.filter(
      ({ request, events }) => member(request, 'generate') === undefined && isAnswered(events.at(-1)),
    );
  });
}

function requestIn(step: Step): JsonNode | undefined {
  if (step.type === 'response' || step.from !== 'client' || step.content.kind !== 'json') return undefined;
  return member(step.content.json, 'model') === undefined ? undefined : step.content.json;
}

function isAnswered(last: Saying | undefined): boolean {
  return /^response\.(?:completed|failed|incomplete)$/.test(stringAt(last?.node, 'type') ?? '');
}

/** Members by the alphabet, without those that are the protocol's. */
function ownWords(node: JsonNode): JsonNode {
  if (node.kind !== 'object') return node;
  const own = node.members.filter(([key]) => !shaped.has(key) && key !== 'previous_response_id');
  return { kind: 'object', members: own.sort(([one], [other]) => (one < other ? -1 : 1)) };
}

/**
 * What a request goes on from goes up again where the connection that has it is lost: then the items of this request
 * are the last ones.
 */
function sinceThen(said: JsonNode, request: JsonNode): JsonNode {
  const saysAgain =
    member(said, 'previous_response_id') !== undefined &&
    member(request, 'previous_response_id') === undefined;
  if (!saysAgain || request.kind !== 'object') return request;
  const count = itemsOf(member(said, 'input')).length;
  const members = request.members.map(([key, value, spelling]): JsonMember => {
    if (key !== 'input' || value.kind !== 'array') return jsonMember(key, value, spelling);
    return jsonMember(key, { kind: 'array', items: value.items.slice(-count) }, spelling);
  });
  return { kind: 'object', members };
}

function itemsOf(node: JsonNode | undefined): readonly JsonNode[] {
  return node?.kind === 'array' ? node.items : [];
}

function missing(place: Place, what: string): Mismatch {
  return { kind: 'missing', places: [place], expected: what, actual: null };
}
