import deepDiff from 'deep-diff';
import { differenceOf } from '../../golden/match/difference.ts';
import { type Difference, jsonValue, type Mismatch, type Place } from '../../golden/match/mismatch.ts';
import type { Exchange } from '../../golden/trace/exchanges.ts';
import type { HeaderList } from '../../wire/headers.ts';
import {
  filterMembers,
  itemsOf,
  type JsonMember,
  type JsonNode,
  jsonObject,
  jsonString,
  mapChildren,
  member,
  printJson,
  sameJson,
  stringAt,
  toNode,
} from '../../wire/json.ts';
import { type Surface, withoutEmptyInstructions } from '../envelope.ts';
import { expectedCompletion, withKnownMembers } from './chat-result.ts';
import { isResponse, shaped } from './exchange.ts';
import { type ContentUnit, compareReceived, contentOf } from './messages.ts';
import { compareValues } from './plain-values.ts';
import { errorHeaders, errorOf, isCutOff, type TurnError, turnsOf, type UpstreamTurn } from './turns.ts';

/** What OpenAI's library returned to its program. */
export type LibraryResult = {
  readonly text: string;
  readonly ending: string;
  /** The error that it threw instead. */
  readonly failure?: LibraryError;
  /** The other members of a chat completion. */
  readonly completion?: JsonNode;
};

/** An error of the library. For a broken connection there is only the library's own message. */
export type LibraryError = {
  readonly message: string;
  readonly status?: number;
  readonly headers: HeaderList;
  /** The value of the member "error". */
  readonly error?: JsonNode;
};

/** How the program asks for responses. */
export type LibraryUse = { readonly surface: Surface; readonly streams: boolean };

/**
 * Request neutrality where every request in front of a subject is a POST of its own, and the requests upstream share
 * websockets: each request, against the turn upstream that it became. Members come in the golden's order upstream.
 */
export function libraryRequestNeutrality(front: readonly Exchange[], back: readonly Exchange[]): Mismatch[] {
  const turns = turnsOf(back, front.length);
  return front.flatMap((exchange, index) => {
    const place: Place = { exchange: index + 1, side: 'client', part: 'body', path: [] };
    const sent = contentOf(exchange, 'client')[0]?.node;
    const turn = turns[index];
    if (sent === undefined || turn === undefined) return [missing(place, sent)];
    const request = sinceThen(sent, turn.request);
    return compareValues(ownContent(sent), ownContent(request), place);
  });
}

/**
 * Response neutrality, likewise: a stream has every event in order and as spelled; a response that is not streamed is
 * the response of the last event. Errors are judged by resultNeutrality, and so is the error that a subject adds to a
 * stream that the backend broke off.
 */
export function libraryResponseNeutrality(front: readonly Exchange[], back: readonly Exchange[]): Mismatch[] {
  const turns = turnsOf(back, front.length);
  return front.flatMap((exchange, index) => {
    const place: Place = { exchange: index + 1, side: 'backend', part: 'body', path: [] };
    const turn = turns[index];
    const received = contentOf(exchange, 'backend').filter(isForPrograms);
    const previous = member(contentOf(exchange, 'client')[0]?.node, previousKey) ?? toNode(null);
    const isProgramsOwn = received.some(({ node }) =>
      isSame(member(responseIn(node), previousKey), previous),
    );
    const sent = (turn?.events ?? []).filter(isForPrograms);
    const expected = isProgramsOwn ? sent.map((unit) => withPrevious(unit, previous)) : sent;
    const [first] = received;
    if (first?.event !== undefined) {
      const actual = turn !== undefined && isCutOff(turn) ? withoutError(received) : received;
      return compareReceived(expected, actual, index + 1);
    }
    const isError = exchange.steps.find(isResponse)?.status !== 200;
    if (isError || (turn !== undefined && errorOf(turn) !== undefined)) return [];
    const response = member(expected.at(-1)?.node, 'response');
    if (first === undefined) return [missing(place, response)];
    return response === undefined ? [] : compareValues(response, first.node, place);
  });
}

