import { type ComparedValue, lastName, type Mismatch, requestValue } from '../../golden/match/mismatch.ts';
import type { Exchange, Step } from '../../golden/trace/exchanges.ts';
import type { ResponseEvent } from '../../trace/trace-event.ts';
import { filterMembers, type JsonMember, type JsonNode, jsonString, toNode } from '../../wire/json.ts';
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
 * headers, every event, error and body in order and as spelled, and how the response ended.
 */
export function responseNeutrality(front: readonly Exchange[], back: readonly Exchange[]): Mismatch[] {
  return byExchange(back, front, (expected, actual, exchange) => {
    const [before, after] = [contentOf(expected, 'backend'), contentOf(actual, 'backend')];
    return [
      ...compareHeads(expected, actual, exchange),
      ...compareReceived(before, after, exchange),
      ...compareEndings(expected, actual, exchange),
    ];
  });
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
  return { kind: 'object', members: [['status', toNode(response?.status ?? null)], ...sorted] };
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
      return step.from === 'backend' ? { type: 'close', code: step.content.code } : undefined;
    if (step.type === 'body' && step.from === 'backend' && !step.complete && end !== 'client')
      return { type: 'incomplete response' };
  }
  const upgraded = steps.find(isResponse)?.status === 101;
  return upgraded && end === 'backend' ? { type: 'connection end', by: 'backend' } : undefined;
}

function withoutShaped(unit: ContentUnit): ContentUnit {
  return { ...unit, node: filterMembers(unit.node, (key) => !shaped.has(key)) };
}
