import {
  type ComparedValue,
  comparedNode,
  contentValue,
  lastName,
  type Mismatch,
  type Place,
  requestValue,
} from '../../golden/match/mismatch.ts';
import type { Exchange, Step } from '../../golden/trace/exchanges.ts';
import type { ResponseEvent } from '../../trace/trace-event.ts';
import {
  filterMembers,
  type JsonMember,
  type JsonNode,
  jsonString,
  stringAt,
  toNode,
} from '../../wire/json.ts';
import { type ContentUnit, compareContent, compareReceived, contentOf } from './messages.ts';
import { compareValues } from './plain-values.ts';

/** Members that a proxy shapes, and that parity judges. All others are the client's own content. */
export const shaped: ReadonlySet<string> = new Set([
  'type',
  'stream',
  'generate',
  'service_tier',
  'prompt_cache_key',
  'client_metadata',
]);

/**
 * Response headers that clients act upon or show: errors, retry times, rate limits, the turn state, the model. All
 * other headers belong to a connection or to whoever responded.
 */
export const actedUpon =
  /^(?:content-type|retry-after|x-request-id|x-reasoning-included|x-models-etag|(?:x-codex|x-openai|openai)-.*)$/;

/**
 * Request neutrality: what the client sent in front of the subject, against what the subject sent upstream. Only
 * content counts: instructions, input, tools and every other member that the protocol does not shape, whether it went
 * as a message or as a body. `supplied` names keys that this client leaves out and the official client sends, so that
 * the subject must add them; parity judges their values.
 */
export function requestNeutrality(
  front: readonly Exchange[],
  back: readonly Exchange[],
  supplied: ReadonlySet<string> = new Set(),
): Mismatch[] {
  return byExchange(front, back, (expected, actual, exchange) => {
    const content = (sent: Exchange) => contentOf(sent, 'client').map(withoutShaped);
    return compareContent(content(expected), content(actual), exchange).filter(
      ({ kind, places }) => kind !== 'added' || !supplied.has(lastName(places[0]?.path ?? [])),
    );
  });
}

/**
 * Response neutrality: what the backend sent upstream of the subject, against what reached the client: status and
 * headers, every event, error and body in order and as spelled, and how the response ended. `request` is what request
 * neutrality found: the response to a request that did not go upstream is the subject's own, and a client cannot get the
 * response to a request that it did not send.
 */
export function responseNeutrality(
  front: readonly Exchange[],
  back: readonly Exchange[],
  request: readonly Mismatch[] = [],
): Mismatch[] {
  const unanswered = new Map(
    (['missing', 'added'] as const).map((kind) => [kind, new Set(wholeUnits(request, kind).map(unitKey))]),
  );
  const repeated = new Set(wholeUnits(request, 'added').map(({ exchange }) => exchange));
  return byExchange(back, front, (expected, actual, exchange) => {
    const [before, after] = [contentOf(expected, 'backend'), contentOf(actual, 'backend')];
    const answers = (kind: 'missing' | 'added', units: readonly ContentUnit[], mismatch: Mismatch) =>
      wholeUnits([mismatch], kind === 'missing' ? 'added' : 'missing').some((place) =>
        unanswered.get(kind)?.has(`${exchange} ${units[numberOf(place) - 1]?.after}`),
      );
    const isConsequence = (mismatch: Mismatch) =>
      answers('missing', after, mismatch) || answers('added', before, mismatch);
    const all = compareReceived(before, after, exchange).filter((mismatch) => !isConsequence(mismatch));
    // A client that gets the response to a second copy of a request leaves before the last response.
    const cut = cutOff(all, before);
    const received = repeated.has(exchange) ? all.filter((mismatch) => !cut.has(mismatch)) : all;
    const endings = compareEndings(expected, actual, exchange);
    const [isDone, isCutOff] = [isComplete(expected, before), received.some(isMissingUnit)];
    return [
      ...compareHeads(expected, actual, exchange),
      ...merged(received, cut),
      // A subject that cuts a response off ends it too.
      ...endings.filter(({ kind }) => (kind === 'added' ? !isCutOff : !isDone)),
    ];
  });
}

function unitKey(place: Place): string {
  return `${place.exchange} ${numberOf(place)}`;
}

/** The number of a message; 1 for a body. */
function numberOf(place: Place): number {
  return place.part === 'message' ? place.number : 1;
}

/** Whether a response is complete and nothing follows it, so that no client depends on how the backend ends it. */
function isComplete({ end }: Exchange, units: readonly ContentUnit[]): boolean {
  const type = stringAt(units.at(-1)?.node, 'type') ?? '';
  return end === undefined && /^(?:response\.(?:completed|failed|incomplete)|error)$/.test(type);
}

/** The mismatches, with one for the whole end of a response that is cut off. */
function merged(mismatches: readonly Mismatch[], cut: ReadonlySet<Mismatch>): Mismatch[] {
  const [rest, [first, ...others]] = [
    mismatches.filter((mismatch) => !cut.has(mismatch)),
    mismatches.filter((mismatch) => cut.has(mismatch)),
  ];
  if (first === undefined) return rest;
  const places = [first, ...others].flatMap((mismatch) => mismatch.places);
  return [
    ...rest,
    first.kind === 'missing' ? { ...first, places, instead: { type: 'incomplete response' } } : first,
  ];
}

