import { brief, type Mismatch, type Place } from '../golden/match/mismatch.ts';
import type { Exchange } from '../golden/trace/exchanges.ts';
import type { HeaderList } from '../wire/headers.ts';
import {
  filterMembers,
  itemsOf,
  type JsonMember,
  type JsonNode,
  jsonString,
  mapChildren,
  member,
  stringAt,
  toNode,
} from '../wire/json.ts';
import type { Surface } from './envelope.ts';
import { compareInOrder, isResponse, type Saying, sayings, shaped, spellings } from './neutrality.ts';
import { structuralDiff } from './structural.ts';
import { headersTold, isCutOff, type Told, type Turn, toldOf, turnsOf } from './turns.ts';

/** What a library handed to the program that asked. */
export type Handed = {
  readonly text: string;
  readonly ending: string;
  /** The error that it threw in the place of the ending. */
  readonly failure?: Failure;
};

/** An error of a library. Of a connection that breaks nothing is told but the library's own message. */
export type Failure = {
  readonly message: string;
  readonly status?: number;
  readonly headers: HeaderList;
  /** What stands under "error". */
  readonly error?: JsonNode;
};

/** How a program asks for its answers. */
export type Asking = { readonly surface: Surface; readonly streams: boolean };

/**
 * Request neutrality where every request in front of a subject is a POST of its own, and those behind it share
 * websockets: each request, against the turn upstream that it became. Members come in the golden's order upstream.
 */
export function askedNeutrality(front: readonly Exchange[], back: readonly Exchange[]): Mismatch[] {
  const turns = turnsOf(back, front.length);
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
 * response of the last event. An answer that is an error is for handedNeutrality to judge; so is the error that a
 * subject adds to a stream which the backend left without an end.
 */
export function answeredNeutrality(front: readonly Exchange[], back: readonly Exchange[]): Mismatch[] {
  const turns = turnsOf(back, front.length);
  return front.flatMap((exchange, at) => {
    const place: Place = { exchange: at + 1, part: 'backend body', path: [] };
    const turn = turns[at];
    const said = turn?.said ?? [];
    const passed = sayings(exchange, 'backend');
    const [whole] = passed;
    if (whole?.event !== undefined) {
      const told = turn !== undefined && isCutOff(turn) ? withoutError(passed) : passed;
      return [...compareInOrder(said, told, at + 1), ...spellings(said, told, at + 1)];
    }
    const isError = exchange.steps.find(isResponse)?.status !== 200;
    if (isError || (turn !== undefined && toldOf(turn) !== undefined)) return [];
    if (whole === undefined) return [missing(place, 'an answer')];
    const response = member(said.at(-1)?.node, 'response');
    return response === undefined ? [] : structuralDiff(response, whole.node, place);
  });
}

/** What the library handed to its program, against what the backend said. */
export function handedNeutrality(
  handed: readonly Handed[],
  back: readonly Exchange[],
  { surface, streams }: Asking,
): Mismatch[] {
  return turnsOf(back, handed.length).flatMap((turn, at) => {
    const place: Place = { exchange: at + 1, part: "the library's answer", path: [] };
    const one = handed[at];
    if (one === undefined) return [missing(place, 'an answer')];
    const { text, ending, failure } = one;
    const told = toldOf(turn);
    if (told !== undefined && failure !== undefined) {
      const begun = streams ? beginningOf(turn) : '';
      return structuralDiff(documentOf(begun, told), documentOf(text, thrown(failure, told)), place);
    }
    if (told === undefined && failure === undefined) {
      const response = member(turn.said.at(-1)?.node, 'response');
      return structuralDiff(toNode(handedOf(response, surface)), toNode({ text, ending }), place);
    }
    const expected = told === undefined ? 'an answer' : `an error: ${wordsOf(told)}`;
    const actual = failure === undefined ? `an answer: ${ending}` : `an error: ${failure.message}`;
    return [{ kind: 'changed', places: [place], expected, actual }];
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

/** The words of an answer that did not come to its end. */
function beginningOf({ said }: Turn): string {
  const deltas = said.filter(({ node }) => stringAt(node, 'type') === 'response.output_text.delta');
  return deltas.map(({ node }) => stringAt(node, 'delta') ?? '').join('');
}

/** What a library threw, as far as the backend has a word on it. */
function thrown({ status, headers, error }: Failure, told: Told): Told {
  const stated = error !== undefined && told.ofResponse ? withMembersOf(told.error, error) : error;
  return {
    ...(told.status === undefined || status === undefined ? {} : { status: toNode(status) }),
    ...(told.headers === undefined ? {} : { headers: headersTold(headers) }),
    ...(told.error === undefined || stated === undefined ? {} : { error: stated }),
  };
}

function wordsOf({ error }: Told): string {
  return error === undefined ? 'the answer was cut off' : brief(error);
}

/** A document of what was said before a failure, and of the failure. */
function documentOf(text: string, { status, headers, error }: Told): JsonNode {
  const stated = Object.entries({ status, headers, error }).flatMap(([key, value]): JsonMember[] =>
    value === undefined ? [] : [[key, value]],
  );
  return { kind: 'object', members: [['text', jsonString(text)], ...stated] };
}

/** An object without the members that the other one lacks. */
function withMembersOf(other: JsonNode | undefined, node: JsonNode): JsonNode {
  return filterMembers(node, (key) => member(other, key) !== undefined);
}

/** Without the error with which a subject tells of the end of a stream. */
function withoutError(passed: readonly Saying[]): readonly Saying[] {
  return stringAt(passed.at(-1)?.node, 'type') === 'error' ? passed.slice(0, -1) : passed;
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
  if (!saysAgain) return request;
  const count = itemsOf(member(said, 'input')).length;
  return mapChildren(request, (value, key) =>
    key === 'input' && value.kind === 'array' ? { kind: 'array', items: value.items.slice(-count) } : value,
  );
}

function missing(place: Place, what: string): Mismatch {
  return { kind: 'missing', places: [place], expected: what, actual: null };
}