/** The results that the library returned, against what the backend sent. */
export function resultNeutrality(
  results: readonly LibraryResult[],
  back: readonly Exchange[],
  { surface, streams }: LibraryUse,
): Mismatch[] {
  return turnsOf(back, results.length).flatMap((turn, index): Mismatch[] => {
    const place: Place = { exchange: index + 1, side: 'backend', part: 'result', path: [] };
    const result = results[index];
    if (result === undefined)
      return [{ kind: 'missing', places: [place], expected: { type: 'library response' } }];
    const { text, ending, failure } = result;
    const error = errorOf(turn);
    if (error !== undefined && failure !== undefined) {
      const begun = streams ? textBeforeError(turn) : '';
      return compareResults(resultNode(begun, error), resultNode(text, thrownError(failure, error)), place);
    }
    if (error === undefined && failure === undefined) {
      const response = member(turn.events.at(-1)?.node, 'response');
      const expected = expectedResult(response, surface);
      const differences = compareResults(toNode(expected), toNode({ text, ending }), place);
      if (surface === 'responses') return differences;
      const members = expectedCompletion(response, streams);
      const actual = withKnownMembers(members, result.completion ?? jsonObject({}));
      return [...differences, ...compareResults(members, actual, place)];
    }
    return [
      {
        kind: 'changed',
        places: [place],
        expected:
          error === undefined
            ? { type: 'library response' }
            : { type: 'library error', ...(error.error === undefined ? {} : { error: error.error }) },
        actual:
          failure === undefined
            ? { type: 'library response', ending }
            : { type: 'library error', message: failure.message },
      },
    ];
  });
}

/** Results are values of JavaScript: their key order and spelling do not reach the program. */
function compareResults(expected: JsonNode, actual: JsonNode, place: Place): Mismatch[] {
  const plain = (node: JsonNode): unknown => JSON.parse(printJson(node));
  return (deepDiff.diff(plain(expected), plain(actual)) ?? []).map((change): Mismatch => {
    const [path, leaf] =
      change.kind === 'A'
        ? [[...(change.path ?? []), change.index], change.item]
        : [change.path ?? [], change];
    return { ...leafDifference(leaf), places: [{ ...place, path }] };
  });
}

function leafDifference(change: deepDiff.Diff<unknown, unknown>): Difference {
  switch (change.kind) {
    case 'N':
      return { kind: 'added', actual: jsonValue(toNode(change.rhs)) };
    case 'D':
      return { kind: 'missing', expected: jsonValue(toNode(change.lhs)) };
    case 'E':
      return differenceOf(toNode(change.lhs), toNode(change.rhs));
    case 'A':
      return leafDifference(change.item);
  }
}

/** What the library must return for a response. */
function expectedResult(response: JsonNode | undefined, surface: Surface): LibraryResult {
  const output = itemsOf(member(response, 'output'));
  const parts = output.flatMap((item) => itemsOf(member(item, 'content')));
  const text = parts.map((part) => stringAt(part, 'text') ?? '').join('');
  const status = stringAt(response, 'status') ?? 'none';
  if (surface === 'responses') return { text, ending: status };
  const reason = stringAt(response, 'incomplete_details', 'reason');
  if (reason !== undefined) return { text, ending: reason === 'max_output_tokens' ? 'length' : reason };
  const calls = output.some((item) => stringAt(item, 'type')?.endsWith('_call') === true);
  return { text, ending: calls ? 'tool_calls' : status === 'completed' ? 'stop' : status };
}

/** The text of a response that broke off. */
function textBeforeError({ events }: UpstreamTurn): string {
  const deltas = events.filter(({ node }) => stringAt(node, 'type') === 'response.output_text.delta');
  return deltas.map(({ node }) => stringAt(node, 'delta') ?? '').join('');
}