/**
 * The messages at the end of the last response that do not reach the client, if it is cut off. Events of a type that is
 * missing before them too were dropped by their type.
 */
function cutOff(mismatches: readonly Mismatch[], units: readonly ContentUnit[]): ReadonlySet<Mismatch> {
  const missing = mismatches.filter(isMissingUnit);
  const last = units.at(-1)?.after;
  const tail = new Set<Mismatch>();
  for (const mismatch of missing.toReversed()) {
    const number = units.length - tail.size;
    const isNext = mismatch.places.some((place) => numberOf(place) === number);
    if (!isNext || units[number - 1]?.after !== last) break;
    tail.add(mismatch);
  }
  const typeOf = (mismatch: Mismatch) => stringAt(comparedNode(mismatch, 'expected'), 'type');
  const earlier = new Set(missing.filter((mismatch) => !tail.has(mismatch)).map(typeOf));
  return [...tail].some((mismatch) => earlier.has(typeOf(mismatch))) ? new Set() : tail;
}

function isMissingUnit(mismatch: Mismatch): boolean {
  return wholeUnits([mismatch], 'missing').length > 0;
}

/** The places of whole messages and bodies that are missing, or added. */
function wholeUnits(mismatches: readonly Mismatch[], kind: 'missing' | 'added'): readonly Place[] {
  return mismatches
    .filter((mismatch) => mismatch.kind === kind)
    .flatMap(({ places }) => places)
    .filter(({ part, path }) => (part === 'message' || part === 'body') && path.length === 0);
}

/** Whether mismatches show why a client could not go on: its request was not passed on, or the last response not to its end. */
export function showStop(mismatches: readonly Mismatch[], back: readonly Exchange[]): boolean {
  const ends = new Set(
    back.map((exchange, index) => `${index + 1} ${contentOf(exchange, 'backend').length}`),
  );
  return wholeUnits(mismatches, 'missing').some(
    (place) => place.side === 'client' || ends.has(unitKey(place)),
  );
}

function byExchange(
  expected: readonly Exchange[],
  actual: readonly Exchange[],
  compare: (expected: Exchange, actual: Exchange, exchange: number) => Mismatch[],
): Mismatch[] {
  return expected.flatMap((before, index): Mismatch[] => {
    const after = actual[index];
    const exchange = index + 1;
    if (after !== undefined) return compare(before, after, exchange);
    return [
      {
        kind: 'missing',
        places: [{ exchange, side: 'client', part: 'exchange', path: [] }],
        expected: requestValue(before.request),
      },
    ];
  });
}

function compareHeads(expected: Exchange, actual: Exchange, exchange: number): Mismatch[] {
  const [before, after] = [headNode(expected), headNode(actual)];
  return compareValues(before, after, { exchange, side: 'backend', part: 'response', path: [] });
}

function headNode({ steps }: Exchange): JsonNode {
  const response = steps.find(isResponse);
  const headers = (response?.headers ?? []).flatMap(([name, value]): JsonMember[] => {
    const lower = name.toLowerCase();
    if (!actedUpon.test(lower)) return [];
    return [[lower, lower === 'content-type' ? mediaType(value) : value]];
  });
  const sorted = headers.sort(([a], [b]) => (a < b ? -1 : 1));
  // HTTP/2 is agreed between the subject and its upstream, whatever its clients use.
  const version: JsonMember[] =
    response?.version === '1.0' ? [['HTTP version', jsonString(response.version)]] : [];
  return { kind: 'object', members: [...version, ['status', toNode(response?.status ?? null)], ...sorted] };
}

function mediaType(value: JsonNode): JsonNode {
  if (value.kind !== 'string') return value;
  return jsonString(value.value.replace(/;.*$/s, '').trim().toLowerCase());
}

export function isResponse(step: Step): step is ResponseEvent {
  return step.type === 'response';
}

function compareEndings(before: Exchange, after: Exchange, exchange: number): Mismatch[] {
  const [expected, actual] = [endingOf(before), endingOf(after)];
  if (JSON.stringify(expected) === JSON.stringify(actual)) return [];
  const places = [{ exchange, side: 'backend', part: 'ending', path: [] } as const];
  if (expected !== undefined && actual !== undefined) return [{ kind: 'changed', places, expected, actual }];
  if (expected !== undefined) return [{ kind: 'missing', places, expected }];
  // What a subject sends to a client that has gone does not matter.
  return actual === undefined || (after.end ?? after.cutBy) !== 'backend'
    ? []
    : [{ kind: 'added', places, actual }];
}

/** How the responding side ended an exchange; undefined where it did not, or the client ended it first. */
function endingOf({ steps, end }: Exchange): ComparedValue | undefined {
  for (const step of steps) {
    if (step.type === 'message' && step.content.kind === 'close')
      return step.from === 'backend' ? contentValue(step.content) : undefined;
    if (step.type === 'body' && step.from === 'backend' && !step.complete && end !== 'client')
      return { type: 'incomplete response' };
  }
  const upgraded = steps.find(isResponse)?.status === 101;
  return upgraded && end === 'backend' ? { type: 'connection end', by: 'backend' } : undefined;
}

function withoutShaped(unit: ContentUnit): ContentUnit {
  return { ...unit, node: filterMembers(unit.node, (key) => !shaped.has(key)) };
}