/** The members of the library's error that the backend has a value for. */
function thrownError({ status, headers, error }: LibraryError, expected: TurnError): TurnError {
  const shown = error !== undefined && expected.ofResponse ? withMembersOf(expected.error, error) : error;
  return {
    ...(expected.status === undefined || status === undefined ? {} : { status: toNode(status) }),
    ...(expected.headers === undefined ? {} : { headers: givenHeaders(headers, expected.headers) }),
    ...(expected.error === undefined || shown === undefined ? {} : { error: shown }),
  };
}

/** The headers of an error. A subject may name a request itself where the backend does not: programs only log the name. */
function givenHeaders(headers: HeaderList, expected: JsonNode): JsonNode {
  const requestId = 'x-request-id';
  const isOwn = member(expected, requestId) === undefined;
  return filterMembers(errorHeaders(headers), (name) => !isOwn || name !== requestId);
}

/** The text before a failure, and the failure, as one object. */
function resultNode(text: string, { status, headers, error }: TurnError): JsonNode {
  const members = Object.entries({ status, headers, error }).flatMap(([key, value]): JsonMember[] =>
    value === undefined ? [] : [[key, value]],
  );
  return { kind: 'object', members: [['text', jsonString(text)], ...members] };
}

/** An object without the members that `other` lacks. */
function withMembersOf(other: JsonNode | undefined, node: JsonNode): JsonNode {
  return filterMembers(node, (key) => member(other, key) !== undefined);
}

/** Without the error that a subject adds at the end of a stream. */
function withoutError(received: readonly ContentUnit[]): readonly ContentUnit[] {
  return stringAt(received.at(-1)?.node, 'type') === 'error' ? received.slice(0, -1) : received;
}

/**
 * Whether an event is one of the Responses API. The backend sends others to the official client. OpenAI's libraries fail
 * at them, so a subject may keep them back.
 */
function isForPrograms({ node }: ContentUnit): boolean {
  const type = stringAt(node, 'type') ?? '';
  return !type.startsWith('codex.') && type !== 'response.metadata';
}

const previousKey = 'previous_response_id';

/** The response in an event; a body without events is a response itself. */
function responseIn(node: JsonNode): JsonNode {
  return member(node, 'response') ?? node;
}

/**
 * An event with the previous response that the program named. Upstream, a turn may continue from a prewarm, which the
 * program does not know, or from none after a lost connection.
 */
function withPrevious(unit: ContentUnit, previous: JsonNode): ContentUnit {
  const node = mapChildren(unit.node, (response, key) =>
    key === 'response'
      ? mapChildren(response, (value, name) => (name === previousKey ? previous : value))
      : response,
  );
  return { ...unit, node };
}

function isSame(a: JsonNode | undefined, b: JsonNode): boolean {
  return a !== undefined && sameJson(a, b);
}

/** The members that are the program's own, sorted by key. */
function ownContent(node: JsonNode): JsonNode {
  if (node.kind !== 'object') return node;
  const own = withoutEmptyInstructions(node).members.filter(
    ([key]) => !shaped.has(key) && key !== previousKey,
  );
  return { kind: 'object', members: own.sort(([a], [b]) => (a < b ? -1 : 1)) };
}

/**
 * Where the connection of the previous response is lost, a subject sends the whole conversation: the last items are
 * those of this request.
 */
function sinceThen(sent: JsonNode, request: JsonNode): JsonNode {
  const sentWhole = member(sent, previousKey) !== undefined && member(request, previousKey) === undefined;
  if (!sentWhole) return request;
  const count = itemsOf(member(sent, 'input')).length;
  return mapChildren(request, (value, key) =>
    key === 'input' && value.kind === 'array' ? { kind: 'array', items: value.items.slice(-count) } : value,
  );
}

function missing(place: Place, node: JsonNode = jsonString('')): Mismatch {
  return { kind: 'missing', places: [place], expected: jsonValue(node) };
}
